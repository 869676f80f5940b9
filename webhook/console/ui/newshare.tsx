import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { NewColumn, Preview, Previews, Share, Sheet, SheetColumn, TriedRow, Webhook } from "./api";
import { call } from "./client";
import type { Problem } from "./client";
import { asProblem, Card, Choice, Code, Empty, Field, number, Page, Pill, plural, ProblemBox, Rest, Show, Table, Text, typeOf, useAccess, useAct, useCall, Value, Waiting } from "./parts";
import { go, href, setQuery } from "./route";
import { allowed, termsOf, WritingForm, writingOf } from "./writing";

export function NewShare({ query }: { query: URLSearchParams }) {
  const owners = useCall("listOwners"), partners = useCall("listPartners");
  const { readOnly } = useAccess();
  const owner = query.get("owner") ?? "", sheet = query.get("sheet") ?? "", partner = query.get("partner") ?? "";
  const usable = owners.data?.items.filter((o) => o.state === "ok") ?? [];
  const chosen = owner || (usable.length === 1 ? usable[0].name : "");
  const to = partner || (partners.data?.items.length === 1 ? partners.data.items[0].name : "");
  if (readOnly) return <Page title="New share"><Empty title="This token may only read"><p>Sign in with one without <code>:ro:</code> to share a sheet.</p></Empty></Page>;
  return <Page title="New share" lead="One partner, one sheet: the columns you tick, the rows that pass the filter, and nothing else.">
    <Show of={owners}>{() => <Show of={partners}>{(p) => usable.length === 0 ? <Empty title="First add an owner"><p>A Smartsheet user in whose name the sheet is read.</p><a class="button primary" href={href(["owners"], { new: "1" })}>Add an owner</a></Empty> :
      p.items.length === 0 ? <Empty title="First add a partner"><p>The company that is to receive the rows.</p><a class="button primary" href={href(["partners"], { new: "1" })}>Add a partner</a></Empty> : <>
        <Card title="From whom, to whom"><div class="form row">
          <Choice label="Owner" value={chosen} set={(v) => setQuery({ owner: v, sheet: undefined })} options={[["", "Choose"], ...usable.map((o): [string, string] => [o.name, `${o.name} (${o.email})`])]} />
          <Choice label="Partner" value={to} set={(v) => setQuery({ partner: v })} options={[["", "Choose"], ...p.items.map((x): [string, string] => [x.name, x.name])]} /></div></Card>
        {chosen && <SheetPicker owner={chosen} sheet={sheet} />}
        {chosen && sheet && to && <Definition key={chosen + sheet + to} owner={chosen} sheetId={sheet} partner={to} done={(w) => go(["shares", w!.id, to, w!.shares.filter((s) => s.partner === to).at(-1)!.sheet])} />}
      </>}</Show>}</Show>
  </Page>;
}

function SheetPicker({ owner, sheet }: { owner: string; sheet: string }) {
  const list = useCall("listOwnerSheets", { path: { name: owner } });
  const [text, find] = useState("");
  return <Card title="Sheet"><Show of={list}>{(d) => {
    const is = d.items.find((s) => s.id === sheet);
    if (is) return <p class="chosen"><strong><bdi>{is.name}</bdi></strong> <Pill>{is.permission.toLowerCase()}</Pill> <button type="button" class="small" onClick={() => setQuery({ sheet: undefined })}>Another sheet</button></p>;
    const shown = d.items.filter((s) => s.name.toLowerCase().includes(text.toLowerCase()) || s.id === text.trim());
    return <><Text label="Find a sheet by its name" type="search" value={text} set={find} hint={`${plural(d.items.length, "sheet")} that ${owner} can read`} />
      {shown.length === 0 ? <Empty title="No sheet has that name"><p>{owner} sees only sheets that are shared with its user at Smartsheet.</p></Empty> : <ul class="pick">{shown.slice(0, 50).map((s: Sheet) => <li key={s.id}><button type="button" onClick={() => setQuery({ sheet: s.id })}><bdi>{s.name}</bdi><span class="faint">{s.permission.toLowerCase()}</span></button></li>)}</ul>}
      {shown.length > 50 && <p class="faint">and {number(shown.length - 50)} more: type more of the name</p>}</>;
  }}</Show></Card>;
}

interface Picked { on: boolean; as: string; mask: "" | "hash" | "redact" }

