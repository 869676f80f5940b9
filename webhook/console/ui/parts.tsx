import type { ComponentChildren } from "preact";
import { createContext } from "preact";
import { useCallback, useContext, useEffect, useId, useRef, useState } from "preact/hooks";
import { call, Problem } from "./client";
import { names, Next, Prose } from "./next";
import { href } from "./route";
import type { Calls, OverviewAccess } from "./api";

export const Access = createContext<OverviewAccess>({ name: "", readOnly: true });
export const useAccess = () => useContext(Access);

/** What a call answered, or why it did not. */
export interface Loaded<T> { data?: T; problem?: Problem; loading: boolean; reload: () => void }

/** useCall makes a call and makes it again when its input changes, or every so many milliseconds. Until it is answered there is what is known already. */
export function useCall<K extends keyof Calls>(id: K | null, input: { path?: Calls[K]["path"]; query?: Calls[K]["query"] } = {}, every = 0, known?: Calls[K]["answer"]): Loaded<Calls[K]["answer"]> {
  const [state, set] = useState<{ data?: Calls[K]["answer"]; problem?: Problem; loading: boolean }>({ data: known, loading: id !== null });
  const [turn, setTurn] = useState(0);
  const key = id + JSON.stringify(input);
  const last = useRef(known === undefined ? "" : key);
  useEffect(() => {
    if (id === null) return;
    const stop = new AbortController();
    const same = last.current === key;
    last.current = key;
    set((was) => ({ ...(same ? was : {}), loading: true }));
    call(id, { ...input, signal: stop.signal }).then(
      (data) => set({ data, loading: false }),
      (problem) => { if (!stop.signal.aborted) set((was) => ({ data: same ? was.data : undefined, problem: asProblem(problem), loading: false })); },
    );
    return () => stop.abort();
  }, [key, turn]);
  useEffect(() => {
    if (every === 0) return;
    const timer = setInterval(() => { if (!document.hidden) setTurn((n) => n + 1); }, every);
    return () => clearInterval(timer);
  }, [every]);
  return { ...state, reload: useCallback(() => setTurn((n) => n + 1), []) };
}

export const asProblem = (e: unknown) => (e instanceof Problem ? e : new Problem(0, e instanceof Error ? e.message : String(e)));

/** Show shows what a call answered, that it is on its way, or why it failed. */
export function Show<T>({ of, children }: { of: Loaded<T>; children: (data: T) => ComponentChildren }) {
  return <>
    {of.problem && <ProblemBox problem={of.problem} retry={of.reload} />}
    {of.data !== undefined ? children(of.data) : !of.problem && <Waiting text="Loading…" />}
  </>;
}

export const Waiting = ({ text }: { text: string }) => <div class="waiting" role="status"><i /><i /><i /><span>{text}</span></div>;

export function ProblemBox({ problem, retry }: { problem: Problem; retry?: () => void }) {
  return <div class="box bad" role="alert"><Shape state="stale" /><div><p><Prose text={problem.detail} /></p>
    <div class="act">{!names(problem.detail, problem.action) && <Next action={problem.action} done={retry} />}{retry && <button type="button" class="small" onClick={retry}>Try again</button>}</div></div></div>;
}

const shapes: Record<string, string> = {
  live: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2Z", ok: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2Z",
  loading: "M8 2a6 6 0 1 0 6 6h-3a3 3 0 1 1-3-3Z", authorize: "M8 2a6 6 0 1 0 6 6h-3a3 3 0 1 1-3-3Z",
  stale: "M8 1.5 15 14H1Z", warning: "M8 1.5 15 14H1Z", suspended: "M3 3h10v10H3Z", refused: "M3 3h10v10H3Z", wrong: "M3 3h10v10H3Z",
  ended: "M2 7h12v2H2Z", unknown: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2Zm0 2.5a3.5 3.5 0 1 1 0 7 3.5 3.5 0 0 1 0-7Z",
};

