"""Nodes that are left out one after the other for one and the same cause: a person is called before that was all of them."""

from __future__ import annotations

from escalator.model.codes import Code
from escalator.model.progress import CampaignState, TaskState
from escalator.upgrade_manager.engine.runtimes import virtual_time
from scenarios.stage import staged

LACKS = """
world nodes=12 seed=1
campaign agent node.driver=simulated node.hooks.preflight=[bmc] waves.max_unavailable=1 {more}
plan agent
fault kind=command command=bmc
start agent
run agent
"""


def _after(script: str, *more: str) -> tuple[CampaignState, str, str, int]:
    """State, code and reason of the campaign, and how many nodes were left out."""

    async def play() -> tuple[CampaignState, str, str, int]:
        async with staged() as stage:
            await stage.play("\n".join((script, *more)))
            row = await stage.sim.store.campaigns.get("agent")
            assert row is not None
            tasks = await stage.sim.store.tasks.list("agent")
            return row.state, row.code, row.reason, sum(task.state is TaskState.SKIPPED for task in tasks)

    return virtual_time.run(play())


def test_two_that_are_left_out_with_one_code_suspend_the_campaign() -> None:
    state, code, reason, left = _after(LACKS.format(more=""))
    assert (state, code, left) == (CampaignState.SUSPENDED, Code.UPG_FAILURES.value, 2)
    assert reason.startswith("2 nodes were left out or failed with ESC-SYS-040, last ")


def test_as_many_as_the_campaign_says() -> None:
    assert _after(LACKS.format(more="failure.same_error=4"))[3] == 4


def test_whoever_resumes_has_seen_those_and_is_called_again_for_the_next() -> None:
    state, _, reason, left = _after(LACKS.format(more=""), "resume agent", "run agent")
    assert (state, left) == (CampaignState.SUSPENDED, 4)
    assert reason.startswith("2 nodes were left out or failed")


def test_what_a_person_leaves_out_calls_nobody() -> None:
    script = "world nodes=4 seed=1\ncampaign agent node.driver=simulated\nplan agent\nstart agent"
    skips = ("skip agent cn-0001", "skip agent cn-0002", "skip agent cn-0003", "run agent")
    state, _, _, left = _after(script, *skips)
    assert (state, left) == (CampaignState.COMPLETED, 3)