/** Definition is what a share shows, being made or changed, with what that means tried all the time. */
export function Definition({ owner, sheetId, partner, share, webhook, done }: { owner: string; sheetId: string; partner?: string; share?: Share; webhook?: string; done: (w?: Webhook) => void }) {
  const sheet = useCall("listSheetColumns", { path: { name: owner, id: sheetId } });
  return <Show of={sheet}>{(d) => <Form owner={owner} sheetId={sheetId} columns={d.items} sheetName={d.name} partner={partner ?? share!.partner} share={share} webhook={webhook} done={done} />}</Show>;
}

function Form({ owner, sheetId, columns, sheetName, partner, share, webhook, done }: { owner: string; sheetId: string; columns: SheetColumn[]; sheetName: string; partner: string; share?: Share; webhook?: string; done: (w?: Webhook) => void }) {
  const slug = sheetName.toLowerCase().normalize("NFKD").replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 32).replace(/-+$/, "") || "sheet";
  const [picked, pick] = useState<Record<string, Picked>>(() => Object.fromEntries(columns.map((c) => {
    const has = share?.columns.find((s) => s.columnId === c.id);
    return [c.id, { on: !!has, as: has?.as ?? c.as, mask: (has?.mask ?? "") as "" }];
  })));
  const [name, setName] = useState(share?.sheet ?? slug), [where, setWhere] = useState(share?.where ?? ""), [kinds, setKinds] = useState<string[]>(share?.kinds ?? ["row"]);
  const [until, setUntil] = useState(share?.until?.slice(0, 10) ?? ""), [mover, setMover] = useState("");
  const owners = useCall("listOwners");
  const [writing, setWriting] = useState(() => writingOf(share?.write, share?.columns));
  const [consent, setConsent] = useState<Record<string, unknown>>({});
  const { busy, problem, act } = useAct();
  const chosen: NewColumn[] = columns.filter((c) => picked[c.id].on).map((c) => ({ columnId: c.id, as: picked[c.id].as, ...(picked[c.id].mask && { mask: picked[c.id].mask as "hash" }) }));
  const write = termsOf(writing, chosen);
  const idle = !!write && allowed(write).length === 0; // writing is on, and nothing is allowed yet
  const definition = { columns: chosen, ...(write && { write }), ...(where.trim() && { where }), kinds: kinds as "row"[], ...(until && { until: until === share?.until?.slice(0, 10) ? share.until : until + "T23:59:59Z" }) };
  const trial = useTrial(owner, sheetId, { ...definition, ...(idle && { write: undefined }), partner, sheet: name });
  const said = problem ?? trial.problem;
  const at = (field: string) => said?.fields["shares[0]." + field] ?? said?.fields[field];
  const wrong = (field: string) => Object.entries(said?.fields ?? {}).find(([f]) => { const own = f.replace("shares[0].", ""); return own === field || own.startsWith(field + "[") || own.startsWith(field + "."); })?.[1];
  const columnError = Object.entries(said?.fields ?? {}).find(([f]) => /^(shares\[0\]\.)?columns/.test(f))?.[1];
  const send = () => act(async () => {
    if (share) { await call("changeShare", { path: { id: webhook!, partner, sheet: share.sheet }, body: { ...definition, ...consent, ...(mover && { owner: mover }) } }); return undefined; }
    return (await call("registerSheet", { body: { owner, sheetId, shares: [{ ...definition, ...consent, partner, sheet: name }] } })) as Webhook;
  }, done);
  const ready = chosen.length > 0 && !idle && !trial.problem;
  return <form class="define" onSubmit={(e) => { e.preventDefault(); send(); }}>
    <Card flush title="Columns" aside={<span class={chosen.length === columns.length ? "warned" : "faint"}>{chosen.length} of {columns.length} leave</span>}>
      <Table label="Columns of the sheet" head={["Share", "Column", "Type", "Samples", "Field", "Mask"]}>{columns.map((c) => {
        const p = picked[c.id], put = (change: Partial<Picked>) => pick({ ...picked, [c.id]: { ...p, ...change } });
        return <tr key={c.id} class={p.on ? "" : "off"}><td><input type="checkbox" aria-label={`Share ${c.title}`} checked={p.on} onChange={(e) => put({ on: e.currentTarget.checked })} /></td>
          <th scope="row"><bdi>{c.title}</bdi>{c.system && <Pill>system</Pill>}</th><td class="faint">{typeOf(c.type)}</td>
          <td class="samples">{c.samples.map((s, i) => <Value key={i} of={s} />)}</td>
          <td><input aria-label={`Field of ${c.title}`} value={p.as} disabled={!p.on} onInput={(e) => put({ as: e.currentTarget.value })} spellcheck={false} /></td>
          <td><select aria-label={`Mask of ${c.title}`} value={p.mask} disabled={!p.on} onChange={(e) => put({ mask: e.currentTarget.value as "" })}><option value="">as it is</option><option value="hash">hashed</option><option value="redact">redacted</option></select></td></tr>;
      })}</Table>{columnError && <p class="error pad" role="alert">{columnError}</p>}</Card>
    <Card title="Rows" aside={where.trim() === "" ? <Pill tone="warn">all rows leave</Pill> : undefined}>
      <Field label="Filter" error={at("where")} hint={<>An expression over the fields, as in <code>status != 'Draft'</code>, or over any column of the sheet: <code>cells["Region"] == 'EU'</code>, or over the partner's attributes: <code>region == partner.region</code>. Empty: every row.</>}>{(a) =>
        <textarea {...a} rows={2} value={where} onInput={(e) => { setWhere(e.currentTarget.value); setConsent({}); }} spellcheck={false} />}</Field>
      <Trial of={trial} />
      <fieldset class="kinds"><legend>Beside the rows</legend>{["attachment", "comment"].map((k) => <label class="check" key={k}><input type="checkbox" checked={kinds.includes(k)} onChange={(e) => setKinds(e.currentTarget.checked ? [...kinds, k] : kinds.filter((x) => x !== k))} /> {k}s</label>)}</fieldset>
    </Card>
    <WritingForm partner={partner} owner={owner} columns={columns} shared={chosen} owners={owners.data?.items ?? []} value={writing} set={setWriting} wrong={wrong} />
    <Card title="Until"><div class="form row"><Field label="It ends by itself after" error={at("until")} hint="Empty: it does not.">{(a) => <input {...a} type="date" value={until} onInput={(e) => setUntil(e.currentTarget.value)} />}</Field>
      {share && owners.data && owners.data.items.length > 1 && <Choice label="Read in the name of" value={mover} set={setMover} error={at("owner")} options={[["", `${owner}, as now`], ...owners.data.items.filter((o) => o.name !== owner).map((o): [string, string] => [o.name, o.name])]} />}</div></Card>
    {!share && <Card title="Name"><Text label="The partner's name for the sheet" value={name} set={setName} error={at("sheet")} hint={<>Its subjects are <code>smartsheet.{partner}.{name}.&gt;</code></>} /></Card>}
    <VeryEvents of={trial} partner={partner} />
    <Rest problem={problem} known={[...Object.keys(problem?.fields ?? {}).filter((f) => /^(shares\[0\]\.)?write/.test(f)), "shares[0].where", "where", "until", "shares[0].until", "owner", "shares[0].sheet", "sheet"]} />
    {problem?.action?.add && <label class="check"><input type="checkbox" checked={Object.keys(consent).length > 0} onChange={(e) => setConsent(e.currentTarget.checked ? problem.action!.add! : {})} /> Do it even so</label>}
    <div class="buttons sticky"><button class="primary" disabled={busy || !ready}>{busy ? (share ? "Changing…" : "Sharing: Smartsheet verifies the webhook…") : share ? "Change the share" : `Share with ${partner}`}</button>
      {share && <button type="button" onClick={() => done()}>Cancel</button>}{chosen.length === 0 && <span class="faint">Tick at least one column.</span>}</div>
  </form>;
}

