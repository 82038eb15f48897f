"""What a second freeze changes: its reason, where it brings one. And what a person is told to do while all is frozen."""

from __future__ import annotations

import pytest

from escalator.model.codes import Code
from escalator.model.errors import TemporaryError
from escalator.simulation.setup import simulate
from escalator.upgrade_manager.engine.freeze import Freeze, current_freeze
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.runtimes.virtual_time import VirtualClock
from escalator.upgrade_manager.freezing import begin_freeze, end_freeze
from escalator.world.world import World
from scenarios.stage import Stage, staged


async def _frozen(*reasons: str) -> tuple[float, Freeze]:
    clock = VirtualClock()
    world = World.in_memory(clock)
    world.seed(nodes=3, seed=1)
    async with simulate(world, clock) as sim:
        start = clock.now()
        for reason in reasons:
            made = await begin_freeze(sim.ctx, reason)
            await clock.sleep(60.0)
        return start, made


@pytest.mark.parametrize(
    ("reasons", "kept"),
    [(("storm", ""), "storm"), (("storm", "flood"), "flood"), (("", "storm"), "storm"), (("", ""), "")],
)
def test_all_stays_frozen_since_the_first_time_and_for_the_last_reason_that_was_given(
    reasons: tuple[str, ...], kept: str
) -> None:
    start, made = virtual_time.run(_frozen(*reasons))
    assert made == Freeze(start, kept)


def test_while_all_is_frozen_its_end_is_what_can_be_done_and_no_time_is_promised() -> None:
    async def shown() -> tuple[list[str], float | None]:
        async with staged() as stage:
            await stage.play("world nodes=3 seed=1\ncampaign a\nplan a\nstart a\nuntil a node.notify\nfreeze storm\nwait 60")
            view = await stage.sim.campaigns.show("a")
            return list(view.next), view.eta_s

    verbs, eta_s = virtual_time.run(shown())
    assert verbs[0] == "escalator freeze end"
    assert eta_s is None


def test_a_campaign_shows_the_last_reason_that_was_given() -> None:
    async def shown() -> str:
        async with staged() as stage:
            await stage.play("world nodes=3 seed=1\ncampaign a\nplan a\nfreeze storm\nstart a\nwait 60\nfreeze flood\nwait 60")
            row = await stage.sim.store.campaigns.get("a")
            return "" if row is None else row.reason

    assert virtual_time.run(shown()) == "everything is frozen: flood; it ends with escalator freeze end"


BEGUN = "world nodes=3 seed=1\ncampaign a\nplan a\nstart a\nuntil a node.notify"


async def _refused(*_: object, **__: object) -> None:
    raise TemporaryError(Code.STO_UNAVAILABLE, "database or disk is full")


def test_a_freeze_that_is_in_force_does_not_fail_because_nothing_else_can_be_written() -> None:
    async def begun_and_ended() -> tuple[Freeze | None, Freeze, bool, Freeze | None]:
        async with staged() as stage:
            await stage.play(BEGUN)
            ctx = stage.sim.ctx
            # The freeze took the last room: neither its line in the history nor a message to a node has any.
            ctx.store.events.append = _refused  # type: ignore[method-assign]
            stage.sim.engine.send = _refused  # type: ignore[method-assign]
            made = await begin_freeze(ctx, "storm")
            held = await current_freeze(ctx)
            return held, made, await end_freeze(ctx), await current_freeze(ctx)

    held, made, ended, after = virtual_time.run(begun_and_ended())
    assert (held, ended, after) == (made, True, None)


async def _with_full_disk(stage: Stage, *, stored: bool) -> str:
    tasks = stage.sim.ctx.store.tasks
    remember = tasks.remember

    async def failing(task: str, key: str, value: object, *, once: bool = False) -> object:
        if stored:
            await remember(task, key, value, once=once)
        return await _refused()

    tasks.remember = failing  # type: ignore[method-assign]
    try:
        made = await begin_freeze(stage.sim.ctx, "storm")
    except TemporaryError as error:
        return error.message
    finally:
        tasks.remember = remember  # type: ignore[method-assign]
    return made.reason


@pytest.mark.parametrize(
    ("before", "stored", "said", "kept"),
    [
        ("", False, "Nothing is frozen by this: database or disk is full", ""),
        ("\nfreeze flood", False, "All stays frozen, for the reason given before: database or disk is full", "flood"),
        ("", True, "storm", "storm"),
    ],
)
def test_a_freeze_that_is_not_stored_says_what_holds(before: str, stored: bool, said: str, kept: str) -> None:
    async def asked() -> tuple[str, str]:
        async with staged() as stage:
            await stage.play(f"{BEGUN}{before}")
            answer = await _with_full_disk(stage, stored=stored)
            found = await current_freeze(stage.sim.ctx)
            return answer, "" if found is None else found.reason

    assert virtual_time.run(asked()) == (said, kept)
