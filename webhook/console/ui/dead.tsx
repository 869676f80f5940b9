import { call } from "./client";
import { Act, Empty, Page, plural, Show, Table, useCall, When, Card } from "./parts";
import { href } from "./route";

export function DeadHints() {
  const dead = useCall("listDead", { query: { limit: 200 } }, 15000);
  const sheets = useCall("listWebhooks");
  const name = (id: string) => sheets.data?.items.find((w) => w.id === id)?.sheetName ?? id;
  return <Page title="Dead hints" lead="A hint says that a sheet may have changed. These were tried until they were given up. Nothing is lost: the next comparison of the sheet finds what they were for. Once the cause is gone, try them again.">
    <Show of={dead}>{(d) => d.items.length === 0 ? <Empty title="No hint was given up"><p>All hints have been worked on.</p></Empty> :
      <Card flush><Table label="Hints that were given up" head={["Sheet", "Reason", "For", "When", ""]}>{d.items.map((h) => <tr key={h.id}>
        <th scope="row"><a href={href(["sheets"])}>{name(h.webhook)}</a></th><td class="wide">{h.reason}</td>
        <td>{h.whole ? "the whole sheet" : plural(h.rows.length, "row")} <span class="faint">({h.why}, {plural(h.attempts, "try", "tries")})</span></td><td><When at={h.at} /></td>
        <td><Act label="Try again" run={() => call("retryDead", { path: { id: h.id } })} done={dead.reload} /></td></tr>)}</Table></Card>}</Show>
  </Page>;
}