/** SharePreview is what a share that is there shows now. */
export function SharePreview({ owner, sheetId, share }: { owner: string; sheetId: string; share: Share }) {
  const trial = useTrial(owner, sheetId, { columns: share.columns.map((c) => ({ columnId: c.columnId, as: c.as, ...(c.mask && { mask: c.mask as "hash" }) })), ...(share.where && { where: share.where }), kinds: share.kinds, partner: share.partner, sheet: share.sheet });
  return trial.problem ? <ProblemBox problem={trial.problem} /> : trial.preview ? <VeryEvents of={trial} partner={share.partner} /> : <Waiting text="Reading the first rows…" />;
}

interface Tried { preview?: Preview; problem?: Problem; busy: boolean }

/** useTrial asks what a share would show, a moment after its definition was last changed. */
function useTrial(owner: string, sheetId: string, share: { columns: NewColumn[]; where?: string; kinds?: string[]; partner: string; sheet: string }): Tried {
  const [tried, set] = useState<Tried>({ busy: false });
  const key = JSON.stringify(share), first = useRef(true);
  useEffect(() => {
    if (share.columns.length === 0) { set({ busy: false }); return; }
    const stop = new AbortController();
    set((was) => ({ ...was, busy: true }));
    const timer = setTimeout(() => {
      call("registerSheet", { query: { dryRun: true }, body: { owner, sheetId, shares: [share as never] }, signal: stop.signal }).then(
        (a) => set({ preview: (a as Previews).shares[0], busy: false }),
        (e) => { if (!stop.signal.aborted) set({ problem: asProblem(e), busy: false }); });
    }, first.current ? 0 : 400);
    first.current = false;
    return () => { clearTimeout(timer); stop.abort(); };
  }, [key]);
  return tried;
}

