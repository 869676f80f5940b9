import { useState } from "preact/hooks";
import type { Access as Reach, NewOwner, Owner } from "./api";
import { call } from "./client";
import { Act, Card, Choice, Empty, Page, Pill, Rest, Secret, ShareLink, Show, State, Sure, Table, Text, useAccess, useAct, useCall, When } from "./parts";
import { Prose } from "./next";
import { refusals } from "./overview";
import { go, href, setQuery } from "./route";

const regions: [string, string][] = [["us", "US"], ["eu", "EU"], ["au", "Australia"], ["gov", "US Government"]];

const regionOf = (region: string) => regions.find(([r]) => r === region)?.[1] ?? region;
const kinds: Record<string, string> = { token: "access token", oauth: "consent", assume: "admin's token" };

/** Why is what is the matter with an owner's access, in few words and in Smartsheet's. */
function Why({ o, full }: { o: Owner; full?: boolean }) {
  const short = refusals[o.state];
  if (!o.reason && !short) return null;
  return <><p class={full ? "way" : "why said"}>{short ?? <Prose text={o.reason!} />}</p>{full && short && o.reason && <details><summary>What Smartsheet said</summary><p><Prose text={o.reason} /></p></details>}</>;
}

/** Depends are the shares that are read in an owner's name. */
function Depends({ name }: { name: string }) {
  const all = useCall("getOverview", {}, 10000);
  return <Card flush title="Read in its name"><Show of={all}>{(o) => {
    const shares = o.items.filter((s) => s.owner === name);
    return shares.length === 0 ? <Empty title="Nothing is read in its name"><p>It can be removed, or share a sheet.</p></Empty> : <Table label="Shares that are read in the owner's name" head={["Sheet", "Share", "State"]}>{shares.map((s) => <tr key={s.webhook + s.partner + s.sheet}>
      <th scope="row"><bdi>{s.sheetName}</bdi></th><td><ShareLink s={s} /></td><td><State state={s.state} />{s.attention && <p class="why said">{s.attention}</p>}</td></tr>)}</Table>;
  }}</Show></Card>;
}

export function Owners({ query }: { query: URLSearchParams }) {
  const owners = useCall("listOwners", {}, 15000);
  const adding = query.get("new") === "1", bad = query.get("state") === "bad";
  const { readOnly } = useAccess();
  return <Page title="Owners" lead="Smartsheet users in whose name sheets are read. Their tokens are sealed and never shown."
    actions={!readOnly && !adding && <button type="button" class="primary" onClick={() => setQuery({ new: "1" })}>Add an owner</button>}>
    {adding && !readOnly && <AddOwner done={owners.reload} />}
    <Show of={owners}>{(d) => {
      const shown = d.items.filter((o) => !bad || o.state !== "ok");
      if (shown.length === 0) return adding ? null : <Empty title={bad ? "Every owner's access works" : "No owner yet"}>{bad ? <a href={href(["owners"])}>All owners</a> : <p>Add the user whose sheets you want to share.</p>}</Empty>;
      return <Card flush><Table label="Owners" head={["Owner", "Access", "Speaks for", "Kind", "Region"]}>{shown.map((o) => <tr key={o.name}>
        <th scope="row"><a href={href(["owners", o.name])}>{o.name}</a></th><td><State state={o.state} /><Why o={o} /></td><td><bdi>{o.assumeUser || o.email || "–"}</bdi></td><td>{kinds[o.kind] ?? o.kind}</td><td>{regionOf(o.region)}</td></tr>)}</Table></Card>;
    }}</Show>
  </Page>;
}

function AddOwner({ done }: { done: () => void }) {
  const [o, set] = useState<NewOwner & { token: string; email: string; assumeUser: string }>({ name: "", region: "us", kind: "token", token: "", email: "", assumeUser: "" });
  const [made, setMade] = useState<Owner>();
  const { busy, problem, act, field } = useAct();
  const put = (change: Partial<typeof o>) => set({ ...o, ...change });
  if (made) return <Card title={`Owner ${made.name} is added`}>
    {made.authorizeUrl ? <Consent url={made.authorizeUrl} /> : <p>Smartsheet accepts the token: it speaks for <bdi>{made.email}</bdi>.</p>}
    <Warnings of={made.warnings ?? []} />
    <div class="buttons"><a class="button primary" href={href(["new"], { owner: made.name })}>Share a sheet</a><a class="button" href={href(["overview"])}>To the overview</a></div></Card>;
  return <Card title="Add an owner"><form class="form" onSubmit={(e) => { e.preventDefault(); act(() => call("addOwner", { body: { name: o.name, region: o.region, kind: o.kind, ...(o.kind !== "oauth" && { token: o.token }), ...(o.kind === "assume" && { assumeUser: o.assumeUser }), ...(o.kind === "oauth" && o.email && { email: o.email }) } }), (a) => { setMade(a); done(); }); }}>
    <Text label="Name" value={o.name} set={(name) => put({ name })} error={field("name")} hint="What you call it here, such as ops: small letters, digits and hyphens." required />
    <Choice label="How it gives access" value={o.kind!} set={(kind) => put({ kind: kind as "token" })} error={field("kind")} options={[["token", "An access token of the user"], ["oauth", "The user consents in the browser"], ["assume", "A System Admin's token that acts for the user"]]} />
    <Choice label="Region" value={o.region} set={(region) => put({ region: region as "us" })} options={regions} error={field("region")} />
    {o.kind !== "oauth" && <Text label="Access token" type="password" value={o.token} set={(token) => put({ token })} error={field("token")} hint="In Smartsheet under Account, Personal Settings, API Access. It is tried at once, then sealed." required />}
    {o.kind === "assume" && <Text label="Acts for" type="email" value={o.assumeUser} set={(assumeUser) => put({ assumeUser })} error={field("assumeUser")} />}
    {o.kind === "oauth" && <Text label="Who has to consent" type="email" value={o.email} set={(email) => put({ email })} error={field("email")} hint="Another user's consent is refused." />}
    <Rest problem={problem} known={["name", "kind", "region", "token", "assumeUser", "email"]} />
    <div class="buttons"><button class="primary" disabled={busy}>{busy ? "Asking Smartsheet…" : "Add"}</button><button type="button" onClick={() => setQuery({ new: undefined })}>Cancel</button></div>
  </form></Card>;
}

