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
        {Object.entries(areas).map(([area, title]) => {
          const checks = d.items.filter((c) => c.area === area && (level === "" || c.level === level));
          return checks.length > 0 && <Card key={area} title={title}><ul class="checks">{checks.map((c) => <Finding key={c.name + c.detail} c={c} done={found.reload} />)}</ul></Card>;
        })}
      </>;
    }}</Show>
  </Page>;
}

function Finding({ c, done }: { c: Check; done: () => void }) {
  const to = c.area === "owner" ? href(["owners", c.name]) : c.area === "partner" ? href(["partners", c.name]) : c.area === "queue" && c.name === "given up" ? href(["dead"]) :
    c.area === "webhook" ? href(["sheets"]) : c.area === "share" ? href(["overview"], { q: c.name.split("/")[0] }) : "";
  return <li><State state={c.level} text={c.level === "ok" ? "well" : c.level} /><div><p><strong>{to && c.name !== "none" ? <a href={to}>{c.name}</a> : c.name}</strong> {c.detail}</p>{c.todo && <p class="way"><span class="hidden">What to do: </span>{c.todo}</p>}<Next action={c.action} done={done} /></div></li>;
}
