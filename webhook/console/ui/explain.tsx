import { useState } from "preact/hooks";
import type { Explanation } from "./api";
import { call } from "./client";
import { WouldWrite } from "./explainwrite";
import { Next, Prose } from "./next";
import { Act, Card, Choice, Empty, Page, Pill, Show, State, Table, Text, useCall, Value, When, Where } from "./parts";
import { href, setQuery } from "./route";

/** rowOf is the id in a row's link, or the text itself. */
const rowOf = (text: string) => /rowId=(\d+)/.exec(text)?.[1] ?? /row[./](\d+)/.exec(text)?.[1] ?? text.trim();

export function Explain({ query }: { query: URLSearchParams }) {
  const id = query.get("webhook") ?? "", partner = query.get("partner") ?? "", sheet = query.get("sheet") ?? "", row = query.get("row") ?? "";
  const all = useCall("getOverview");
  const [typed, type] = useState(row);
  const asked = rowOf(row);
  const found = useCall(id && partner && sheet && asked ? "explainRow" : null, { path: { id, partner, sheet, row: asked } });
  const chosen = id ? [id, partner, sheet].join(" ") : "";
  return <Page title="Explain" lead="Why a partner has a row, or has not. Nothing is published by asking.">
    <Card><form class="form row" onSubmit={(e) => { e.preventDefault(); setQuery({ row: typed }); }}>
      <Choice label="Share" value={chosen} set={(v) => { const [w, p, s] = v.split(" "); setQuery({ webhook: w, partner: p, sheet: s }); }} options={[["", "Choose"], ...(all.data?.items ?? []).map((s): [string, string] => [[s.webhook, s.partner, s.sheet].join(" "), `${s.partner}/${s.sheet} (${s.sheetName})`])]} />
      <Text label="Row" value={typed} set={type} placeholder="7129509179746180" hint="Its id, its link from Smartsheet, or a subject." />
      <div class="buttons"><button class="primary" disabled={chosen === "" || typed.trim() === ""}>Explain</button></div></form></Card>
    {asked && id ? <Show of={found}>{(x) => <Why x={x} id={id} again={found.reload} />}</Show> : <Empty title="Choose a share and a row"><p>Paste the link of a row from Smartsheet, or open an event in <a href={href(["live"])}>Live</a> and choose Explain this row.</p></Empty>}
    {id && partner && sheet && <WouldWrite key={chosen + asked} path={{ id, partner, sheet }} row={asked} />}
  </Page>;
}

const tone = (x: Explanation) => /^(sent:|taken back|not sent:|hidden)/.test(x.verdict) && x.steps.length === 0 ? "ok" : "warning";

function Why({ x, id, again }: { x: Explanation; id: string; again: () => void }) {
  return <><Card><p class="verdict"><State state={tone(x)} text="" /><span><Prose text={x.verdict} /></span></p>
      {x.steps.length > 0 && <ul class="plain">{x.steps.map((s) => <li key={s}><Prose text={s} /></li>)}</ul>}
      <div class="buttons">{x.action && <Next action={x.action} done={again} />}{!x.action?.path.endsWith("/reconcile") && <Act label="Compare the sheet now" run={() => call("reconcileWebhook", { path: { id } })} done={again} />}</div></Card>
    <Card title="How it stands"><dl class="facts"><div><dt>The row at Smartsheet</dt><dd>{x.source.state === "there" ? <>row {x.source.number}, changed <When at={x.source.modifiedAt} none="at an unknown time" /></> : x.source.state === "gone" ? "not in the sheet" : x.source.reason}</dd></div>
      <div><dt>Filter</dt><dd>{x.filter.where ? <><Where s={x.filter} /> <Pill tone={x.filter.result === "fails" ? "warn" : ""}>{x.filter.result}</Pill></> : "none: every row"}</dd></div>
      <div><dt>Last event</dt><dd>{x.last ? <>{x.last.type.replace("sheetbridge.", "")} <span class="faint">message {x.last.sequence}, version {x.last.version}</span></> : "none"}</dd></div>
      <div><dt>Share</dt><dd><a href={href(["shares", id, x.partner, x.sheet])}>{x.partner}/{x.sheet}</a> <State state={x.state} /></dd></div></dl></Card>
    <Card flush title="Fields"><Table label="Fields of the row" head={["Field", "Column", "Value", ""]}>{x.cells.map((c) => <tr key={c.as}><th scope="row"><code>{c.as}</code></th><td><bdi>{c.title}</bdi>{c.column === "deleted" && <Pill tone="warn">deleted</Pill>}</td><td class="wide"><Value of={c.value} />{c.mask && <Pill>{c.mask === "hash" ? "hashed" : "redacted"}</Pill>}</td><td>{x.differs.includes(c.as) && <State state="warning" text="differs" />}</td></tr>)}</Table></Card></>;
}
