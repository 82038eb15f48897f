"""The log has what somebody may have to be called for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs

from escalator.model.codes import Code
from escalator.model.errors import TemporaryError
from escalator.model.progress import Event
from escalator.storage.history import Events
from escalator.storage.memory import memory_store
from escalator.upgrade_manager.history_log import log_history

SKIPPED = Event(
    at=2.0, action="node.notify", campaign="c", node="cn-1", outcome="skipped", code=Code.UPG_REJECTED.value, message="no"
)


class Meanwhile:
    """A clock on which something comes between two looks, and that stops after the last."""

    def __init__(self, events: Events, *pages: Sequence[Event]) -> None:
        self._events = events
        self._pages = list(pages)

    def now(self) -> float:
        return 0.0

    async def sleep(self, _: float) -> None:
        if not self._pages:
            raise asyncio.CancelledError
        await self._events.append(self._pages.pop(0))


async def test_campaigns_and_codes_are_logged_and_nothing_of_before() -> None:
    events = memory_store().events
    await events.append([Event(at=1.0, action="campaign.start", campaign="earlier")])
    clock = Meanwhile(
        events,
        [SKIPPED, Event(at=3.0, action="node.upgrade", campaign="c", node="cn-2", outcome="done")],
        [Event(at=4.0, action="campaign.pause", campaign="c", message="CHG-1")],
        [Event(at=5.0, action="notice.answered", campaign="c", code=Code.UPG_REJECTED.value)],
    )
    with capture_logs() as lines, pytest.raises(asyncio.CancelledError):
        await log_history(events, clock)
    assert [(line["event"], line["log_level"], line.get("node"), line["message"], line.get("code")) for line in lines] == [
        ("node.notify", "warning", "cn-1", "no", "ESC-UPG-011"),
        ("campaign.pause", "info", None, "CHG-1", None),
    ]


class Away:
    """Events of a storage that does not answer when it is asked for the first time, and for the third and fourth."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._asked = 0

    async def last(self) -> int:
        self._ask()
        return await self._events.last()

    async def read(self, after: int = 0, *, limit: int = 1000) -> Sequence[Event]:
        self._ask()
        return await self._events.read(after, limit=limit)

    def _ask(self) -> None:
        self._asked += 1
        if self._asked in (1, 4, 5):
            raise TemporaryError(Code.STO_UNAVAILABLE, "The database does not answer.")


async def test_a_storage_that_does_not_answer_for_a_while_ends_nothing_and_what_came_is_logged_afterwards() -> None:
    events = memory_store().events
    clock = Meanwhile(events, [], [SKIPPED], [], [])
    with capture_logs() as lines, pytest.raises(asyncio.CancelledError):
        await log_history(Away(events), clock)  # type: ignore[arg-type]
    assert [line["event"] for line in lines] == ["history.unread", "history.unread", "node.notify"]
