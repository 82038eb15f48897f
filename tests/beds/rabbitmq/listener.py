"""A listener to notifications, in a process of its own: one JSON line for each on standard output.

With `oslo` it is oslo.messaging's own, which unpacks the envelope by itself; that needs a Python that has it. Without, the
envelope is unpacked by hand.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from typing import Any

_SAYING = threading.Lock()


def say(event_type: str, message_id: str, publisher: str, payload: Any, timestamp: str) -> None:
    line = {"event_type": event_type, "message_id": message_id, "publisher_id": publisher, "payload": payload}
    # oslo.messaging calls from several threads: `print` would write the line and its end apart.
    with _SAYING:
        print(json.dumps({**line, "timestamp": timestamp}), flush=True)


def oslo(url: str, exchange: str, topic: str) -> None:
    import oslo_messaging  # noqa: PLC0415 - the other environment does not have it
    from oslo_config import cfg  # noqa: PLC0415 - the other environment does not have it

    class Endpoint:
        def info(self, _: Any, publisher_id: str, event_type: str, payload: Any, metadata: Any) -> None:
            say(event_type, metadata["message_id"], publisher_id, payload, metadata["timestamp"])

    configuration = cfg.ConfigOpts()
    configuration([])
    transport = oslo_messaging.get_notification_transport(configuration, url="rabbit" + url.removeprefix("amqp"))
    target = oslo_messaging.Target(topic=topic, exchange=exchange)
    listener = oslo_messaging.get_notification_listener(transport, [target], [Endpoint()], executor="threading")
    listener.start()
    print("ready", flush=True)
    listener.wait()


async def by_hand(url: str, exchange: str, topic: str) -> None:
    import aio_pika  # noqa: PLC0415 - the other environment does not have it

    connection = await aio_pika.connect(url)
    channel = await connection.channel()
    await channel.declare_exchange(exchange, aio_pika.ExchangeType.TOPIC)
    queue = await channel.declare_queue(f"{topic}.info")
    await queue.bind(exchange, f"{topic}.info")
    print("ready", flush=True)
    async with queue.iterator() as messages:
        async for message in messages:
            async with message.process():
                assert message.content_type == "application/json"
                envelope = json.loads(message.body)
                assert envelope["oslo.version"] == "2.0"
                said = json.loads(envelope["oslo.message"])
                assert said["priority"] == "INFO"
                say(said["event_type"], said["message_id"], said["publisher_id"], said["payload"], said["timestamp"])


if __name__ == "__main__":
    how, *arguments = sys.argv[1:]
    if how == "oslo":
        oslo(*arguments)
    else:
        asyncio.run(by_hand(*arguments))
