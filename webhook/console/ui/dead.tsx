import { call } from "./client";
import { Act, Empty, Page, Show, Table, useCall, When, Card } from "./parts";
import { href } from "./route";

export function DeadHints() {
  const dead = useCall("listDead", { query: { limit: 200 } }, 15000);
  const sheets = useCall("listWebhooks");
  const name = (id: string) => sheets.data?.items.find((w) => w.id === id)?.sheetName ?? id;
  return <Page title="Given up" lead="Hints that a sheet had changed, whose work failed until it was given up. The next reconcile finds what they were for; once the cause is gone, try them again.">
    <Show of={dead}>{(d) => d.items.length === 0 ? <Empty title="Nothing was given up"><p>All hints have been worked on.</p></Empty> :
      <Card flush><Table label="Hints that were given up" head={["Sheet", "Reason", "For", "When", ""]}>{d.items.map((h) => <tr key={h.id}>
        <th scope="row"><a href={href(["sheets"])}>{name(h.webhook)}</a></th><td class="wide">{h.reason}</td>
        <td>{h.whole ? "the whole sheet" : `${h.rows.length} row${h.rows.length === 1 ? "" : "s"}`} <span class="faint">({h.why}, {h.attempts} tries)</span></td><td><When at={h.at} /></td>
        <td><Act label="Try again" run={() => call("retryDead", { path: { id: h.id } })} done={dead.reload} /></td></tr>)}</Table></Card>}</Show>
  </Page>;
}
