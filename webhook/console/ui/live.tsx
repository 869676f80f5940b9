import { useEffect, useRef, useState } from "preact/hooks";
import type { Published } from "./api";
import { follow, type Streamed } from "./client";
import { Choice, Empty, number, Page, State, useAccess, useCall, Value, Waiting } from "./parts";
import { href, setQuery } from "./route";

const most = 500; // events that are kept
const rowHeight = 44; // of one in the list, as the style has it
const drawEvery = 250; // milliseconds: the first event is drawn at once, those that follow it together

interface Item { key: number; id: string; partner: string; sheet: string; kind: string; type: string; time: string; subject: string; changed: string[]; before: Fields; after: Fields; why: string; cells: boolean; raw: unknown }
type Fields = Record<string, unknown> | null;

let counter = 0;

function parse(e: Streamed): Item | undefined {
  const p = JSON.parse(e.data) as Published;
  const event = p.event as { id: string; type: string; time: string; subject: string; data?: Record<string, unknown> };
  const d = event.data ?? {};
  return { key: counter++, id: event.id, partner: p.partner, sheet: p.sheet, kind: p.kind, type: String(event.type ?? "").replace(/^sheetbridge\./, ""), time: event.time, subject: String(event.subject ?? ""),
    changed: (d.changed as string[]) ?? [], before: (d.before as Fields) ?? null, after: (d.after as Fields) ?? null, why: String(d.reason ?? d.origin ?? d.state ?? d.code ?? d.result ?? ""), cells: p.cells, raw: event };
}

export function Live({ query }: { query: URLSearchParams }) {
  const partner = query.get("partner") ?? "", sheet = query.get("sheet") ?? "", kind = query.get("kind") ?? "", open = query.get("event") ?? "";
  const [items, setItems] = useState<Item[]>([]);
  const [state, setState] = useState<{ on: boolean; why?: string }>({ on: false });
  const [looked, setLooked] = useState(false); // long enough to say that nothing was published
  const [paused, setPaused] = useState(false), [count, setCount] = useState(0), [notes, setNotes] = useState<string[]>([]);
  const wait = useRef<Item[]>([]), hold = useRef(false);
  hold.current = paused;
  const overview = useCall("getOverview", {}, 30000);
  const { readOnly } = useAccess();
  useEffect(() => {
    const stop = new AbortController();
    setItems([]); setCount(0); setNotes([]);
    wait.current = [];
    const seen = new Set<string>(), order: string[] = [];
    let total = 0, frame = 0, drawn = -drawEvery;
    const draw = () => {
      frame = 0;
      drawn = performance.now();
      setCount(total);
      if (hold.current || wait.current.length === 0) return;
      const fresh = wait.current.reverse();
      wait.current = [];
      setItems((was) => fresh.concat(was).slice(0, most));
    };
    const take = (events: Streamed[]) => {
      for (const e of events) {
        if (e.name !== "published") {
          const d = JSON.parse(e.data) as { partner: string; detail?: string; missed?: number };
          setNotes((n) => [e.name === "missed" ? `Earlier events of ${d.partner} are not shown: about ${number(d.missed)}.` : `${d.partner}: ${d.detail}`, ...n].slice(0, 3));
          continue;
        }
        const item = parse(e);
        if (!item || seen.has(item.id)) continue;
        seen.add(item.id);
        order.push(item.id);
        if (order.length > 4 * most) for (const old of order.splice(0, most)) seen.delete(old);
        total++;
        wait.current.push(item);
      }
      if (wait.current.length > most) wait.current.splice(0, wait.current.length - most);
      if (frame === 0) frame = setTimeout(draw, Math.max(0, drawn + drawEvery - performance.now())) as unknown as number;
    };
    follow({ partner, sheet, kind: kind ? [kind] : [], since: new Date(Date.now() - 10 * 60e3).toISOString(), limit: 2 * most }, take, (on, why) => setState({ on, why }), stop.signal);
    return () => { stop.abort(); clearTimeout(frame); };
  }, [partner, sheet, kind]);
  useEffect(() => {
    setLooked(false);
    const timer = setTimeout(() => setLooked(true), 2000);
    return () => clearTimeout(timer);
  }, [state.on, partner, sheet, kind]);
  const shares = overview.data?.items ?? [];
  const partners = [...new Set(shares.map((s) => s.partner))].sort(), sheets = [...new Set(shares.filter((s) => !partner || s.partner === partner).map((s) => s.sheet))].sort();
  const shown = items.find((i) => i.id === open);
  const share = shown && shares.find((s) => s.partner === shown.partner && s.sheet === shown.sheet);
  return <Page title="Live" lead={readOnly ? "Events as they are published. A read-only token sees which fields changed, not what is in them." : "Events as they are published, with what was before and after."}
    actions={<><State state={state.on ? "live" : "stale"} text={state.on ? `connected · ${number(count)} events` : state.why ?? "connecting"} /><button type="button" aria-pressed={paused} onClick={() => setPaused(!paused)}>{paused ? "Resume" : "Pause"}</button></>}>
    <div class="filters"><Choice label="Partner" value={partner} set={(v) => setQuery({ partner: v, event: undefined })} options={[["", "All partners"], ...with_(partners, partner)]} />
      <Choice label="Sheet" value={sheet} set={(v) => setQuery({ sheet: v, event: undefined })} options={[["", "All sheets"], ...with_(sheets, sheet)]} />
      <Choice label="Kind" value={kind} set={(v) => setQuery({ kind: v, event: undefined })} options={[["", "All but status"], ["row", "Rows"], ["attachment", "Attachments"], ["comment", "Comments"], ["write", "Writes"], ["schema", "Schemas"], ["status", "Statuses"]]} /></div>
    {notes.map((n) => <p class="way" key={n} role="status">{n}</p>)}
    {items.length === 0 ? !looked ? <Waiting text={state.on ? "Reading what was published in the last ten minutes…" : "Connecting…"} /> : state.on ? <Empty title="Nothing was published in the last ten minutes"><p>Change a cell in a shared sheet, and it is here a moment later.</p></Empty> : <Empty title="Not connected"><p>{state.why ?? "The bridge has not answered yet."} It is tried again.</p></Empty> :
      <div class={"live" + (shown ? " split" : "")}><Window items={items} open={open} />{shown && <Detail item={shown} webhook={share?.webhook} />}</div>}
  </Page>;
}