/** Shape is a state as a form, so that no colour is needed to tell it. */
export const Shape = ({ state }: { state: string }) =>
  <svg class={"shape is-" + state} viewBox="0 0 16 16" width="12" height="12" aria-hidden="true"><path d={shapes[state] ?? shapes.unknown} /></svg>;

export const State = ({ state, text }: { state: string; text?: string }) => <span class={"state is-" + state}><Shape state={state} />{text ?? state}</span>;

export const Pill = ({ tone = "", children, title }: { tone?: string; children: ComponentChildren; title?: string }) => <span class={"pill " + tone} title={title}>{children}</span>;

/** Progress is how far long work is. */
export const Progress = ({ of }: { of: { done: number; of: number } }) =>
  <span class="progress"><progress value={of.done} max={Math.max(1, of.of)} aria-label="Rows compared" /><span class="num">{number(of.done)} of {number(of.of)} rows</span></span>;

/** When shows a time as people say it, with the exact one on hover. */
export function When({ at, none = "never" }: { at?: string | null; none?: string }) {
  if (!at) return <span class="faint">{none}</span>;
  return <time dateTime={at} title={new Date(at).toLocaleString()}>{ago(at)}</time>;
}

export function ago(at: string): string {
  const s = (Date.now() - Date.parse(at)) / 1000, a = Math.abs(s);
  const [n, unit] = a < 60 ? [a, "s"] : a < 3600 ? [a / 60, "min"] : a < 86400 * 2 ? [a / 3600, "h"] : [a / 86400, "days"];
  if (a < 5) return "just now";
  return s >= 0 ? `${Math.floor(n)} ${unit} ago` : `in ${Math.round(n)} ${unit}`;
}

export const plural = (n: number, one: string, many = one + "s") => `${number(n)} ${n === 1 ? one : many}`;

const types: Record<string, string> = { TEXT_NUMBER: "text or number", CHECKBOX: "yes or no", DATE: "date", ABSTRACT_DATETIME: "date and time", DATETIME: "date and time", CONTACT_LIST: "contact", MULTI_CONTACT_LIST: "contacts", PICKLIST: "one of a list", MULTI_PICKLIST: "some of a list", DURATION: "duration", PREDECESSOR: "predecessors" };

/** typeOf is a column's type in words. */
export const typeOf = (type: string) => types[type] ?? type.toLowerCase().replaceAll("_", " ");

export const number = (n: number | null | undefined) => (n === null || n === undefined ? "–" : n.toLocaleString("en"));

export function Page({ title, lead, actions, children }: { title: string; lead?: ComponentChildren; actions?: ComponentChildren; children: ComponentChildren }) {
  useEffect(() => { document.title = title + " · Sheetbridge"; }, [title]);
  return <><header class="page"><div><h1 tabIndex={-1}>{title}</h1>{lead && <p class="lead">{lead}</p>}</div>{actions && <div class="actions">{actions}</div>}</header>{children}</>;
}

export const Card = ({ title, aside, children, flush }: { title?: ComponentChildren; aside?: ComponentChildren; children: ComponentChildren; flush?: boolean }) =>
  <section class={"card" + (flush ? " flush" : "")}>{title && <div class="cardhead"><h2>{title}</h2>{aside}</div>}{children}</section>;

export const Empty = ({ title, children }: { title: string; children?: ComponentChildren }) =>
  <div class="empty"><svg viewBox="0 0 64 40" width="64" height="40" aria-hidden="true"><rect x="1" y="6" width="22" height="28" rx="4" /><path d="M27 20h10m-4-5 5 5-5 5" /><rect x="41" y="6" width="22" height="28" rx="4" class="on" /></svg><h2>{title}</h2>{children}</div>;

/** Table is a table; one that stacks becomes a list where it is narrow, the columns of a fixed one stay where they are whatever is in them. */
export function Table({ head, children, label, stack, fixed }: { head: string[]; children: ComponentChildren; label: string; stack?: boolean; fixed?: boolean }) {
  return <div class={"scroll" + (stack ? " stack" : "") + (fixed ? " fixed" : "")} tabIndex={0} role="region" aria-label={label}><table><caption class="hidden">{label}</caption><thead><tr>{head.map((h) => <th scope="col" key={h}>{h || <span class="hidden">Actions</span>}</th>)}</tr></thead><tbody>{children}</tbody></table></div>;
}

