# Reads the sheets as they are, then follows them. Killed and started again it
# goes on where it was. Needs: pip install "nats-py[nkeys]"
import asyncio
import json
import os

import nats
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy


async def follow(js, epochs):
    config = ConsumerConfig(
        deliver_policy=DeliverPolicy.LAST_PER_SUBJECT, ack_policy=AckPolicy.EXPLICIT,
        max_ack_pending=1, ack_wait=5)  # one at a time: in order, whenever we are killed; seconds
    consumer = await js.pull_subscribe(">", durable="erp-python", stream="EVENTS", config=config)
    while True:
        [m] = await consumer.fetch(1, timeout=30)
        epoch = m.subject.endswith(".status") and json.loads(m.data)["data"].get("epoch")
        if epoch and epoch != epochs.setdefault(m.subject, epoch):  # the stream was made again or restored
            epochs.clear()  # start over: forget what you have
            return await js.delete_consumer("EVENTS", "erp-python")
        print(m.subject, m.data.decode(), flush=True)  # one subject is one object: `after` is its state, null is gone
        await m.ack_sync()  # once it is stored with you


async def main():
    nc = await nats.connect(os.environ["NATS_URL"], user_credentials=os.environ["NATS_CREDS"], max_reconnect_attempts=-1)
    epochs = {}  # of each sheet, by the subject of its status: keep them with what you store
    while True:
        try:  # also where the consumer is gone: the stream was made again or restored
            await follow(nc.jetstream(), epochs)
        except nats.errors.Error:
            await asyncio.sleep(1)  # nothing new, or the server is away for a moment


asyncio.run(main())
