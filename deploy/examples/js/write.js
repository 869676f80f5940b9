// Asks for a change of a sheet and prints the answer:
//   node write.js write.acme.orders.erp '{"id":"po-4711","op":"update","row":"7129509179746180","expect":{"status":"Open"},"set":{"status":"Done"}}'
// Run it again, with the same id, when no answer came: the change is made once.
import { readFileSync } from "node:fs";
import { DeliverPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { AuthorizationError, connect, credsAuthenticator } from "@nats-io/transport-node";

const [subject, request] = process.argv.slice(2);
const [, partner, sheet] = subject.split(".");
const { id } = JSON.parse(request);

const options = { servers: process.env.NATS_URL, authenticator: credsAuthenticator(readFileSync(process.env.NATS_CREDS)), maxReconnectAttempts: -1 };
let nc;
while (!nc) try { // a first connection is not tried again by itself
  nc = await connect(options);
} catch (error) {
  if (error instanceof AuthorizationError) throw error;
  console.error(error.message);
  await new Promise((later) => setTimeout(later, 1000));
}
const { state } = await (await jetstreamManager(nc)).streams.info("EVENTS");
await jetstream(nc).publish(subject, request, { retries: 10 }); // a share that was just made takes none for a moment. Now it is stored, no more
const answers = await jetstream(nc).consumers.get("EVENTS", {
  filter_subjects: [`smartsheet.${partner}.${sheet}.write.${id}`],
  deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: state.last_seq + 1, // not an earlier answer
});
let answer;
const until = Date.now() + 16 * 60_000; // a request is good for 15 minutes unless it has `until`
while (!(answer = await answers.next({ expires: 30_000 })) && Date.now() < until);
await nc.close();
if (!answer) throw new Error(`no answer to ${id} yet: it may be done or not; ask again with the same id`);
console.log(answer.string());
if (answer.json().data.result === "refused") process.exitCode = 4; // nothing was changed; `code` says why
