"""Fixtures of the message bus: a real RabbitMQ, and a listener in a process of its own.

Without RabbitMQ the tests are skipped, unless ESCALATOR_REQUIRE_REAL names `openstack`, whose bed needs it, too: then they fail.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from beds.rabbitmq.server import Broker, MissingError

__all__ = ["rabbitmq_server"]


@pytest.fixture(scope="session")
def rabbitmq_server() -> Iterator[Broker]:
    try:
        broker = Broker()
    except MissingError as error:
        if "openstack" in os.environ.get("ESCALATOR_REQUIRE_REAL", ""):
            pytest.fail(f"ESCALATOR_REQUIRE_REAL asks for it, and {error}")
        pytest.skip(str(error))
    yield broker
    broker.close()