type FieldProps = { label: string; hint?: ComponentChildren; error?: string; children: (a: { id: string; "aria-describedby"?: string; "aria-invalid"?: boolean }) => ComponentChildren };

/** Field is a labelled input with what is wrong with it beside it. */
export function Field({ label, hint, error, children }: FieldProps) {
  const id = useId();
  const described = [hint ? id + "h" : "", error ? id + "e" : ""].filter(Boolean).join(" ") || undefined;
  return <div class={"field" + (error ? " wrong" : "")}><label for={id}>{label}</label>
    {children({ id, "aria-describedby": described, "aria-invalid": error ? true : undefined })}
    {error && <p class="error" id={id + "e"} role="alert">{error}</p>}
    {hint && <p class="hint" id={id + "h"}>{hint}</p>}</div>;
}

type TextProps = { label: string; hint?: ComponentChildren; error?: string; value: string; set: (v: string) => void; type?: "text" | "password" | "email" | "number" | "search"; placeholder?: string; required?: boolean; autofocus?: boolean; min?: string };

export const Text = ({ label, hint, error, value, set, ...rest }: TextProps) =>
  <Field label={label} hint={hint} error={error}>{(a) => <input {...a} autocomplete="off" spellcheck={false} {...(rest as object)} value={value} onInput={(e) => set(e.currentTarget.value)} />}</Field>;

export const Choice = ({ label, hint, error, value, set, options }: { label: string; hint?: ComponentChildren; error?: string; value: string; set: (v: string) => void; options: [string, string][] }) =>
  <Field label={label} hint={hint} error={error}>{(a) => <select {...a} value={value} onChange={(e) => set(e.currentTarget.value)}>{options.map(([v, t]) => <option key={v} value={v}>{t}</option>)}</select>}</Field>;

/** useAct is for what changes something: whether it is under way, and what was wrong. */
export function useAct() {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const act = async <T,>(what: () => Promise<T>, done?: (answer: T) => void) => {
    setBusy(true);
    setProblem(undefined);
    try {
      const answer = await what();
      done?.(answer);
    } catch (e) {
      setProblem(asProblem(e));
    } finally {
      setBusy(false);
    }
  };
  return { busy, problem, act, clear: () => setProblem(undefined), field: (name: string) => problem?.fields[name] };
}

/** Rest is what is wrong and stands beside no field. */
export function Rest({ problem, known }: { problem?: Problem; known: string[] }) {
  if (!problem || Object.keys(problem.fields).some((f) => known.includes(f))) return null;
  return <ProblemBox problem={problem} />;
}

/** Act is a button that changes something. A read-only token has none. */
export function Act({ label, run, done, tone = "", title }: { label: string; run: () => Promise<unknown>; done?: () => void; tone?: string; title?: string }) {
  const { busy, problem, act } = useAct();
  const [said, say] = useState("");
  if (useAccess().readOnly) return null;
  return <span class="act"><button type="button" class={tone} disabled={busy} title={title} onClick={() => act(run, () => { say("Done"); done?.(); })}>{busy ? "Working…" : label}</button>
    {problem ? <span class="error" role="alert">{problem.detail} <Next action={problem.action} /></span> : said && !busy && <span class="good" role="status">{said}</span>}</span>;
}

/** Sure asks for the name of what is to go, since that cannot be undone. */
export function Sure({ label, name, what, run, done }: { label: string; name: string; what: ComponentChildren; run: () => Promise<unknown>; done: () => void }) {
  const [typed, type] = useState("");
  const dialog = useRef<HTMLDialogElement>(null);
  const { busy, problem, act } = useAct();
  const title = useId();
  if (useAccess().readOnly) return null;
  return <><button type="button" class="danger" onClick={() => { type(""); dialog.current?.showModal(); }}>{label}</button>
    <dialog ref={dialog} aria-labelledby={title}><form method="dialog" onSubmit={(e) => { e.preventDefault(); if (typed === name) act(run, () => { dialog.current?.close(); done(); }); }}>
      <h2 id={title}>{label}</h2><p>{what}</p><p>This cannot be undone.</p>
      <Text label={`Type ${name} to go on`} value={typed} set={type} error={problem?.detail} />
      <div class="buttons"><button type="button" onClick={() => dialog.current?.close()}>Cancel</button><button type="submit" class="danger" disabled={busy || typed !== name}>{busy ? "Working…" : label}</button></div>
    </form></dialog></>;
}

