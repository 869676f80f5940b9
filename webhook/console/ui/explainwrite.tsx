import { useState } from "preact/hooks";
import type { WriteExplanation } from "./api";
import { call } from "./client";
import { Next, Prose } from "./next";
import { Card, Choice, pairs, ProblemBox, State, Text, useAccess, useAct } from "./parts";

/** fieldsOf reads FIELD=VALUE, FIELD=VALUE: a value is JSON where it reads as JSON, else text. */
function fieldsOf(text: string): Record<string, unknown> | undefined {
  const fields = pairs(text).map(([name, value]) => [name, valueOf(value)]);
  return fields.length > 0 ? Object.fromEntries(fields) : undefined;
}

function valueOf(text: string): unknown {
  if (text === "") return null;
  try { return JSON.parse(text); } catch { return text; }
}

/** WouldWrite asks whether a write of the partner's would be allowed. Nothing is written. */
export function WouldWrite({ path, row }: { path: { id: string; partner: string; sheet: string }; row: string }) {
  const [op, setOp] = useState<"update" | "create" | "delete">("update");
  const [set, typeSet] = useState(""), [expect, typeExpect] = useState("");
  const [x, show] = useState<WriteExplanation>();
  const { busy, problem, act } = useAct();
  if (useAccess().readOnly) return null;
  const ask = () => act(async () => {
    show(undefined);
    show(await call("explainWrite", { path, body: {
      op, ...(op === "create" ? {} : { row, expect: fieldsOf(expect) }), ...(op === "delete" ? {} : { set: fieldsOf(set) }) } }));
  });
  return <Card title="Would a write be allowed?"><form class="form grid" onSubmit={(e) => { e.preventDefault(); void ask(); }}>
    <Choice label="What" value={op} set={(v) => setOp(v as typeof op)} options={[["update", "change the row"], ["create", "add a row"], ["delete", "delete the row"]]} />
    {op !== "delete" && <Text label="Write" value={set} set={typeSet} placeholder="status=Done" hint="FIELD=VALUE, separated by commas." />}
    {op !== "create" && <Text label="Expect" value={expect} set={typeExpect} placeholder="status=Open" hint="What the partner takes the row for. Empty: what it is." />}
    <div class="buttons"><button disabled={busy || op !== "create" && row === ""}>Ask</button></div></form>
    {problem && <ProblemBox problem={problem} />}
    {x && <div role="status"><p class="verdict"><State state={x.result === "refused" ? "warning" : "ok"} text="" />{x.verdict}</p>
      {x.writer && <p class="faint">In the name of owner {x.writer}{x.version ? `, by version ${x.version} of the sheet` : ""}. Nothing was written.</p>}
      {x.steps.length > 0 && <ul class="plain">{x.steps.map((s) => <li key={s}><Prose text={s} /></li>)}</ul>}
      <Next action={x.action} /></div>}</Card>;
}
