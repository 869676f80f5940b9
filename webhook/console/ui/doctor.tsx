import type { Check } from "./api";
import { names, Next, Prose } from "./next";
import { Card, Empty, Page, plural, Show, State, useCall, When } from "./parts";
import { href, setQuery } from "./route";

const areas: Record<string, string> = { bridge: "The bridge", clock: "Clocks", nats: "NATS", public: "Reached from outside", queue: "The queue", owner: "Owners", partner: "Partners", webhook: "Webhooks", share: "Shares" };

export function Doctor({ query }: { query: URLSearchParams }) {
  const found = useCall("examine");
  const level = query.get("level") ?? "";
  return <Page title="Doctor" lead="Every part is checked. What is wrong comes first, each with what to do about it." actions={<button type="button" disabled={found.loading} onClick={found.reload}>{found.loading ? "Checking…" : "Check again"}</button>}>
    <Show of={found}>{(d) => {
      const count = (l: string) => d.items.filter((c) => c.level === l).length;
      return <>
        <div class="counts" role="group" aria-label="Findings by level">{(["wrong", "warning", "ok"] as const).map((l) =>
          <button type="button" key={l} class={"count is-" + l + (count(l) === 0 ? " none" : "")} aria-pressed={level === l} onClick={() => setQuery({ level: level === l ? undefined : l })}><strong>{count(l)}</strong><State state={l} text={{ wrong: "Wrong", warning: "Warnings", ok: "Well" }[l]} /></button>)}</div>
        <p class="faint lookedat">Checked <When at={d.at} /></p>
        {d.items.every((c) => level !== "" && c.level !== level) && <Empty title={level === "wrong" ? "Nothing is wrong" : "Nothing of that kind"} />}
        {worstFirst(alike(inOrder(d.items.filter((c) => c.level !== "ok" && (level === "" || c.level === level))))).map(([area, groups]) => {
          return <Card key={area} title={areas[area]}><ul class="checks">{groups.map((same) => <Finding key={same[0].name + same[0].detail} same={same} done={found.reload} />)}</ul></Card>;
        })}
        {(level === "" || level === "ok") && count("ok") > 0 && <Card title={count("ok") === d.items.length ? "All is well" : "What is well"}><ul class="checks">{byArea(d.items.filter((c) => c.level === "ok")).map(([area, well]) => <Well key={area} area={area} checks={well} open={level === "ok"} />)}</ul></Card>}
      </>;
    }}</Show>
  </Page>;
}

const rank = (c: Check) => ["wrong", "warning", "ok"].indexOf(c.level);

const byArea = (all: Check[]) => Object.keys(areas).map((area): [string, Check[]] => [area, all.filter((c) => c.area === area)]).filter(([, c]) => c.length > 0);

/** inOrder has a cause before what comes of it: the areas as they are listed. */
const inOrder = (all: Check[]) => byArea(all).flatMap(([, checks]) => checks);

/** worstFirst are the findings of each area, those with one cause together; an area in which something is wrong comes first, and in it what is wrong. */
function worstFirst(all: Check[][]): [string, Check[][]][] {
  const list = Object.keys(areas).map((area): [string, Check[][]] => [area, all.filter(([c]) => c.area === area).sort(([a], [b]) => rank(a) - rank(b))]);
  return list.filter(([, groups]) => groups.length > 0).sort(([, [[a]]], [, [[b]]]) => rank(a) - rank(b));
}

/** causeOf is what brought a finding about, as far as its way out tells: the owner whose access does not work, or the same call. */
function causeOf(c: Check): string {
  if (!c.action) return c.area + c.name + c.detail;
  const owner = /^\/v1\/owners\/([^/]+)(\/token|\/authorize)?$/.exec(c.action.path);
  return owner ? "owner " + owner[1] : [c.level, c.action.method, c.action.path].join(" ");
}

/** alike puts findings together that have the same cause, the worst first: it is read once, where it is. */
function alike(checks: Check[]): Check[][] {
  const groups = new Map<string, Check[]>();
  for (const c of checks) groups.set(causeOf(c), [...(groups.get(causeOf(c)) ?? []), c]);
  return [...groups.values()].map((same) => same.sort((a, b) => Number(b.area === "owner") - Number(a.area === "owner") || rank(a) - rank(b)));
}

function Finding({ same, done }: { same: Check[]; done: () => void }) {
  const [c, ...others] = same;
  return <li><State state={c.level} text={c.level} /><div><Said c={c} />{c.todo && <p class="way"><span class="hidden">What to do: </span><Prose text={c.todo} /></p>}{!names(c.todo ?? "", c.action) && <Next action={c.action} done={done} />}
    {others.length > 0 && <details><summary>{plural(others.length, "other finding has", "other findings have")} the same cause</summary><ul>{others.map((o) => <li key={o.name + o.detail}><Said c={o} /></li>)}</ul></details>}</div></li>;
}

const few = 3; // findings that are read at once

/** Well is what is well in an area: many are counted, and shown when asked for. */
function Well({ area, checks, open }: { area: string; checks: Check[]; open: boolean }) {
  const list = <ul>{checks.map((c) => <li key={c.name + c.detail}><Said c={c} /></li>)}</ul>;
  return <li class="well"><State state="ok" text={areas[area]} /><div>{checks.length <= few ? list : <details open={open}><summary>{plural(checks.length, "check")}</summary>{list}</details>}</div></li>;
}

function Said({ c }: { c: Check }) {
  const to = c.area === "owner" ? href(["owners", c.name]) : c.area === "partner" ? href(["partners", c.name]) : c.area === "queue" && c.name === "given up" ? href(["dead"]) :
    c.area === "webhook" ? href(["sheets"]) : c.area === "share" ? href(["overview"], { q: c.name.split("/")[0] }) : "";
  return <p><strong>{to && c.name !== "none" ? <a href={to}>{c.name}</a> : c.name}</strong> <Prose text={c.detail} /></p>;
}
