import { useState } from "preact/hooks";
import type { OverviewShare, Share, Webhook } from "./api";
import { call } from "./client";
import { Act, Card, Empty, number, Page, Pill, Progress, Show, State, Sure, Table, typeOf, useAccess, useCall, When, Where } from "./parts";
import { Next } from "./next";
import { Snippets } from "./partners";
import { Definition, SharePreview } from "./newshare";
import { go, href, setQuery } from "./route";
import { WriteFacts } from "./writing";

export function Sheets() {
  const list = useCall("listWebhooks", {}, 5000);
  const { readOnly } = useAccess();
  return <Page title="Sheets" lead="Sheets that are shared, who gets what of them, and whether Smartsheet tells of their changes." actions={!readOnly && <a class="button primary" href={href(["new"])}>New share</a>}>
    <Show of={list}>{(d) => d.items.length === 0 ? <Empty title="No sheet is shared yet"><p>A share gives one partner some columns and rows of one sheet.</p>{!readOnly && <a class="button primary" href={href(["new"])}>Share a sheet</a>}</Empty> : <>{d.items.toSorted((a, b) => Number(well(a)) - Number(well(b)) || a.sheetName.localeCompare(b.sheetName)).map((w) => <Sheet key={w.id} w={w} done={list.reload} />)}</>}</Show>
  </Page>;
}

const well = (w: Webhook) => good(w.status) && w.shares.every((s) => s.state === "live" || s.state === "loading");

const good = (status: string) => status === "ENABLED" || status === "POLLING";

const statuses: Record<string, string> = { ENABLED: "webhook enabled", POLLING: "polled" };

