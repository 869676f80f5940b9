// Keeps a copy of the sheets that are shared with you, in SQLite. It may be killed at any
// time: started again it goes on where it was.
//   node copy.js sheets.db         follow the sheets until interrupted
//   node copy.js --show sheets.db  print what the copy has, also while another process follows
// This file reads the stream; store.js is the database, and the place for what you do
// with each event.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { AckPolicy, DeliverPolicy, JetStreamApiError, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { AuthorizationError, connect, credsAuthenticator } from "@nats-io/transport-node";
import { StorageError, Store, StreamReplaced } from "./store.js";

const { values, positionals: [file] } = parseArgs({ allowPositionals: true, options: { show: { type: "boolean" } } });
if (!file) throw new Error("usage: node copy.js [--show] FILE");
const store = new Store(file);
if (values.show) {
  store.print();
  process.exit();
}

// The server keeps our place under this name; each copy has its own.
const config = {
  durable_name: "copy-js", filter_subject: ">", deliver_policy: DeliverPolicy.LastPerSubject, ack_policy: AckPolicy.Explicit,
  max_ack_pending: 1, ack_wait: 5e9, // in order, whenever we are killed; nanoseconds
};
const consumerNotFound = 10014;

const options = { servers: process.env.NATS_URL, authenticator: credsAuthenticator(readFileSync(process.env.NATS_CREDS)), maxReconnectAttempts: -1 };
let nc;
while (!nc) try { // a first connection is not tried again by itself
  nc = await connect(options);
} catch (error) {
  if (error instanceof AuthorizationError) throw error;
  console.error(error.message);
  await new Promise((later) => setTimeout(later, 1000));
}
const [manager, js] = [await jetstreamManager(nc), jetstream(nc)];
for (;;) {
  try {
    await follow();
  } catch (error) {
    if (error instanceof StorageError) throw error;
    console.error(error.message);
    await new Promise((later) => setTimeout(later, 1000));
  }
  store.warnStale();
}

// follow stores events until none is there for some seconds, or something is wrong.
async function follow() {
  try {
    await manager.consumers.info("EVENTS", config.durable_name);
  } catch (error) {
    if (!(error instanceof JetStreamApiError && error.code === consumerNotFound)) throw error;
    store.startOver(); // we begin, or the stream was made again
    await manager.consumers.add("EVENTS", config);
  }
  const consumer = await js.consumers.get("EVENTS", config.durable_name);
  for (let m; (m = await consumer.next({ expires: 5000 })); await m.ackAck()) { // unacknowledged it comes again, and is known by its id
    try {
      store.store(m.subject, m.string(), m.info.pending === 0);
    } catch (error) {
      if (error instanceof StreamReplaced) await manager.consumers.delete("EVENTS", config.durable_name);
      throw error;
    }
  }
}
