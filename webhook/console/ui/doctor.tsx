import type { Check } from "./api";
import { Next } from "./next";
import { Card, Empty, Page, Show, State, useCall, When } from "./parts";
import { href, setQuery } from "./route";

const areas: Record<string, string> = { bridge: "The bridge", clock: "Clocks", nats: "NATS", public: "Reached from outside", queue: "The queue", owner: "Owners", partner: "Partners", webhook: "Webhooks", share: "Shares" };

export function Doctor({ query }: { query: URLSearchParams }) {
  const found = useCall("examine");
  const level = query.get("level") ?? "";
  return <Page title="Doctor" lead="Every part is looked at, and each finding has its way out." actions={<button type="button" disabled={found.loading} onClick={found.reload}>{found.loading ? "Looking…" : "Look again"}</button>}>
    <Show of={found}>{(d) => {
      const count = (l: string) => d.items.filter((c) => c.level === l).length;
      return <>
        <div class="counts" role="group" aria-label="Findings by level">{(["wrong", "warning", "ok"] as const).map((l) =>
          <button type="button" key={l} class={"count is-" + l + (count(l) === 0 ? " none" : "")} aria-pressed={level === l} onClick={() => setQuery({ level: level === l ? undefined : l })}><strong>{count(l)}</strong><State state={l} text={{ wrong: "Wrong", warning: "Worth a look", ok: "Well" }[l]} /></button>)}</div>
        <p class="faint lookedat">Looked at <When at={d.at} /></p>
        {d.items.every((c) => level !== "" && c.level !== level) && <Empty title={level === "wrong" ? "Nothing is wrong" : "Nothing of that kind"} />}
        {worstFirst(d.items).map(([area, all]) => {
          const checks = all.filter((c) => level === "" || c.level === level);
          return checks.length > 0 && <Card key={area} title={areas[area]}><ul class="checks">{alike(checks).map((same) => <Finding key={same[0].name + same[0].detail} same={same} done={found.reload} />)}</ul></Card>;
        })}
      </>;
    }}</Show>
  </Page>;
}

const rank = (c: Check) => ["wrong", "warning", "ok"].indexOf(c.level);

/** worstFirst are the findings of each area; an area in which something is wrong comes first, and in it what is wrong. */
function worstFirst(all: Check[]): [string, Check[]][] {
  const list = Object.keys(areas).map((area): [string, Check[]] => [area, all.filter((c) => c.area === area).sort((a, b) => rank(a) - rank(b))]);
  return list.filter(([, c]) => c.length > 0).sort(([, a], [, b]) => rank(a[0]) - rank(b[0]));
}

/** alike puts findings together that have the same way out: one cause is read once. */
function alike(checks: Check[]): Check[][] {
  const groups = new Map<string, Check[]>();
  for (const c of checks) {
    const key = c.level === "ok" || !c.action ? c.name + c.detail : [c.level, c.action.method, c.action.path].join(" ");
    groups.set(key, [...(groups.get(key) ?? []), c]);
  }
  return [...groups.values()];
}

function Finding({ same, done }: { same: Check[]; done: () => void }) {
  const [c, ...others] = same;
  return <li><State state={c.level} text={c.level === "ok" ? "well" : c.level} /><div><Said c={c} />{c.todo && <p class="way"><span class="hidden">What to do: </span>{c.todo}</p>}<Next action={c.action} done={done} />
    {others.length > 0 && <details><summary>{others.length} more with the same way out</summary><ul>{others.map((o) => <li key={o.name + o.detail}><Said c={o} /></li>)}</ul></details>}</div></li>;
}

function Said({ c }: { c: Check }) {
  const to = c.area === "owner" ? href(["owners", c.name]) : c.area === "partner" ? href(["partners", c.name]) : c.area === "queue" && c.name === "given up" ? href(["dead"]) :
    c.area === "webhook" ? href(["sheets"]) : c.area === "share" ? href(["overview"], { q: c.name.split("/")[0] }) : "";
  return <p><strong>{to && c.name !== "none" ? <a href={to}>{c.name}</a> : c.name}</strong> {c.detail}</p>;
}
