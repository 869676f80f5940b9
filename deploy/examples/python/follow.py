# Reads the sheets as they are, then follows them. Killed and started again it
# goes on where it was. Needs: pip install "nats-py[nkeys]"
import asyncio, json, os, sys, time

import nats
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy


async def follow(js, epochs, due):
    config = ConsumerConfig(
        deliver_policy=DeliverPolicy.LAST_PER_SUBJECT, ack_policy=AckPolicy.EXPLICIT,
        max_ack_pending=1, ack_wait=5)  # one at a time: in order, whenever we are killed; seconds
    consumer = await js.pull_subscribe(">", durable="erp-python", stream="EVENTS", config=config)
    while True:
        for subject in [s for s in due if due[s] and due[s] < time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())]:
            print(f"{subject}: stale, no status came by {due.pop(subject)}", file=sys.stderr)
        [m] = await consumer.fetch(1, timeout=5)
        status = m.subject.endswith(".status") and json.loads(m.data)["data"]
        if status and status["epoch"] != epochs.setdefault(m.subject, status["epoch"]):  # the stream was made again or restored
            epochs.clear()  # start over: forget what you have
            return await js.delete_consumer("EVENTS", "erp-python")
        if status:
            due[m.subject] = status.get("nextBefore")  # RFC 3339 in UTC
        print(m.subject, m.data.decode(), flush=True)  # one subject is one object: `after` is its state, null is gone
        await m.ack_sync()  # once it is stored with you


async def main():
    nc = await nats.connect(os.environ["NATS_URL"], user_credentials=os.environ["NATS_CREDS"], max_reconnect_attempts=-1)
    epochs, due = {}, {}  # of each sheet, by the subject of its status: keep them with what you store
    while True:
        try:  # also where the consumer is gone: the stream was made again or restored
            await follow(nc.jetstream(), epochs, due)
        except nats.errors.Error:
            await asyncio.sleep(1)  # nothing new, or the server is away for a moment


asyncio.run(main())
