import { useEffect, useRef, useState } from "preact/hooks";
import { calls, type Action, type AuditEntry, type Report } from "./api";
import { call } from "./client";
import { Card, Empty, number, Page, ProblemBox, save, Show, State, Table, Text, useAct, useCall, When, Choice } from "./parts";
import { find } from "./next";
import { setQuery } from "./route";

const outcomes: [string, string][] = [["", "Any outcome"], ["begun", "begun"], ["done", "done"], ["refused", "refused"], ["changed", "changed"], ["previewed", "cells shown"]];
const states: Record<string, string> = { done: "ok", refused: "wrong", begun: "loading", changed: "ok", previewed: "warning" };

export function Auditing({ query }: { query: URLSearchParams }) {
  const first = useCall("listAudit", { query: { limit: 500 } });
  const [older, setOlder] = useState<AuditEntry[]>([]);
  const more = useAct();
  const all = [...(first.data?.items ?? []), ...older];
  const who = query.get("who") ?? "", on = query.get("on") ?? "", outcome = query.get("outcome") ?? "";
  const sheets = useCall("listWebhooks");
  const sheetOf = (id: string) => sheets.data?.items.find((w) => w.id === id || w.sheetId === id)?.sheetName;
  const answered = new Set(all.filter((e) => e.outcome !== "begun").map((e) => e.request));
  const shown = all.filter((e) => (outcome !== "" || e.outcome !== "begun" || !answered.has(e.request)) && (!who || e.who.toLowerCase().includes(who.toLowerCase())) && (!outcome || e.outcome === outcome) && (!on || (e.on + " " + e.what + " " + worded(e) + " " + object(e, sheetOf)).toLowerCase().includes(on.toLowerCase())));
  const last = all.at(-1);
  return <Page title="Audit" lead="Who did what and when, newest first, as a chain of hashes."
    actions={<><Chain />{(who || on || outcome) && <button type="button" disabled={shown.length === 0} onClick={() => save("audit.json", JSON.stringify({ items: shown }, null, 2), "application/json")}>Export these {number(shown.length)}</button>}<Export /></>}>
    <div class="filters"><Text label="Who" value={who} set={(v) => setQuery({ who: v })} /><Text label="What or on what" value={on} set={(v) => setQuery({ on: v })} /><Choice label="Outcome" value={outcome} set={(v) => setQuery({ outcome: v })} options={outcomes} hint="A call that was begun and never answered is always shown." /></div>
    <Show of={first}>{() => shown.length === 0 ? <Empty title="No entry is like that"><button type="button" onClick={() => setQuery({ who: undefined, on: undefined, outcome: undefined })}>Show all</button></Empty> : <Card flush><div class="entries"><Table stack label="Audit" head={["#", "When", "Who", "What", "On", "Outcome", "From"]}>
      {shown.map((e) => <tr key={e.sequence}><td class="num faint">{e.sequence}</td><td><When at={e.at} /></td><th scope="row">{e.who}</th><td><What e={e} />{e.details !== undefined && e.details !== null && <details><summary>Details</summary><pre tabIndex={0}>{JSON.stringify(e.details, null, 2)}</pre></details>}</td><td class="wide"><bdi title={e.on}>{object(e, sheetOf)}</bdi></td>
        <td><State state={states[e.outcome] ?? "unknown"} text={outcomes.find(([o]) => o === e.outcome)?.[1] ?? e.outcome} /></td><td class="faint">{e.client}</td></tr>)}</Table></div></Card>}</Show>
    {more.problem && <ProblemBox problem={more.problem} />}
    {last && last.sequence !== "1" && <p><button type="button" disabled={more.busy} onClick={() => more.act(() => call("listAudit", { query: { limit: 500, before: Number(last.sequence) } }), (d) => setOlder([...older, ...d.items]))}>{more.busy ? "Reading…" : "Older entries"}</button></p>}
  </Page>;
}

/** A partner's write, as its audit entry has it: who, which fields of which row, and what came of it, but no values. */
interface WriteDetails { id: string; op?: string; row?: string; fields?: string[]; code?: string; dryRun?: boolean; writer?: string }

