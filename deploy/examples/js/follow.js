// Reads the sheets as they are, then follows them. Killed and started again it
// goes on where it was.
import { readFileSync } from "node:fs";
import { AckPolicy, DeliverPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { AuthorizationError, connect, credsAuthenticator } from "@nats-io/transport-node";

const options = { servers: process.env.NATS_URL, authenticator: credsAuthenticator(readFileSync(process.env.NATS_CREDS)), maxReconnectAttempts: -1 };
const config = {
  durable_name: "erp-js", filter_subject: ">", deliver_policy: DeliverPolicy.LastPerSubject, ack_policy: AckPolicy.Explicit,
  max_ack_pending: 1, ack_wait: 5e9 }; // one at a time: in order, whenever we are killed; nanoseconds
const epochs = {}, due = {}; // of each sheet, by the subject of its status: keep them with what you store
setInterval(() => {
  for (const subject in due) if (due[subject] < Date.now() && delete due[subject]) console.error(`${subject}: stale, no status came in time`);
}, 1000);
for (let nc; ;) {
  try { // also where the consumer is gone: the stream was made again or restored
    const manager = await jetstreamManager(nc ??= await connect(options)); // a first connection is not tried again by itself
    await manager.consumers.add("EVENTS", config);
    const consumer = await jetstream(nc).consumers.get("EVENTS", "erp-js");
    for (let m; ; m && (await m.ackAck())) { // once it is stored with you
      if (!(m = await consumer.next({ expires: 5000 })) && (await consumer.info())) continue; // nothing new
      const status = m.subject.endsWith(".status") && m.json().data;
      if (status && status.epoch !== (epochs[m.subject] ??= status.epoch)) break; // the stream was made again or restored
      if (status) due[m.subject] = Date.parse(status.nextBefore); // NaN for none
      console.log(m.subject, m.string()); // one subject is one object: `after` is its state, null is gone
    }
    for (const subject in epochs) delete epochs[subject]; // start over: forget what you have
    await manager.consumers.delete("EVENTS", "erp-js");
  } catch (error) { // the server is away for a moment
    await new Promise((later, stop) => (error instanceof AuthorizationError ? stop(error) : setTimeout(later, 1000)));
  }
}