const Consent = ({ url }: { url: string }) => <Secret title="The owner consents here" text={url}>Send it to the sheet's owner, or open it as that user. It works for ten minutes; a new one can be made at any time.</Secret>;

const Warnings = ({ of }: { of: string[] }) => of.length > 0 ? <ul class="todo">{of.map((w) => <li key={w}><State state="warning" text="note" /><div><Prose text={w} /></div></li>)}</ul> : null;

export function OwnerPage({ name }: { name: string }) {
  const owner = useCall("getOwner", { path: { name } });
  const { readOnly } = useAccess();
  return <Page title={"Owner " + name} actions={<>{!readOnly && owner.data?.state === "ok" && <a class="button" href={href(["new"], { owner: name })}>Share a sheet</a>}<Sure label="Remove the owner" name={name} what="Its token is forgotten. That is refused while sheets are shared in its name." run={() => call("deleteOwner", { path: { name } })} done={() => go(["owners"])} /></>}>
    <Show of={owner}>{(o) => <>
      <Card title="Access" aside={<State state={o.state} />}><Why o={o} full />
        <dl class="facts"><div><dt>Speaks for</dt><dd><bdi>{o.assumeUser || o.email || "–"}</bdi></dd></div><div><dt>Kind</dt><dd>{kinds[o.kind] ?? o.kind}</dd></div><div><dt>Region</dt><dd>{regionOf(o.region)}</dd></div>
          <div><dt>Added</dt><dd><When at={o.createdAt} /></dd></div><div><dt>Last used</dt><dd><When at={o.lastUsed} none="not within an hour" /></dd></div><div><dt>Requests this minute</dt><dd class="num">{o.requestsThisMinute ?? "–"}</dd></div>
          {o.expiresAt && <div><dt>Token renewed before</dt><dd><When at={o.expiresAt} /></dd></div>}</dl>
        {!readOnly && (o.kind === "oauth" ? <Authorize name={name} done={owner.reload} /> : <ReplaceToken name={name} done={owner.reload} />)}</Card>
      <Depends name={name} />
      {o.state === "ok" && <Reaches name={name} />}
    </>}</Show>
  </Page>;
}

function ReplaceToken({ name, done }: { name: string; done: () => void }) {
  const [token, set] = useState("");
  const { busy, problem, act, field } = useAct();
  return <form class="inline" onSubmit={(e) => { e.preventDefault(); act(() => call("replaceOwnerToken", { path: { name }, body: { token } }), () => { set(""); done(); }); }}>
    <Text label="New token of the same user" type="password" value={token} set={set} error={field("token") ?? problem?.detail} /><button disabled={busy || token === ""}>{busy ? "Asking…" : "Replace the token"}</button></form>;
}

function Authorize({ name, done }: { name: string; done: () => void }) {
  const [url, set] = useState("");
  return <>{url && <Consent url={url} />}<Act label="Make a new address for consent" run={async () => set((await call("authorizeOwner", { path: { name } })).authorizeUrl ?? "")} done={done} /></>;
}

/** Reaches is the access report: what the token can reach against what is shared. */
function Reaches({ name }: { name: string }) {
  const [asked, ask] = useState(false);
  const found = useCall(asked ? "getOwnerAccess" : null, { path: { name } });
  return <Card title="What it reaches" aside={!asked && <button type="button" class="small" onClick={() => ask(true)}>Ask Smartsheet</button>}>
    {!asked ? <p>What this access can read, against what is shared through the bridge. It costs a request for each 1,000 sheets.</p> : <Show of={found}>{(a: Reach) => <>
      <p class="verdict">{a.verdict}</p><Warnings of={a.warnings} />
      {a.steps.length > 0 && <details><summary>How to have less</summary><ol class="plain">{a.steps.map((s) => <li key={s}><Prose text={s} /></li>)}</ol></details>}
      {a.shared.length > 0 && <Table label="Sheets that are shared" head={["Sheet", "May", "With"]}>{a.shared.map((s) => <tr key={s.sheetId}><th scope="row"><bdi>{s.name}</bdi></th><td>{s.permission || <span class="error">cannot be read</span>}</td><td>{s.with.map((p) => <Pill key={p}>{p}</Pill>)}</td></tr>)}</Table>}
    </>}</Show>}</Card>;
}
