"""A step's time-out stands still while all that the step does waits at a door."""

from __future__ import annotations

import asyncio

import pytest

from escalator.upgrade_manager.engine.deadline import Deadline
from escalator.upgrade_manager.engine.runtimes import virtual_time


def timed(*parts: tuple[str, float], limit_s: float = 100.0) -> float:
    """Go through the parts, each working or waiting so long, in virtual time; the seconds that all of it took."""

    async def run() -> float:
        loop = asyncio.get_running_loop()
        began, deadline = loop.time(), Deadline()
        async with asyncio.timeout(limit_s) as limit:
            deadline.over(limit)
            for what, seconds in parts:
                if what == "waits":
                    with deadline.waiting():
                        await asyncio.sleep(seconds)
                else:
                    await asyncio.sleep(seconds)
        return loop.time() - began

    return virtual_time.run(run())


def test_waiting_at_doors_takes_nothing_of_the_time() -> None:
    assert timed(("works", 50), ("waits", 500), ("works", 40), ("waits", 500)) == pytest.approx(1090)


def test_work_beyond_the_time_ends_the_step_however_long_it_waited() -> None:
    with pytest.raises(TimeoutError):
        timed(("works", 60), ("waits", 500), ("works", 60))


def test_one_of_two_that_waits_does_not_stop_the_clock() -> None:
    async def one(deadline: Deadline, waits_s: float, works_s: float) -> None:
        with deadline.busy():
            with deadline.waiting():
                await asyncio.sleep(waits_s)
            await asyncio.sleep(works_s)

    async def run(*parts: tuple[float, float]) -> float:
        loop = asyncio.get_running_loop()
        began, deadline = loop.time(), Deadline()
        async with asyncio.timeout(100.0) as limit:
            deadline.over(limit)
            await asyncio.gather(*(one(deadline, *part) for part in parts))
        return loop.time() - began

    # 500 s both wait; then one works for 30 s; then the other one still waits alone, and the clock stands again.
    assert virtual_time.run(run((500, 30), (600, 30))) == pytest.approx(630)
    with pytest.raises(TimeoutError):
        virtual_time.run(run((10, 200), (600, 30)))


def test_without_a_time_out_it_is_inert() -> None:
    async def run() -> None:
        with Deadline().waiting():
            await asyncio.sleep(1)

    virtual_time.run(run())
