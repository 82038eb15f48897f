"""The line of an orchestrator: what is added in the moment in which it was found empty is not left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from beds.vnfm.clocks import SteppedClock, quiet
from escalator.model.notice import Notice, NoticeType
from escalator.settings import Vim as Limits
from escalator.storage.memory import memory_store
from escalator.vim_interface.agenda import Agenda
from escalator.vim_interface.in_order import InOrder


async def test_what_is_added_while_the_line_is_found_empty_goes_out_at_once() -> None:
    clock, store = SteppedClock(), memory_store()
    told: list[str] = []
    answered = asyncio.Event()
    read = store.notices.due

    async def slow(now: float, limit: int = 100, to: str | None = None) -> Sequence[Notice]:
        """Storage that has read, and whose answer is on its way."""
        found = await read(now, limit, to)
        await answered.wait()
        return found

    async def hand_over(notice: Notice) -> None:
        told.append(notice.id)

    store.notices.due = slow  # type: ignore[method-assign]  # slower, and otherwise the same
    line = InOrder(store, Agenda(clock), clock, Limits(), hand_over)
    first = asyncio.create_task(line.move("nfvo", clock.now()))
    await quiet()
    notice = Notice(id="n1", type=NoticeType.CAPACITY_TAKEN, vnfm="nfvo", campaign="c", created_at=clock.now())
    await store.notices.add([notice])
    await line.move("nfvo", clock.now())
    answered.set()
    await first
    assert told == ["n1"]
