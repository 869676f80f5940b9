import type { Overview, OverviewShare } from "./api";
import { Next } from "./next";
import { Card, Empty, number, Page, Pill, plural, Progress, Shape, ShareLink, Show, State, Table, useAccess, useCall, When, Where } from "./parts";
import { href, setQuery } from "./route";
import { MayWrite } from "./writing";

type Counted = [string, string, number | null, string]; // key, label, number, state

export function OverviewPage({ query, known }: { query: URLSearchParams; known?: Overview }) {
  const overview = useCall("getOverview", {}, 5000, known);
  const { readOnly } = useAccess();
  return <Page title="Overview" lead={overview.data ? <Verdict o={overview.data} /> : "What is shared, and whether it gets there."} actions={!readOnly && !!overview.data && overview.data.counts.owners > 0 && overview.data.counts.partners > 0 && <a class="button primary" href={href(["new"])}>New share</a>}>
    <Show of={overview}>{(o) => <>
      <Start o={o} />
      <Counts o={o} query={query} />
      <ToMend o={o} />
      <Shares o={o} query={query} />
    </>}</Show>
  </Page>;
}

/** Verdict says in one line whether everything is well. */
function Verdict({ o }: { o: Overview }) {
  const c = o.counts, bad = o.items.filter((s) => s.attention).length;
  if (c.shares === 0) return <>What is shared, and whether it gets there.</>;
  const parts = [bad > 0 && plural(bad, "share"), c.ownersToMend > 0 && plural(c.ownersToMend, "owner"), (c.dead ?? 0) > 0 && plural(c.dead!, "dead hint")].filter((p): p is string => !!p);
  if (parts.length > 0) return <State state={c.suspended + c.stale > 0 ? "wrong" : "warning"} text={`${parts.join(", ").replace(/, ([^,]*)$/, " and $1")} ${bad + c.ownersToMend + (c.dead ?? 0) === 1 ? "needs" : "need"} attention. ${bad < c.shares ? `The other ${c.shares - bad === 1 ? "share is" : `${number(c.shares - bad)} shares are`} well.` : ""}`} />;
  return c.loading > 0 ? <State state="loading" text={`${plural(c.loading, "share")} of ${number(c.shares)} ${c.loading === 1 ? "is" : "are"} loading, the others are live.`} /> : <State state="ok" text={c.shares === 1 ? "All is well: the share is live." : `All is well: ${number(c.shares)} shares are live.`} />;
}

/** Start leads from an empty service to the first live share, and is gone then. */
function Start({ o }: { o: Overview }) {
  const c = o.counts;
  if (c.live > 0 || c.shares > 1) return null;
  const loading = c.loading > 0;
  const steps: [string, string, boolean, string[]][] = [
    ["Add an owner", "A Smartsheet user in whose name sheets are read: a token, or a consent in the browser.", c.owners > 0, ["owners"]],
    ["Add a partner", "The company that receives events. It gets an account and a stream of its own.", c.partners > 0, ["partners"]],
    ["Choose a sheet", "Tick its columns, filter its rows, and see the very events that would go out.", c.sheets > 0, ["new"]],
    ["Share it", loading ? "The rows are being published now." : "The first load follows by itself, and then every change.", false, ["new"]],
  ];
  const next = steps.findIndex(([, , done]) => !done);
  return <Card title="Start here"><ol class="steps">{steps.map(([title, text, done, to], i) =>
    <li key={title} class={done ? "done" : i === next ? "next" : ""}><span class="tick" aria-hidden="true">{done ? "✓" : i + 1}</span>
      <div><h3>{title}{done && <span class="hidden"> (done)</span>}</h3><p>{text}</p>
        {!done && i === next && (loading ? <State state="loading" text="loading" /> : <a class="button primary" href={href(to, to[0] === "new" ? {} : { new: "1" })}>{title}</a>)}</div></li>)}</ol></Card>;
}

function Counts({ o, query }: { o: Overview; query: URLSearchParams }) {
  const c = o.counts, chosen = query.get("state") ?? "";
  if (c.shares === 0) return null;
  const filters: Counted[] = [["live", "Live", c.live, "live"], ["loading", "Loading", c.loading, "loading"], ["stale", "Stale", c.stale, "stale"], ["suspended", "Suspended", c.suspended, "suspended"]];
  if (c.unknown > 0) filters.push(["unknown", "Unknown", c.unknown, "unknown"]);
  if (c.filterWarnings > 0) filters.push(["filter", "Filter shows too little", c.filterWarnings, "warning"]);
  const links: [string, number | null, string][] = [["Owners to act on", c.ownersToMend, href(["owners"], { state: "bad" })], ["Ending soon", c.ending, "#attention"], ["Dead hints", c.dead, href(["dead"])]];
  return <div class="counts" role="group" aria-label="Shares by state">
    {filters.map(([key, label, n, state]) => <button type="button" key={key} class={"count is-" + state + (n === 0 ? " none" : "")} aria-pressed={chosen === key}
      onClick={() => setQuery({ state: chosen === key ? undefined : key })}><strong>{number(n)}</strong><span><Shape state={state} />{label}</span></button>)}
    {links.filter(([, n]) => n !== 0).map(([label, n, to]) => <a key={label} class="count is-warning" href={to} onClick={(e) => { if (to !== "#attention") return; e.preventDefault(); const card = document.getElementById("attention"); card?.focus(); card?.scrollIntoView({ block: "start" }); }}><strong>{number(n)}</strong><span><Shape state="warning" />{label}</span></a>)}
  </div>;
}

