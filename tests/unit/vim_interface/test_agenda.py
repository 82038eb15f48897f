from __future__ import annotations

import asyncio

from beds.vnfm.clocks import START, SteppedClock, quiet
from escalator.vim_interface.agenda import Agenda, Entry

A, B = Entry("deadline", "a"), Entry("deadline", "b")


class Reader:
    """Collects what becomes due."""

    def __init__(self, agenda: Agenda) -> None:
        self.found: list[tuple[float, str]] = []
        self._agenda = agenda
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            self.found += [(at - START, entry.key) for at, entry in await self._agenda.due()]

    async def stop(self) -> None:
        self._task.cancel()
        self._agenda.close()
        await asyncio.gather(self._task, return_exceptions=True)
        await quiet()


async def test_entries_are_due_in_the_order_of_their_times():
    clock = SteppedClock()
    agenda = Agenda(clock)
    reader = Reader(agenda)
    agenda.put(START + 20, A)
    await quiet()
    agenda.put(START + 10, B)
    await clock.advance(9.9)
    assert reader.found == []
    await clock.advance(30)
    assert reader.found == [(10, "b"), (20, "a")]
    await reader.stop()


async def test_an_entry_put_again_moves_and_is_due_once():
    clock = SteppedClock()
    agenda = Agenda(clock)
    reader = Reader(agenda)
    agenda.put(START + 10, A)
    agenda.put(START + 20, A)
    await clock.advance(15)
    assert reader.found == []
    agenda.put(START + 16, A)
    await clock.advance(15)
    assert reader.found == [(16, "a")]
    await reader.stop()


async def test_a_dropped_entry_is_never_due_and_keeps_nobody_awake():
    clock = SteppedClock()
    agenda = Agenda(clock)
    reader = Reader(agenda)
    agenda.put(START + 10, A)
    await quiet()
    assert clock.sleeping == 1
    agenda.drop(A)
    agenda.put(START, B)
    await quiet()
    assert clock.sleeping == 0
    await clock.advance(60)
    assert reader.found == [(0, "b")]
    await reader.stop()


async def test_nothing_is_polled_while_nothing_is_due():
    clock = SteppedClock()
    agenda = Agenda(clock)
    reader = Reader(agenda)
    await quiet()
    assert clock.sleeping == 0
    await reader.stop()


async def test_a_sleep_that_ends_a_little_early_does_not_make_it_spin():
    clock = SteppedClock(START - 0.0004)
    agenda = Agenda(clock)
    reader = Reader(agenda)
    agenda.put(START, A)
    await quiet()
    # It counts as due, and as of its own time.
    assert reader.found == [(0, "a")]
    await reader.stop()
