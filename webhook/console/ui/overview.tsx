import type { Overview, OverviewShare } from "./api";
import { Next } from "./next";
import { Card, Empty, number, Page, Pill, Progress, Shape, ShareLink, Show, State, Table, useAccess, useCall, When, Where } from "./parts";
import { href, setQuery } from "./route";
import { MayWrite } from "./writing";

type Counted = [string, string, number | null, string]; // key, label, number, state

export function OverviewPage({ query }: { query: URLSearchParams }) {
  const overview = useCall("getOverview", {}, 5000);
  const { readOnly } = useAccess();
  return <Page title="Overview" lead="What is shared, and whether it gets there." actions={!readOnly && !!overview.data && overview.data.counts.owners > 0 && overview.data.counts.partners > 0 && <a class="button primary" href={href(["new"])}>New share</a>}>
    <Show of={overview}>{(o) => <>
      <Start o={o} />
      <Counts o={o} query={query} />
      <ToMend o={o} />
      <Shares o={o} query={query} />
    </>}</Show>
  </Page>;
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
  const links: [string, number | null, string][] = [["Owners to act on", c.ownersToMend, href(["owners"], { state: "bad" })], ["Ending soon", c.ending, href(["overview"], { show: "ending" })], ["Given up", c.dead, href(["dead"])]];
  return <div class="counts" role="group" aria-label="Shares by state">
    {filters.map(([key, label, n, state]) => <button type="button" key={key} class={"count is-" + state + (n === 0 ? " none" : "")} aria-pressed={chosen === key}
      onClick={() => setQuery({ state: chosen === key ? undefined : key })}><strong>{number(n)}</strong><span><Shape state={state} />{label}</span></button>)}
    {links.filter(([, n]) => n !== 0).map(([label, n, to]) => <a key={label} class="count is-warning" href={to}><strong>{number(n)}</strong><span><Shape state="warning" />{label}</span></a>)}
  </div>;
}

/** What is the matter with an owner, in few words. */
const refusals: Record<string, string> = { refused: "Smartsheet does not accept its token any more.", authorize: "its consent is not given yet, or was withdrawn.", suspended: "Smartsheet has locked its account." };

function ToMend({ o }: { o: Overview }) {
  if (o.owners.length === 0 && o.ending.length === 0) return null;
  return <Card title="To see to">
    <ul class="todo">
      {o.owners.map((w) => <li key={w.name}><State state={w.state} /><span><a href={href(["owners", w.name])}>Owner {w.name}</a>: {refusals[w.state] ?? w.reason ?? "its access does not work."} <Next action={w.action} />{refusals[w.state] && w.reason && <details><summary>What Smartsheet said</summary><p>{w.reason}</p></details>}</span></li>)}
      {o.ending.map((e) => <li key={e.kind + e.partner + e.name}><State state="warning" text={Date.parse(e.at) < Date.now() ? "ended" : "ends"} />
        <span><a href={href(["partners", e.partner])}>{e.kind === "credentials" ? `Credentials ${e.name} of ${e.partner}` : `Share ${e.partner}/${e.name}`}</a> <When at={e.at} /> <Next action={e.action} /></span></li>)}
    </ul></Card>;
}

const wanted = (s: OverviewShare, state: string, text: string) =>
  (state === "" || s.state === state || state === "filter" && s.state === "live" && !!s.attention) &&
  (text === "" || [s.sheetName, s.partner, s.sheet, s.owner].some((v) => v.toLowerCase().includes(text.toLowerCase())));

function Shares({ o, query }: { o: Overview; query: URLSearchParams }) {
  const state = query.get("state") ?? "", text = query.get("q") ?? "";
  if (o.items.length === 0) return o.counts.owners > 0 ? <Empty title="Nothing is shared yet"><p>A share gives one partner some columns and rows of one sheet.</p></Empty> : null;
  const shown = o.items.filter((s) => wanted(s, state, text));
  return <Card flush title={<>Shares <span class="faint">{shown.length === o.items.length ? number(shown.length) : `${number(shown.length)} of ${number(o.items.length)}`}</span></>}
    aside={<input type="search" aria-label="Find shares" placeholder="Find a sheet or partner" value={text} onInput={(e) => setQuery({ q: e.currentTarget.value })} />}>
    {shown.length === 0 ? <Empty title="No share is like that"><button type="button" onClick={() => setQuery({ state: undefined, q: undefined })}>Show all</button></Empty> :
      <Table stack label="Shares" head={["Sheet → partner", "State", "What leaves", "Complete to", "Read by partner"]}>
        {shown.map((s) => <Line key={s.webhook + s.partner + s.sheet} s={s} />)}
      </Table>}
  </Card>;
}

function Line({ s }: { s: OverviewShare }) {
  return <tr>
    <th scope="row"><span class="sheet"><bdi>{s.sheetName}</bdi></span><ShareLink s={s} /></th>
    <td><State state={s.state} />{(s.attention || s.state === "loading" && s.reason) && <p class="why">{s.attention || s.reason}</p>}
      {s.progress && <Progress of={s.progress} />}
      {s.attention && <Next action={s.action} />}</td>
    <td class="leaves"><Pill>{s.columnsOf ? `${s.columns} of ${s.columnsOf} columns` : `${s.columns} columns`}</Pill>
      {s.where ? <Pill title={s.where}><Where s={s} /></Pill> : <Where s={s} />}
      {s.masked.length > 0 && <Pill title={s.masked.join(", ")}>{s.masked.length} masked</Pill>}<MayWrite terms={s.write} />
      {s.kinds.filter((k) => k !== "row").map((k) => <Pill key={k}>{k}s</Pill>)}{s.until && <Pill>ends <When at={s.until} /></Pill>}</td>
    <td>{s.completeTo ? <><span class="num">v{s.completeTo.version}</span> <When at={s.completeTo.time} /></> : <span class="faint">not yet</span>}
      {s.backlog !== null && s.backlog > 0 && <p class="why">{number(s.backlog)} waiting</p>}</td>
    <td><When at={s.lastRead} none="no reader now" />{s.lag !== null && s.lag > 0 && <p class="why">{number(s.lag)} behind</p>}</td>
  </tr>;
}