const with_ = (list: string[], chosen: string): [string, string][] => (chosen && !list.includes(chosen) ? [chosen, ...list] : list).map((v) => [v, v]);

/** Window draws those events of the list that are in view. */
function Window({ items, open }: { items: Item[]; open: string }) {
  const box = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0), [height, setHeight] = useState(600);
  useEffect(() => {
    const watch = new ResizeObserver(() => setHeight(box.current?.clientHeight ?? 600));
    if (box.current) watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  const from = Math.max(0, Math.floor(top / rowHeight) - 5), to = Math.min(items.length, Math.ceil((top + height) / rowHeight) + 5);
  const keep = (e: KeyboardEvent) => {
    const step = e.key === "ArrowDown" ? 1 : e.key === "ArrowUp" ? -1 : 0;
    if (step === 0) return;
    e.preventDefault();
    const at = Math.min(items.length - 1, Math.max(0, items.findIndex((i) => i.id === open) + step));
    setQuery({ event: items[at].id });
    box.current?.scrollTo({ top: Math.max(0, at * rowHeight - height / 2) });
  };
  return <div class="window" ref={box} tabIndex={0} role="group" aria-label="Events, newest first. Arrow keys choose one." onScroll={(e) => setTop(e.currentTarget.scrollTop)} onKeyDown={keep}>
    <div ref={(el) => { if (el) el.style.height = items.length * rowHeight + "px"; }} class="all">
      {items.slice(from, to).map((item, i) => <button type="button" tabIndex={-1} key={item.key} class={"event is-" + item.type.split(".").at(-1)} aria-pressed={item.id === open} ref={(el) => { if (el) el.style.top = (from + i) * rowHeight + "px"; }}
        onClick={() => setQuery({ event: item.id === open ? undefined : item.id })}><Line item={item} /></button>)}
    </div></div>;
}

/** Why an event came about, in words. */
const reasons: Record<string, string> = {
  "left-view": "left the view: the filter hides it now", deleted: "deleted from the sheet", share: "the share was changed", snapshot: "first load", callback: "told by Smartsheet", reconcile: "found by comparing", write: "written by the partner",
};

/** nameOf is what people know a row by: its first field. */
const nameOf = (item: Item) => item.kind === "row" && item.cells ? Object.values(item.after ?? item.before ?? {})[0] : undefined;

/** told are the first fields that hold something, beyond the one that is the row's name. */
const told = (item: Item) => Object.entries(item.after ?? {}).filter(([, v], i) => v !== null && v !== "" && !(item.kind === "row" && i === 0)).slice(0, item.kind === "row" ? 3 : 1);

const verbs: Record<string, string> = { created: "+", updated: "→", deleted: "−", changed: "§", done: "✓", refused: "✗" };

function Line({ item }: { item: Item }) {
  const verb = item.type.split(".").at(-1) ?? "";
  return <><time dateTime={item.time}>{new Date(item.time).toLocaleTimeString("en-GB")}</time><span class="verb" aria-hidden="true">{verbs[verb] ?? "·"}</span><span class="who">{item.partner}<i>/</i>{item.sheet}</span><span class="type">{item.type}</span>
    <span class="what">{nameOf(item) !== undefined && nameOf(item) !== null && <span class="rowname"><Value of={nameOf(item)} /></span>}{!item.cells ? item.changed.join(", ") || (reasons[item.why] ?? item.why) : verb === "updated" && item.changed.length > 0 ? item.changed.slice(0, 3).map((f) => <span class="diff" key={f}><code>{f}</code> <del><Value of={item.before?.[f]} /></del> <span aria-hidden="true">→</span> <ins><Value of={item.after?.[f]} /></ins></span>) :
      item.after ? told(item).map(([k, v]) => <span class="diff" key={k}><code>{k}</code> <Value of={v} /></span>) : <span class="faint">{reasons[item.why] ?? item.why}</span>}</span></>;
}

/** Detail has what was before and after side by side. */
function Detail({ item, webhook }: { item: Item; webhook?: string }) {
  const row = item.kind === "row" ? /row\/(\d+)$/.exec(item.subject)?.[1] : undefined;
  const names = [...new Set([...Object.keys(item.before ?? {}), ...Object.keys(item.after ?? {})])].sort((a, b) => Number(item.changed.includes(b)) - Number(item.changed.includes(a))); // what changed comes first
  return <section class="card detail" aria-label="The event"><div class="cardhead"><h2>{item.type}</h2><button type="button" class="small" onClick={() => setQuery({ event: undefined })}>Close</button></div>
    <p>{webhook ? <a href={href(["shares", webhook, item.partner, item.sheet])}>{item.partner}/{item.sheet}</a> : <>{item.partner}/{item.sheet}</>} <span class="faint">{reasons[item.why] ?? item.why}, <time dateTime={item.time}>{new Date(item.time).toLocaleTimeString("en-GB")}</time></span></p>
    <p class="faint"><code>{item.subject}</code></p>
    {names.length > 0 && <div class="scroll" tabIndex={0} role="region" aria-label="Before and after"><table class="sides"><thead><tr><th scope="col">Field</th><th scope="col">Before</th><th scope="col">After</th></tr></thead><tbody>{names.map((n) => {
      const moved = item.changed.includes(n);
      return <tr key={n} class={moved && item.before && item.after ? "moved" : ""}><th scope="row"><code>{n}</code>{moved && <span class="hidden"> (changed)</span>}</th><td><Value of={item.before ? item.before[n] : undefined} /></td><td><Value of={item.after ? item.after[n] : undefined} /></td></tr>;
    })}</tbody></table></div>}
    {!item.cells && <p class="faint">{item.changed.length > 0 ? `Changed: ${item.changed.join(", ")}. ` : ""}What is in cells is not for a read-only token.</p>}
    {webhook && row && <div class="buttons"><a class="button small" href={href(["explain"], { webhook, partner: item.partner, sheet: item.sheet, row })}>Explain this row</a></div>}
    <details><summary>As the partner gets it</summary><pre tabIndex={0}>{JSON.stringify(item.raw, null, 2)}</pre></details></section>;
}
