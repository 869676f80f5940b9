import { useState } from "preact/hooks";
import { call } from "./client";
import { Act, Card, number, Page, Show, State, Table, useCall } from "./parts";

export function KeysPage() {
  const keys = useCall("listKeys");
  const [said, say] = useState("");
  return <Page title="Keys" lead="Tokens, secrets and seeds are sealed under these. Nothing of a key itself is shown.">
    <Show of={keys}>{(k) => <Card flush title="Keyset" aside={<Act label="Replace the key" run={() => call("rotateKeys")} done={keys.reload} title="Adds a key, seals everything again and disables the old one" />}>
      <Table label="Keys" head={["Id", "State", "Sealed under it"]}>{k.items.map((key) => <tr key={key.id}><th scope="row"><code>{key.id}</code></th>
        <td><State state={key.state === "primary" ? "live" : key.state === "disabled" ? "ended" : "loading"} text={key.state} /></td><td class="num">{number(key.sealed)}</td></tr>)}</Table></Card>}</Show>
    <Card title="Master key"><p>Start every replica with the new master key, and the old one as <code>SHEETBRIDGE_MASTER_KEY_OLD</code>. Then:</p>
      <Act label="Bring everything under the new master key" run={async () => { const m = await call("rotateMasterKey"); say(m.next); }} />
      {said && <p class="way" role="status">{said}</p>}</Card>
  </Page>;
}
