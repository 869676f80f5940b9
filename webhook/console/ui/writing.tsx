import { useId } from "preact/hooks";
import type { NewColumn, Owner, SheetColumn, WriteTerms } from "./api";
import { Card, Choice, Field, number, Pill, Table, Text } from "./parts";

/** What a form says of a partner's writes. Columns are named by their ids, since their fields may get other names. */
export interface Writing { on: boolean; update: string[]; create: string[]; key: string; delete: boolean; check: string; leaveView: boolean; perMinute: string; owner: string }

export function writingOf(terms: WriteTerms | undefined, columns: { columnId: string; as: string }[] = []): Writing {
  const ids = (names: string[] = []) => columns.filter((c) => names.includes(c.as)).map((c) => c.columnId);
  return { on: !!terms, update: ids(terms?.update), create: ids(terms?.create?.columns), key: ids(terms?.create ? [terms.create.key] : [])[0] ?? "", delete: !!terms?.delete,
    check: terms?.check ?? "", leaveView: !!terms?.leaveView, perMinute: terms?.perMinute ? String(terms.perMinute) : "", owner: terms?.owner ?? "" };
}

/** termsOf is what the form says, of the columns that are shared. */
export function termsOf(w: Writing, shared: NewColumn[]): WriteTerms | undefined {
  if (!w.on) return undefined;
  const names = (ids: string[]) => shared.filter((c) => ids.includes(c.columnId!) && !c.mask).map((c) => c.as!);
  const update = names(w.update), create = names(w.create), key = names([w.key])[0] ?? "";
  return { ...(update.length > 0 && { update }), ...(create.length > 0 && { create: { columns: create, key } }), ...(w.delete && { delete: true }), ...(w.check.trim() && { check: w.check }),
    ...(w.leaveView && { leaveView: true }), ...(w.perMinute && { perMinute: Number(w.perMinute) }), ...(w.owner && { owner: w.owner }) };
}

const list = (names: string[]) => names.length > 1 ? names.slice(0, -1).join(", ") + " and " + names.at(-1) : names[0] ?? "";

/** Fields names fields in a sentence. */
const Fields = ({ of }: { of: string[] }) => <>{of.map((f, i) => <>{i > 0 && (i === of.length - 1 ? " and " : ", ")}<code>{f}</code></>)}</>;

/** allowed are the things that terms allow, each in a few words. */
export function allowed(t: WriteTerms): string[] {
  const may: string[] = [];
  if (t.update?.length) may.push("set " + list(t.update));
  if (t.create) may.push("add rows");
  if (t.delete) may.push("delete rows");
  return may;
}

/** MayWrite says in one pill whether a partner may change the sheet. */
export const MayWrite = ({ terms }: { terms?: WriteTerms }) => terms ? <Pill tone="warn" title={"May " + list(allowed(terms))}>writes: {[terms.update?.length ? `${terms.update.length} field${terms.update.length === 1 ? "" : "s"}` : "", terms.create ? "new rows" : "", terms.delete ? "deletes" : ""].filter(Boolean).join(", ")}</Pill> : null;

/** WriteFacts is what a partner may change, for people who have to answer for it. */
export function WriteFacts({ terms, partner, owner }: { terms?: WriteTerms; partner: string; owner: string }) {
  if (!terms) return <Card title="What comes back"><p>Nothing: {partner} may only read.</p></Card>;
  return <Card title="What comes back" aside={<Pill tone="warn">{partner} changes the sheet</Pill>}><dl class="facts">
    <div><dt>May set</dt><dd>{terms.update?.length ? <Fields of={terms.update} /> : "nothing in rows that are there"}</dd></div>
    <div><dt>May add rows</dt><dd>{terms.create ? <>with <Fields of={terms.create.columns} />, one for each <code>{terms.create.key}</code></> : "no"}</dd></div>
    <div><dt>May delete rows</dt><dd>{terms.delete ? <span class="warned">any that it sees</span> : "no"}</dd></div>
    <div><dt>Only if</dt><dd>{terms.check ? <code>{terms.check}</code> : <span class="warned">any value</span>}</dd></div>
    <div><dt>A row may leave its view</dt><dd>{terms.leaveView ? <span class="warned">yes</span> : "no"}</dd></div>
    <div><dt>At most</dt><dd>{number(terms.perMinute || 60)} a minute</dd></div>
    <div><dt>In the name of</dt><dd>{terms.owner || owner}</dd></div></dl></Card>;
}

