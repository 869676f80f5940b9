import { useEffect, useRef, useState } from "preact/hooks";
import type { AuditEntry, Report } from "./api";
import { call } from "./client";
import { Card, Empty, number, Page, ProblemBox, save, Show, State, Table, Text, useAct, useCall, When, Choice } from "./parts";
import { setQuery } from "./route";

const outcomes: [string, string][] = [["", "Any outcome"], ["begun", "begun"], ["done", "done"], ["refused", "refused"], ["changed", "changed"], ["previewed", "cells shown"]];
const states: Record<string, string> = { done: "ok", refused: "wrong", begun: "loading", changed: "ok", previewed: "warning" };

export function Auditing({ query }: { query: URLSearchParams }) {
  const first = useCall("listAudit", { query: { limit: 500 } });
  const [older, setOlder] = useState<AuditEntry[]>([]);
  const more = useAct();
  const all = [...(first.data?.items ?? []), ...older];
  const who = query.get("who") ?? "", on = query.get("on") ?? "", outcome = query.get("outcome") ?? "";
  const shown = all.filter((e) => (!who || e.who.toLowerCase().includes(who.toLowerCase())) && (!outcome || e.outcome === outcome) && (!on || (e.on + " " + e.what + " " + (looks[e.what] ?? "")).toLowerCase().includes(on.toLowerCase())));
  const last = all.at(-1);
  return <Page title="Audit" lead="Who did what and when, newest first. Each entry holds the hash of the one before it."
    actions={<><Chain />{shown.length < all.length && <button type="button" disabled={shown.length === 0} onClick={() => save("audit.json", JSON.stringify({ items: shown }, null, 2), "application/json")}>Export these {number(shown.length)}</button>}<Export /></>}>
    <div class="filters"><Text label="Who" value={who} set={(v) => setQuery({ who: v })} /><Text label="What or on what" value={on} set={(v) => setQuery({ on: v })} /><Choice label="Outcome" value={outcome} set={(v) => setQuery({ outcome: v })} options={outcomes} /></div>
    <Show of={first}>{() => shown.length === 0 ? <Empty title="No entry is like that" /> : <Card flush><Table label="Audit" head={["#", "When", "Who", "What", "On", "Outcome", "From"]}>
      {shown.map((e) => <tr key={e.sequence}><td class="num">{e.sequence}</td><td><When at={e.at} /></td><th scope="row">{e.who}</th><td><What e={e} />{e.details !== undefined && e.details !== null && <details><summary>Details</summary><pre tabIndex={0}>{JSON.stringify(e.details, null, 2)}</pre></details>}</td><td class="wide">{e.on === "/" ? "all partners" : e.on}</td>
        <td><State state={states[e.outcome] ?? "unknown"} text={outcomes.find(([o]) => o === e.outcome)?.[1] ?? e.outcome} /></td><td class="faint">{e.client}</td></tr>)}</Table></Card>}</Show>
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

/** What says in words what an entry is about, where its own name for it is short. */
function What({ e }: { e: AuditEntry }) {
  const looked = looks[e.what];
  if (looked) return <span title={e.what}>{looked}</span>;
  if (e.what !== "write") return <>{e.what}</>;
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