/** What somebody looked at who was shown cells, in words. */
const looks: Record<string, string> = {
  "GET /v1/events": "watched what is published", "POST /v1/webhooks?dryRun=true": "previewed a share",
  "GET /v1/owners/:name/sheets/:id/columns": "looked at sample values of columns", "GET /v1/webhooks/:id/shares/:partner/:sheet/rows/:row/explain": "had a row explained",
};

const callOf = (e: AuditEntry) => {
  const [method, path = ""] = e.what.split(" ");
  return Object.entries(calls).find(([, [m, template]]) => m === method && template.replace(/\{(\w+)\}/g, ":$1") === path);
};

/** worded is what an entry is about in words: of a call, what the API says that it does. */
const worded = (e: AuditEntry): string => looks[e.what] ?? callOf(e)?.[1][2].replace(/^./, (first) => first.toLowerCase()) ?? e.what;

/** object is what an entry is on, by its names. */
function object(e: AuditEntry, sheetOf: (id: string) => string | undefined): string {
  if (e.on === "/") return "all partners";
  const names = callOf(e) && find({ method: e.what.split(" ")[0], path: e.on } as Action)?.[1];
  const [owner, sheet] = e.on.split("/");
  if (!names) return looks[e.what] && /^\d+$/.test(sheet) ? `${sheetOf(sheet) ?? sheet}, read by ${owner}` : e.on;
  if (names.sheet) return `${names.partner}/${names.sheet}`;
  return [names.name ?? (names.id && (sheetOf(names.id) ?? names.id)), names.credentials].filter(Boolean).join(" ");
}

/** What says in words what an entry is about, where its own name for it is short. */
function What({ e }: { e: AuditEntry }) {
  if (e.what !== "write") return <span title={e.what}>{worded(e)}</span>;
  const d = (e.details ?? {}) as WriteDetails;
  return <>{d.dryRun && "try to "}{d.op ?? "write"}{d.row ? <> row <span class="num">{d.row}</span></> : d.op && " a row"}{d.fields && <>: {d.fields.map((f) => <code key={f}>{f} </code>)}</>}
    <p class="why">{e.outcome === "refused" && <span class="error">refused: {(d.code ?? "").replaceAll("-", " ")} · </span>}{d.writer && `in the name of ${d.writer} · `}its id <code>{d.id}</code></p></>;
}

const atOnce = 500; // entries of one answer

/** Export saves the whole log, as the API lists it, with the hashes by which anybody can follow the chain. It is read page by page and held as text. */
function Export() {
  const { busy, problem, act } = useAct();
  const [read, setRead] = useState(0);
  const stop = useRef(new AbortController());
  useEffect(() => () => stop.current.abort(), []);
  const run = async () => {
    const parts: string[] = [];
    setRead(0);
    for (let before = "", count = 0; ;) {
      const { items } = await call("listAudit", { query: { limit: atOnce, ...(before && { before: Number(before) }) }, signal: stop.current.signal });
      if (items.length === 0) break;
      parts.push((count > 0 ? ",\n" : "") + items.map((e) => JSON.stringify(e)).join(",\n"));
      before = items.at(-1)!.sequence;
      setRead(count += items.length);
      if (before === "1") break;
    }
    save(`audit-${new Date().toISOString().slice(0, 10)}.json`, ['{"items":[\n', ...parts, "\n]}\n"], "application/json");
  };
  return <span class="act"><button type="button" disabled={busy} onClick={() => act(run)}>{busy ? `Reading… ${number(read)}` : "Export everything"}</button>
    <span role="status">{problem ? <span class="error">{problem.detail}</span> : !busy && read > 0 && <span class="good">{number(read)} entries saved</span>}</span></span>;
}

/** Chain verifies the whole chain when asked to. */
function Chain() {
  const { busy, problem, act } = useAct();
  const [report, set] = useState<Report>();
  return <span class="act"><button type="button" disabled={busy} onClick={() => act(() => call("verifyAudit"), set)}>{busy ? "Verifying…" : "Verify the chain"}</button>
    <span role="status">{problem ? <span class="error">{problem.detail}</span> : report && (report.intact ? <State state="ok" text={`intact, ${number(report.entries)} entries`} /> : <State state="wrong" text={`broken at ${report.broken[0]?.sequence}: ${report.broken[0]?.why}`} />)}</span></span>;
}
