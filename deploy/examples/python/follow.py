# Reads the sheets as they are, then follows them. Killed and started again it
# goes on where it was. Needs: pip install "nats-py[nkeys]"
import asyncio
import os

import nats
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy


async def main():
    nc = await nats.connect(os.environ["NATS_URL"], user_credentials=os.environ["NATS_CREDS"], max_reconnect_attempts=-1)
    config = ConsumerConfig(
        deliver_policy=DeliverPolicy.LAST_PER_SUBJECT, ack_policy=AckPolicy.EXPLICIT,
        max_ack_pending=1,  # one at a time: in order, whenever we are killed
        ack_wait=5)  # seconds
    consumer = await nc.jetstream().pull_subscribe(">", durable="erp-python", stream="EVENTS", config=config)
    while True:
        try:
            [m] = await consumer.fetch(1, timeout=30)
        except nats.errors.TimeoutError:
            continue  # nothing new, or the server is away for a moment
        print(m.subject, m.data.decode(), flush=True)  # one subject is one object: `after` is its state, null is gone
        await m.ack_sync()  # once it is stored with you


asyncio.run(main())
