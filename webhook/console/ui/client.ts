import { calls, type Calls, type Action } from "./api";

/** A problem as the API answers it, with the fields that it is about. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly detail: string,
    readonly fields: Record<string, string> = {},
    readonly action?: Action,
  ) {
    super(detail);
  }
}

// The bearer token is here and nowhere else: it goes when the tab does.
let bearer = "";
let onRefused = () => {};

export const signIn = (token: string) => { bearer = token; };
export const whenRefused = (then: () => void) => { onRefused = then; };

type Input<K extends keyof Calls> = { path?: Calls[K]["path"]; query?: Calls[K]["query"]; body?: Calls[K]["body"]; signal?: AbortSignal };

/** call makes a call of the API by the id of its operation. */
export async function call<K extends keyof Calls>(id: K, input: Input<K> = {}): Promise<Calls[K]["answer"]> {
  const [method, template] = calls[id];
  const response = await request(method, address(template, input.path, input.query), input.body, input.signal);
  const text = await response.text();
  if (!response.ok) throw problemOf(response, text);
  return (text === "" ? undefined : JSON.parse(text)) as Calls[K]["answer"];
}

function address(template: string, path: object = {}, query: object = {}): string {
  const filled = template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String((path as Record<string, unknown>)[name] ?? "")));
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (Array.isArray(value) ? value.length > 0 : value !== undefined && value !== "") search.set(name, String(value));
  }
  return search.size > 0 ? filled + "?" + search.toString() : filled;
}

export async function request(method: string, url: string, body?: unknown, signal?: AbortSignal, headers: Record<string, string> = {}): Promise<Response> {
  if (bearer !== "") headers["Authorization"] = "Bearer " + bearer;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(url, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body), cache: "no-store", credentials: "omit", redirect: "error" });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0, "The bridge does not answer. Is it running, and is this machine connected to it?");
  }
  if (response.status === 401) onRefused();
  return response;
}

export function problemOf(response: Response, text: string): Problem {
  try {
    const body = JSON.parse(text) as { detail?: string; title?: string; action?: Action; errors?: { location?: string; message?: string }[] };
    const fields: Record<string, string> = {};
    for (const e of body.errors ?? []) fields[(e.location ?? "").replace(/^body\./, "")] = e.message ?? "";
    return new Problem(response.status, body.detail ?? body.title ?? response.statusText, fields, body.action);
  } catch {
    return new Problem(response.status, response.statusText);
  }
}

/** An event of GET /v1/events. */
export interface Streamed { id: string; name: string; data: string }

/** follow reads GET /v1/events and goes on where it was cut off, until the signal says stop. EventSource sends no header, so it is read by fetch. */
export async function follow(query: object, take: (events: Streamed[]) => void, state: (connected: boolean, why?: string) => void, signal: AbortSignal): Promise<void> {
  let cursor = "";
  for (let pause = 500; !signal.aborted; pause = Math.min(pause * 2, 15000)) {
    try {
      const response = await request("GET", address("/v1/events", {}, cursor ? { ...query, since: undefined } : query), undefined, signal, cursor ? { "Last-Event-ID": cursor } : {});
      if (!response.ok || !response.body) {
        const problem = problemOf(response, await response.text());
        state(false, problem.detail);
        if (response.status < 500) return;
      } else {
        state(true);
        pause = 500;
        cursor = await read(response.body, cursor, take);
        state(false, "The bridge ended the stream.");
      }
    } catch (error) {
      if (signal.aborted) return;
      state(false, error instanceof Error ? error.message : String(error));
    }
    await new Promise((done) => setTimeout(done, pause));
  }
}

async function read(body: ReadableStream<Uint8Array>, cursor: string, take: (events: Streamed[]) => void): Promise<string> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read().catch(() => ({ done: true, value: undefined }));
    if (done) return cursor;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop() ?? "";
    const events: Streamed[] = [];
    for (const block of blocks) {
      const event: Streamed = { id: "", name: "", data: "" };
      for (const line of block.split("\n")) {
        if (line.startsWith("id: ")) event.id = line.slice(4);
        else if (line.startsWith("event: ")) event.name = line.slice(7);
        else if (line.startsWith("data: ")) event.data += line.slice(6);
      }
      if (event.name === "") continue;
      cursor = event.id;
      events.push(event);
    }
    if (events.length > 0) take(events);
  }
}
