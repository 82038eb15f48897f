"""A cloud that refuses to put quotas back: they stay on the sheet, which is told once, and nothing waits for them."""

from __future__ import annotations

from escalator.model.progress import CampaignState, Restoration
from escalator.upgrade_manager.engine.runtimes import virtual_time
from scenarios.stage import staged

LOCKED = """
world nodes=4 seed=1
quota core 500 900000 100
campaign agent workloads.scale_up=lock
plan agent
start agent
until agent node.announce cn-0002 done
fault kind=quota
"""


def _played(script: str) -> tuple[CampaignState, list[Restoration], list[str]]:
    """How the campaign ended, what is on the sheet, and what was told of quotas that could not be put back."""

    async def play() -> tuple[CampaignState, list[Restoration], list[str]]:
        async with staged() as stage:
            await stage.play(LOCKED + script)
            state = await stage.sim.store.campaigns.state("agent")
            assert state is not None
            rows = [row for row in await stage.sim.store.restorations.open("agent") if row.kind == "quota"]
            return state, rows, [line for line in stage.lines if "quota.unlocked" in line and "not put back" in line]

    return virtual_time.run(play())


def test_a_campaign_completes_and_names_them() -> None:
    state, rows, told = _played("run agent")
    assert state is CampaignState.COMPLETED
    assert [row.object_id for row in rows] == ["core", "user-plane", "voice"]
    assert len(told) == 3


def test_an_aborted_one_calls_a_person_and_ends_when_they_are_put_back() -> None:
    state, rows, told = _played("abort agent\nrun agent")
    assert (state, len(rows), len(told)) == (CampaignState.SUSPENDED, 3, 3)
    state, rows, told = _played("abort agent\nrun agent\nfaults none\nabort agent\nrun agent")
    assert (state, rows, len(told)) == (CampaignState.ABORTED, [], 3)


def test_a_restore_waits_for_no_quota() -> None:
    state, _, _ = _played("faults none\nrun agent\nfault kind=quota\nrollback agent\nrun agent\nrestore agent\nrun agent")
    assert state is CampaignState.RESTORED
