"""A way back waits for its maintenance windows, says until when, and begins at once where a person accepts that."""

from __future__ import annotations

from typing import Any

from escalator.model.codes import Code
from escalator.model.progress import CampaignState
from escalator.upgrade_manager.engine.proof import prove
from escalator.upgrade_manager.engine.runtimes import virtual_time
from scenarios.stage import Stage, staged

UPGRADED = """world nodes=3 seed=1
campaign agent windows=[{"days":["thu","sun"],"start":"01:00","length_s":36000}]
plan agent
start agent
run agent
wait 86400"""
OPENS = "Sun 2026-01-04 01:00 (+00:00)"


async def _rolled_back(stage: Stage, *, outside: bool) -> dict[str, Any]:
    back = stage.sim.campaigns.back
    preview = await back.preview("agent", outside_windows=outside)
    asked_at = stage.clock.now()
    row = await back.rollback("agent", "calls drop", outside_windows=outside)
    waits = await back.waits("agent")
    await stage.play("run agent")
    after = await stage.sim.campaigns.show("agent")
    return {
        "noted": [c.message for c in preview.conditions if c.code == Code.PLN_WINDOW.value and c.remedy],
        "reason": row.reason,
        "waits": waits,
        "state": after.row.state,
        "took_s": (after.row.ended_at or 0.0) - asked_at,
        "violations": [violation.message for violation in (await prove(stage.sim.ctx, "agent")).violations],
        "broken": await stage.invariants(),
    }


async def _played(*, outside: bool) -> dict[str, Any]:
    async with staged() as stage:
        await stage.play(UPGRADED)
        return await _rolled_back(stage, outside=outside)


async def _once_waiting() -> tuple[str, dict[str, Any]]:
    """It waits already, and is called off to go at once."""
    async with staged() as stage:
        await stage.play(UPGRADED + "\nrollback agent\nwait 600")
        await stage.sim.campaigns.abort("agent")
        await stage.play("wait 600")
        return (await stage.sim.campaigns.show("agent")).row.state, await _rolled_back(stage, outside=True)


def test_without_more_it_waits_and_says_until_when() -> None:
    seen = virtual_time.run(_played(outside=False))
    assert seen["noted"] == [f"it begins when its window opens: {OPENS}"]
    assert seen["waits"].startswith(f"No node goes back before its window opens: {OPENS}. Without waiting: ")
    assert (seen["state"], seen["reason"]) == (CampaignState.ROLLED_BACK, "calls drop")
    assert seen["took_s"] > 86400


def test_outside_of_windows_it_begins_at_once_and_the_history_says_who_accepted_that() -> None:
    seen = virtual_time.run(_played(outside=True))
    assert (seen["noted"], seen["waits"]) == ([], "")
    assert seen["reason"] == "calls drop; accepted outside of its maintenance windows by a person"
    assert seen["state"] is CampaignState.ROLLED_BACK
    assert seen["took_s"] < 4 * 3600
    assert not seen["violations"]
    assert not seen["broken"]


def test_one_that_waits_is_called_off_to_begin_at_once() -> None:
    state, seen = virtual_time.run(_once_waiting())
    assert state is CampaignState.COMPLETED
    assert (seen["state"], seen["violations"], seen["broken"]) == (CampaignState.ROLLED_BACK, [], [])
    assert seen["took_s"] < 4 * 3600