type Props = { partner: string; owner: string; columns: SheetColumn[]; shared: NewColumn[]; owners: Owner[]; value: Writing; set: (w: Writing) => void; wrong: (field: string) => string | undefined };

/** WritingForm is for what a partner may change. */
export function WritingForm({ partner, owner, columns, shared, owners, value: w, set, wrong }: Props) {
  const id = useId();
  const put = (change: Partial<Writing>) => set({ ...w, ...change });
  const flip = (ids: string[], id: string) => ids.includes(id) ? ids.filter((x) => x !== id) : [...ids, id];
  const terms = termsOf(w, shared), may = terms ? allowed(terms) : [];
  const writer = owners.find((o) => o.name === (w.owner || owner));
  return <Card title="Writing" aside={w.on ? <Pill tone="warn">{partner} may change the sheet</Pill> : <span class="faint">{partner} may only read</span>}>
    <label class="check" for={id}><input id={id} type="checkbox" checked={w.on} onChange={(e) => put({ on: e.currentTarget.checked })} /> The partner may change the sheet</label>
    {w.on && <>
      {shared.length > 0 && <Table label="What may be written" head={["Field", "May be changed", "May be given in new rows", ""]}>{shared.map((c) => {
        const of = columns.find((x) => x.id === c.columnId), not = c.mask ? "it is masked: who does not see a value cannot write it" : of?.readOnly ?? "", id = c.columnId!;
        return <tr key={id}><th scope="row"><code>{c.as}</code></th><td><input type="checkbox" aria-label={`${c.as} may be changed`} disabled={not !== ""} checked={not === "" && w.update.includes(id)} onChange={() => put({ update: flip(w.update, id) })} /></td>
          <td><input type="checkbox" aria-label={`${c.as} may be given in new rows`} disabled={not !== ""} checked={not === "" && w.create.includes(id)} onChange={() => put({ create: flip(w.create, id), ...(w.create.length === 0 && { key: id }) })} /></td><td class="faint">{not}</td></tr>;
      })}</Table>}
      {wrong("write.update") && <p class="error" role="alert">{wrong("write.update")}</p>}
      <div class="form row">
        {terms?.create && <Choice label="Key of new rows" value={w.key} set={(key) => put({ key })} error={wrong("write.create")} hint="No two rows of the sheet have the same value there." options={[["", "Choose"], ...shared.filter((c) => w.create.includes(c.columnId!)).map((c): [string, string] => [c.columnId!, c.as!])]} />}
        <Field label="Only if" error={wrong("write.check")} hint={<>Over the fields as they would be, as in <code>status in ['Open', 'Done']</code>. Empty: any value.</>}>{(a) => <textarea {...a} rows={2} value={w.check} onInput={(e) => put({ check: e.currentTarget.value })} spellcheck={false} />}</Field>
        <Text label="Writes in a minute" type="number" min="1" value={w.perMinute} set={(perMinute) => put({ perMinute })} error={wrong("write.perMinute")} placeholder="60" hint="1 to 600." />
        <Choice label="Written in the name of" value={w.owner} set={(name) => put({ owner: name })} error={wrong("write.owner")} hint="An editor of the sheet." options={[["", `${owner}, who reads it`], ...owners.filter((o) => o.name !== owner).map((o): [string, string] => [o.name, o.name])]} /></div>
      <fieldset class="kinds"><legend>Beyond values</legend><label class="check"><input type="checkbox" checked={w.delete} onChange={(e) => put({ delete: e.currentTarget.checked })} /> rows that it sees may be deleted</label>
        <label class="check"><input type="checkbox" checked={w.leaveView} onChange={(e) => put({ leaveView: e.currentTarget.checked })} /> a row may leave its view by a write</label></fieldset>
      <p class="way" role="note">{may.length === 0 ? <>Nothing is allowed yet. {wrong("write")}</> : <><strong>{partner}</strong> will {list(may)}, {w.delete || w.update.length > 0 ? "in every row that it sees" : "as new rows"}{terms!.check ? "" : ", with any value"}, and Smartsheet names <bdi>{writer?.assumeUser || writer?.email || w.owner || owner}</bdi> as who did it.{w.leaveView && " It can make rows disappear from its own view."}</>}</p>
    </>}
  </Card>;
}