/** Secret is a text that is shown once. */
export function Secret({ title, text, file, children }: { title: string; text: string; file?: string; children?: ComponentChildren }) {
  const [copied, copy] = useState(false);
  return <div class="box once" role="status"><div><h3>{title}</h3><p>It is shown this once. {children}</p><pre class="secret" tabIndex={0}>{text}</pre>
    <div class="buttons"><button type="button" onClick={() => navigator.clipboard?.writeText(text).then(() => copy(true))}>{copied ? "Copied" : "Copy"}</button>
      {file && <button type="button" onClick={() => save(file, text)}>Save as {file}</button>}</div></div></div>;
}

export function save(name: string, text: string | string[], type = "text/plain") {
  const url = URL.createObjectURL(new Blob([text].flat(), { type }));
  const a = document.createElement("a");
  a.href = url;
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

export function Code({ text, label }: { text: string; label: string }) {
  const [copied, copy] = useState(false);
  return <div class="code"><pre tabIndex={0} aria-label={label}>{text}</pre><button type="button" class="small" onClick={() => navigator.clipboard?.writeText(text).then(() => copy(true))}>{copied ? "Copied" : "Copy"}</button></div>;
}

/** simple is what a list can hold that is read as words. */
const simple = (v: unknown) => typeof v === "string" || !!v && typeof (v as { email?: unknown }).email === "string";

/** Value is what a cell holds: text, whatever it looks like. */
export function Value({ of }: { of: unknown }) {
  if (of === undefined || of === null) return <span class="null">{of === null ? "null" : "–"}</span>;
  if (typeof of === "string") return <bdi class="value">{of.length > 300 ? of.slice(0, 300) + "…" : of}</bdi>;
  if (typeof of === "boolean") return <span class="value bool">{of ? "true" : "false"}</span>;
  if (typeof of === "number") return <span class="value num">{String(of)}</span>;
  if (Array.isArray(of) && of.length > 0 && of.every(simple)) return <bdi class="value">{of.map((v, i) => <>{i > 0 && ", "}<Value of={v} /></>)}</bdi>;
  const person = of as { email?: string; name?: string };
  if (person.email) return <bdi class="value">{person.name ?? person.email}</bdi>;
  const text = JSON.stringify(of);
  return <bdi class="value">{text.length > 300 ? text.slice(0, 300) + "…" : text}</bdi>;
}

/** Where is a share's filter, with what it names of the partner's attributes. */
export const Where = ({ s }: { s: { where?: string; attributes?: Record<string, string> } }) => s.where ? <><code>{s.where}</code>{Object.entries(s.attributes ?? {}).map(([k, v]) => <span class="faint" key={k}> partner.{k} is <bdi>{v}</bdi></span>)}</> : <Pill tone="warn">all rows</Pill>;
export const ShareLink = ({ s }: { s: { webhook: string; partner: string; sheet: string } }) => <a href={href(["shares", s.webhook, s.partner, s.sheet])}>{s.partner}/{s.sheet}</a>;

/** pairs reads NAME=VALUE, NAME=VALUE, as in region=EMEA, tier=gold; a value may have commas in it. */
export function pairs(text: string): [string, string][] {
  return text.split(/,(?=\s*[^\s,=]+=)|\n/).map((part) => part.trim()).filter((part) => part !== "").map((part) => {
    const at = part.indexOf("=");
    if (at < 1) throw new Error(`"${part}": want NAME=VALUE, such as status=Done`);
    return [part.slice(0, at).trim(), part.slice(at + 1).trim()];
  });
}