/** What is the matter with an owner, in few words. */
export const refusals: Record<string, string> = { refused: "Smartsheet does not accept its token any more.", authorize: "its consent is not given yet, or was withdrawn.", suspended: "Smartsheet has locked its account." };

function ToMend({ o }: { o: Overview }) {
  if (o.owners.length === 0 && o.ending.length === 0) return null;
  return <section class="card" id="attention" tabIndex={-1}><div class="cardhead"><h2>Needs attention</h2></div>
    <ul class="todo">
      {o.owners.map((w) => <li key={w.name}><State state={w.state} /><div><a href={href(["owners", w.name])}>Owner {w.name}</a>: {refusals[w.state] ?? w.reason ?? "its access does not work."} <Next action={w.action} />{refusals[w.state] && w.reason && <details><summary>What Smartsheet said</summary><p>{w.reason}</p></details>}</div></li>)}
      {o.ending.map((e) => <li key={e.kind + e.partner + e.name}><State state="warning" text={Date.parse(e.at) < Date.now() ? "ended" : "ends"} />
        <div><a href={href(["partners", e.partner])}>{e.kind === "credentials" ? `Credentials ${e.name} of ${e.partner}` : `Share ${e.partner}/${e.name}`}</a> <When at={e.at} /> <Next action={e.action} /></div></li>)}
    </ul></section>;
}

const wanted = (s: OverviewShare, state: string, text: string) =>
  (state === "" || s.state === state || state === "filter" && s.state === "live" && !!s.attention) &&
  (text === "" || [s.sheetName, s.partner, s.sheet, s.owner].some((v) => v.toLowerCase().includes(text.toLowerCase())));

function Shares({ o, query }: { o: Overview; query: URLSearchParams }) {
  const state = query.get("state") ?? "", text = query.get("q") ?? "";
  if (o.items.length === 0) return null; // the way to the first one is above
  const shown = o.items.filter((s) => wanted(s, state, text));
  return <Card flush title={<>Shares <span class="faint">{shown.length === o.items.length ? number(shown.length) : `${number(shown.length)} of ${number(o.items.length)}`}</span></>}
    aside={<input type="search" aria-label="Find shares" placeholder="Find a sheet or partner" value={text} onInput={(e) => setQuery({ q: e.currentTarget.value })} />}>
    {shown.length === 0 ? <Empty title="No share is like that"><button type="button" onClick={() => setQuery({ state: undefined, q: undefined })}>Show all</button></Empty> :
      <Table stack fixed label="Shares" head={["Sheet → partner", "State", "What leaves", "Complete to", "Read by partner"]}>
        {shown.map((s) => <Line key={s.webhook + s.partner + s.sheet} s={s} />)}
      </Table>}
  </Card>;
}

function Line({ s }: { s: OverviewShare }) {
  return <tr>
    <th scope="row"><span class="sheet"><bdi>{s.sheetName}</bdi></span><ShareLink s={s} /></th>
    <td><State state={s.state} />{(s.attention || s.state === "loading" && s.reason) && <p class="why said">{s.attention || s.reason}</p>}
      {s.progress && <Progress of={s.progress} />}
      {s.attention && <Next action={s.action} />}</td>
    <td class="leaves"><Pill>{s.columnsOf ? `${s.columns} of ${s.columnsOf} columns` : `${s.columns} columns`}</Pill>
      {s.where ? <Pill title={s.where}><Where s={s} /></Pill> : <Where s={s} />}
      {s.masked.length > 0 && <Pill title={s.masked.join(", ")}>{s.masked.length} masked</Pill>}<MayWrite terms={s.write} />
      {s.kinds.filter((k) => k !== "row").map((k) => <Pill key={k}>{k}s</Pill>)}{s.until && <Pill>ends <When at={s.until} /></Pill>}</td>
    <td class="along"><span class="narrow">Complete to </span>{s.completeTo ? <><When at={s.completeTo.time} /><span class="why num">version {s.completeTo.version}</span></> : <span class="faint">not yet</span>}
      {s.backlog !== null && s.backlog > 0 && <p class="why">{plural(s.backlog, "hint")} waiting</p>}</td>
    <td><span class="narrow">Read by partner </span>{s.notReading ? <span class="warned"><When at={s.lastRead} none="never" /></span> : <When at={s.lastRead} none="not connected" />}{s.lag !== null && s.lag > 0 && <p class="why">{plural(s.lag, "message")} behind</p>}</td>
  </tr>;
}
