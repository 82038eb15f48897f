"""Who counts as out of service, seen between the lines of a script."""

from __future__ import annotations

from escalator.upgrade_manager.engine.runtimes import virtual_time
from scenarios.stage import staged

HELD = """
world nodes=4 seed=1
fault kind=upgrade node=cn-0003 first=1
campaign agent failure.on_node_failure=rollback-hold
plan agent
start agent
run agent
retry agent cn-0003
"""


def _slots(script: str) -> list[str]:
    async def play() -> list[str]:
        async with staged() as stage:
            await stage.play(HELD + script)
            return [slot.node for slot in await stage.sim.store.admission.node_slots()]

    return virtual_time.run(play())


def test_a_node_that_is_held_out_of_service_keeps_its_slot_when_it_is_aborted_before_its_next_turn() -> None:
    assert _slots("abort agent\nrun agent") == ["cn-0003"]


def test_one_that_a_person_has_put_back_in_service_gives_it_back() -> None:
    assert _slots("enable cn-0003\nabort agent\nrun agent") == []


def test_it_gives_it_back_when_it_was_put_back_after_the_abort_and_the_campaign_goes_on() -> None:
    assert _slots("abort agent\nrun agent\nenable cn-0003\nresume agent\nrun agent") == []