function Trial({ of }: { of: Tried }) {
  if (!of.preview) return <p class="faint" role="status">{of.busy ? "Trying it on the rows…" : of.problem ? (Object.keys(of.problem.fields).length === 0 ? of.problem.detail : "") : "Tick columns to see which rows leave."}</p>;
  const f = of.preview.filter;
  return <div class={"trial" + (of.busy ? " busy" : "")} role="status" aria-live="polite">
    <meter class="hidden" min={0} max={Math.max(1, f.rows)} value={f.shown} aria-label="Rows that leave" />
    <svg class="bar" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true"><rect class="shown" width={100 * f.shown / Math.max(1, f.rows)} height="4" /><rect class="failed" x={100 * (f.rows - f.failed) / Math.max(1, f.rows)} width={100 * f.failed / Math.max(1, f.rows)} height="4" /></svg>
    <p><strong>{number(f.shown)}</strong> of {plural(f.rows, "row")} {f.rows === 1 ? "leaves" : "leave"} · {number(f.hidden)} hidden{f.failed > 0 && <> · <span class="error">{number(f.failed)} cannot be evaluated</span></>}{!f.complete && <span class="faint"> (the first {number(f.rows)} of {number(f.total)})</span>}</p>
    {f.shown === 0 && f.rows > 0 && <p class="warned">No row would be shown.</p>}
    {f.failedRows.length > 0 && <Rows title="Rows on which it cannot be evaluated" rows={f.failedRows} open />}
    {f.hiddenRows.length > 0 && <Rows title="Rows that it hides" rows={f.hiddenRows} />}
  </div>;
}

const Rows = ({ title, rows, open }: { title: string; rows: TriedRow[]; open?: boolean }) => <details open={open}><summary>{title}</summary><ul class="tried">{rows.map((r) => <li key={r.row}><span class="faint">row {r.number}</span>{r.error && <span class="error">{r.error}</span>}<span class="fields">{Object.entries(r.fields).map(([k, v]) => <span key={k}><code>{k}</code> <Value of={v} /></span>)}</span></li>)}</ul></details>;

function VeryEvents({ of, partner }: { of: Tried; partner: string }) {
  const [at, set] = useState(0);
  const p = of.preview;
  const schema = useMemo(() => (p ? JSON.stringify(p.schema, null, 2) : ""), [p]);
  if (!p) return null;
  const event = p.events[Math.min(at, p.events.length - 1)];
  const fields = Object.keys(p.sample[0] ?? {});
  return <Card flush title={`What ${partner} gets`} aside={p.sample.length > 0 && <span class="faint">{p.sample.length === 1 ? "the first row" : `the first ${number(p.sample.length)} rows`}</span>}>
    {p.sample.length === 0 ? <Empty title="No row would leave"><p>With this filter the partner gets nothing until a row passes it.</p></Empty> : <><Table label="Rows as the partner sees them" head={fields}>{p.sample.map((row, i) => <tr key={i}>{fields.map((f) => <td key={f} class="wide"><Value of={row[f]} /></td>)}</tr>)}</Table>
      <div class="pad"><details><summary>The very events</summary><div class="tabs" role="group" aria-label="Events">{p.events.map((_, i) => <button type="button" key={i} aria-pressed={i === at} onClick={() => set(i)}>{i + 1}</button>)}</div>{event && <Code label="Event" text={JSON.stringify(event, null, 2)} />}</details>
        <details><summary>Schema</summary><Code label="Schema" text={schema} /></details></div></>}
  </Card>;
}
