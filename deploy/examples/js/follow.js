// Reads the sheets as they are, then follows them. Killed and started again it
// goes on where it was.
import { readFileSync } from "node:fs";
import { AckPolicy, DeliverPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, credsAuthenticator } from "@nats-io/transport-node";

const nc = await connect({
  servers: process.env.NATS_URL,
  authenticator: credsAuthenticator(readFileSync(process.env.NATS_CREDS)),
  maxReconnectAttempts: -1,
});
const manager = await jetstreamManager(nc);
await manager.consumers.add("EVENTS", {
  durable_name: "erp-js",
  filter_subject: ">",
  deliver_policy: DeliverPolicy.LastPerSubject,
  ack_policy: AckPolicy.Explicit,
  max_ack_pending: 1, // one at a time: in order, whenever we are killed
  ack_wait: 5e9, // nanoseconds
});
const consumer = await jetstream(nc).consumers.get("EVENTS", "erp-js");
for await (const m of await consumer.consume()) {
  console.log(m.subject, m.string()); // one subject is one object: `after` is its state, null is gone
  await m.ackAck(); // once it is stored with you
}