function Sheet({ w, done }: { w: Webhook; done: () => void }) {
  const path = { id: w.id };
  return <Card title={<bdi>{w.sheetName}</bdi>} aside={<State state={good(w.status) ? "live" : "stale"} text={statuses[w.status] ?? w.status.toLowerCase().replaceAll("_", " ")} />}>
    {w.reason && <p class="way">{w.reason}</p>}
    <dl class="facts"><div><dt>Owner</dt><dd><a href={href(["owners", w.owner])}>{w.owner}</a></dd></div><div><dt>Sheet</dt><dd><code>{w.sheetId}</code></dd></div><div><dt>Version</dt><dd class="num">{w.sheetVersion ?? "–"}</dd></div>
      <div><dt>Last callback</dt><dd><When at={w.lastCallback} none="none known" /></dd></div><div><dt>Last compared</dt><dd><When at={w.lastReconcile} none="not yet" /></dd></div><div><dt>Hints waiting</dt><dd class="num">{number(w.backlog)}</dd></div></dl>
    <ul class="shares">{w.shares.map((s) => <li key={s.partner + s.sheet}><State state={s.state} /><a href={href(["shares", w.id, s.partner, s.sheet])}>{s.partner}/{s.sheet}</a> <span class="faint">{s.columns.length}{s.sheetColumns ? ` of ${s.sheetColumns}` : ""} columns</span><Where s={s} /></li>)}</ul>
    <div class="buttons"><a class="button" href={href(["new"], { owner: w.owner, sheet: w.sheetId })}>Share with another partner</a>
      <Act label="Compare now" run={() => call("reconcileWebhook", { path })} done={done} title="Reads the whole sheet even if its version has not moved" />
      {w.webhookId && <>{!good(w.status) && <Act label="Enable the webhook" run={() => call("enableWebhook", { path })} done={done} />}<Act label="Replace its secret" run={() => call("rotateSecret", { path })} title="The old one is accepted for an hour more" /></>}
      <Sure label="End all shares" name={w.sheetName} what={<>All shares of <bdi>{w.sheetName}</bdi> end, what was published is removed from the partners' streams, and the webhook is deleted.</>} run={() => call("deleteWebhook", { path })} done={done} /></div>
  </Card>;
}

export function SharePage({ id, partner, sheet, query }: { id: string; partner: string; sheet: string; query: URLSearchParams }) {
  const webhook = useCall("getWebhook", { path: { id } }, 5000);
  const who = useCall("getPartner", { path: { name: partner } });
  const all = useCall("getOverview", {}, 10000);
  const line = all.data?.items.find((x) => x.webhook === id && x.partner === partner && x.sheet === sheet);
  const path = { id, partner, sheet };
  const { readOnly } = useAccess();
  const editing = query.get("edit") === "1" && !readOnly;
  return <Page title={`${partner}/${sheet}`} actions={<><a class="button" href={href(["live"], { partner, sheet })}>Watch live</a>{!readOnly && !editing && <button type="button" onClick={() => setQuery({ edit: "1" })}>Change</button>}
    <Sure label="Publish again" name={`${partner}/${sheet}`} what="What was published of the share is removed from the partner's stream, its history too. Then the sheet is published again as it is now." run={() => call("resendShare", { path })} done={webhook.reload} />
    <Sure label="End the share" name={`${partner}/${sheet}`} what="The partner is told, and what was published of it is removed from its stream." run={() => call("endShare", { path })} done={() => go(["sheets"])} /></>}>
    <Show of={webhook}>{(w) => {
      const s = w.shares.find((x) => x.partner === partner && x.sheet === sheet);
      if (!s) return <Empty title="There is no such share"><p>It has ended, or the address is not whole.</p><a class="button" href={href(["sheets"])}>All sheets</a></Empty>;
      return <>
        <Standing w={w} s={s} line={line} done={() => { webhook.reload(); all.reload(); }} />
        {editing ? <Definition owner={w.owner} sheetId={w.sheetId} share={s} webhook={w.id} done={() => { setQuery({ edit: undefined }); webhook.reload(); }} /> : <><Leaves s={s} />{!readOnly && <Gets key={s.revision} w={w} s={s} />}<WriteFacts terms={s.write} partner={s.partner} owner={w.owner} /></>}
        <ExplainForm id={id} partner={partner} sheet={sheet} />
        {!readOnly && <Erase path={path} />}
        {who.data && <Card title="For its developers" aside={!readOnly && !who.data.external && <a class="button small" href={href(["partners", partner])}>Invite the partner</a>}><Snippets url={who.data.url} subjects={`smartsheet.${partner}.${sheet}.>`} /></Card>}
      </>;
    }}</Show>
  </Page>;
}

function Standing({ w, s, line, done }: { w: Webhook; s: Share; line?: OverviewShare; done: () => void }) {
  const why = line?.attention || s.reason;
  return <Card title={<bdi>{w.sheetName}</bdi>} aside={<State state={s.state} />}>{why && <p class="way">{why} {line?.attention && <Next action={line.action} done={done} />}</p>}
    <dl class="facts"><div><dt>Complete to</dt><dd>{s.completeTo ? <><span class="num">version {s.completeTo.version}</span>, <When at={s.completeTo.time} /></> : "not yet"}</dd></div><div><dt>Revision</dt><dd class="num">{s.revision}</dd></div>
      <div><dt>Owner</dt><dd><a href={href(["owners", w.owner])}>{w.owner}</a></dd></div><div><dt>Partner</dt><dd><a href={href(["partners", s.partner])}>{s.partner}</a></dd></div><div><dt>Hints waiting</dt><dd class="num">{number(w.backlog)}</dd></div><div><dt>Last read by {s.partner}</dt><dd>{line ? <When at={line.lastRead} none="not connected" /> : "–"}</dd></div>
      {s.progress && <div><dt>First load</dt><dd><Progress of={s.progress} /></dd></div>}{s.until && <div><dt>Ends</dt><dd><When at={s.until} /></dd></div>}
      {s.filter && <div><dt>Rows shown</dt><dd class="num">{number(s.filter.shown)} of {number(s.filter.rows)}{s.filter.failed > 0 && <span class="error"> · {number(s.filter.failed)} fail</span>}</dd></div>}</dl></Card>;
}

/** Gets shows the very events that the partner gets of the first rows. */
function Gets({ w, s }: { w: Webhook; s: Share }) {
  const [asked, ask] = useState(false);
  if (asked) return <SharePreview owner={w.owner} sheetId={w.sheetId} share={s} />;
  return <Card title={`What ${s.partner} gets`} aside={<button type="button" class="small" onClick={() => ask(true)}>Show the first rows</button>}><p>Rows as the partner sees them, the very events, and their schema. Nothing is published by looking; it is in the audit log.</p></Card>;
}

function Leaves({ s }: { s: Share }) {
  return <Card flush title="What leaves" aside={<span class="faint">{s.columns.length}{s.sheetColumns ? ` of ${s.sheetColumns}` : ""} columns</span>}><div class="pad"><p>{s.where && "Rows for which "}<Where s={s} />{s.kinds.filter((k) => k !== "row").map((k) => <Pill key={k}>{k}s</Pill>)}</p></div>
    <Table label="Columns that are shared" head={["Column", "Field", "Type", "Mask"]}>{s.columns.map((c) => <tr key={c.columnId}><th scope="row"><bdi>{c.title}</bdi></th><td><code>{c.as}</code></td><td class="faint">{typeOf(c.type)}</td><td>{c.mask ? <Pill>{c.mask === "hash" ? "hashed" : "redacted"}</Pill> : "–"}</td></tr>)}</Table></Card>;
}

/** Erase takes one row out of the partner's stream. */
function Erase({ path }: { path: { id: string; partner: string; sheet: string } }) {
  const [row, set] = useState(""), [said, say] = useState("");
  return <Card title="Erase a row"><p>The row, its history and what hangs on it are removed from the partner's stream, and stay away until the row changes at Smartsheet.</p>
    <div class="inline"><div class="field"><label for="eraserow">Row id</label><input id="eraserow" value={row} onInput={(e) => { set(e.currentTarget.value.trim()); say(""); }} autocomplete="off" /></div>
      {/^\d+$/.test(row) && <Sure label="Erase the row" name={row} what={<>Row {row} leaves the stream of {path.partner}. What the partner has read cannot be recalled.</>} run={() => call("eraseRow", { path, body: { row } })} done={() => { say(`Row ${row} is being erased.`); set(""); }} />}</div>
    {said && <p class="good" role="status">{said}</p>}</Card>;
}

function ExplainForm({ id, partner, sheet }: { id: string; partner: string; sheet: string }) {
  const [row, set] = useState("");
  return <Card title="Why does the partner have a row, or not?"><form class="inline" onSubmit={(e) => { e.preventDefault(); go(["explain"], { webhook: id, partner, sheet, row }); }}>
    <div class="field"><label for="explainrow">Row id or link</label><input id="explainrow" value={row} onInput={(e) => set(e.currentTarget.value)} autocomplete="off" /></div><button disabled={row.trim() === ""}>Explain</button></form></Card>;
}
