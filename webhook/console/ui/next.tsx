import { useState } from "preact/hooks";
import { calls, type Action, type Calls } from "./api";
import { call } from "./client";
import { Act, useAccess } from "./parts";
import { href } from "./route";

type Names = Record<string, string>;

/** How the page makes a call that leads out of something: by a button, or by a link to where it is made. */
const ways: Partial<Record<keyof Calls, { label: string; to?: (n: Names) => string }>> = {
  listOwners: { label: "All owners", to: () => href(["owners"]) },
  addOwner: { label: "Add an owner", to: () => href(["owners"], { new: "1" }) },
  getOwner: { label: "To the owner", to: (n) => href(["owners", n.name]) },
  listOwnerSheets: { label: "The owner's sheets", to: (n) => href(["new"], { owner: n.name }) },
  replaceOwnerToken: { label: "Replace the token", to: (n) => href(["owners", n.name]) },
  authorizeOwner: { label: "Ask for consent", to: (n) => href(["owners", n.name]) },
  listPartners: { label: "All partners", to: () => href(["partners"]) },
  addPartner: { label: "Add a partner", to: () => href(["partners"], { new: "1" }) },
  changePartner: { label: "Change its terms", to: (n) => href(["partners", n.name], { edit: "1" }) },
  setContact: { label: "Give it a contact", to: (n) => href(["partners", n.name]) },
  getReading: { label: "See what it has read", to: (n) => href(["partners", n.name]) },
  listCredentials: { label: "Its credentials", to: (n) => href(["partners", n.name]) },
  makeCredentials: { label: "Make credentials", to: (n) => href(["partners", n.name]) },
  listInvitations: { label: "Its invitations", to: (n) => href(["partners", n.name]) },
  invite: { label: "Invite the partner", to: (n) => href(["partners", n.name]) },
  listWebhooks: { label: "All sheets", to: () => href(["sheets"]) },
  registerSheet: { label: "Share a sheet", to: () => href(["new"]) },
  getWebhook: { label: "To the sheet", to: () => href(["sheets"]) },
  enableWebhook: { label: "Enable the webhook" },
  reconcileWebhook: { label: "Compare now" },
  changeShare: { label: "Change the share", to: (n) => href(["shares", n.id, n.partner, n.sheet], { edit: "1" }) },
  explainRow: { label: "Explain the row", to: (n) => href(["explain"], { webhook: n.id, partner: n.partner, sheet: n.sheet, row: n.row }) },
  listDead: { label: "Dead hints", to: () => href(["dead"]) },
  retryDead: { label: "Try the hint again" },
  examine: { label: "To the doctor", to: () => href(["doctor"], { level: "wrong" }) },
};

/** find is the operation that an action is, with the names in its path. */
export function find(action: Action): [keyof Calls, Names] | undefined {
  const steps = action.path.split("/");
  for (const [id, [method, template]] of Object.entries(calls)) {
    const parts = template.split("/"), names: Names = {};
    if (method !== action.method || parts.length !== steps.length) continue;
    if (parts.every((p, i) => p.startsWith("{") ? (names[p.slice(1, -1)] = decodeURIComponent(steps[i])) !== "" : p === steps[i])) return [id as keyof Calls, names];
  }
  return undefined;
}

/** names tells whether a text names a call so that Prose makes a link of it. */
export const names = (text: string, action?: Action | null) => !!action && text.includes(`${action.method} ${action.path}`) && !!ways[find(action)?.[0] ?? "retryDead"]?.to;

const spoken = /((?:GET|POST|PUT|PATCH|DELETE) \/v1\/[^\s,;:)]*[^\s,;:).]|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)/;

/** Prose is a text of the API's with each call that it names as the page has it, a link to where it is made or the name of its button, and with times as people read them. */
export function Prose({ text }: { text: string }) {
  return <>{text.split(spoken).map((part, i) => {
    if (i % 2 === 0) return part;
    if (/^\d/.test(part)) return <time key={i} dateTime={part}>{new Date(part).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" })}</time>;
    const [method, path] = part.split(" ");
    const [id, names] = find({ method, path: path.split("?")[0] } as Action) ?? [];
    const way = id && ways[id];
    if (!way) return <code key={i}>{part}</code>;
    return way.to && !Object.values(names!).some((n) => n.startsWith("{")) && !path.includes("?") ? <a key={i} href={way.to(names!)}>{way.label}</a> : <q key={i}>{way.label}</q>;
  })}</>;
}

/** Next is the next step, as the API names it: a link, or a button that makes the call. Where something was refused for want of consent, the form has it. */
export function Next({ action, done }: { action?: Action | null; done?: () => void }) {
  const { readOnly } = useAccess();
  const [id, names] = (action && !action.add && find(action)) || [];
  const way = id && ways[id];
  if (!way || readOnly && action!.method !== "GET") return null;
  return way.to ? <a class="button small" href={way.to(names!)}>{way.label}</a> : <Act label={way.label} tone="small" run={() => call(id!, { path: names as never })} done={done} />;
}
