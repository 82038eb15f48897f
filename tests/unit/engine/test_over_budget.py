"""When nodes that failed or were left out stop a campaign, and which of them count first."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from escalator.model.codes import Code
from escalator.model.progress import CampaignState, NodeTask, TaskState
from escalator.simulation.setup import RELEASE, import_release, simulate
from escalator.upgrade_manager.engine.drive import _board
from escalator.upgrade_manager.engine.failures import over_budget
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.runtimes.virtual_time import VirtualClock
from escalator.world.world import World

HOOK, INSTALL = Code.SYS_HOOK.value, Code.SYS_INSTALL.value
Ended = tuple[TaskState, str, str]


def _after(ended: Sequence[Ended], failure: Mapping[str, object], skipped: Sequence[str] = ()) -> tuple[str, str]:
    """State and reason of a campaign whose first nodes ended like this, some of which a person skips then."""

    async def play() -> tuple[str, str]:
        clock = VirtualClock()
        world = World.in_memory(clock)
        world.seed(nodes=4, seed=1)
        async with simulate(world, clock) as sim:
            spec = {"release": RELEASE.id, "mode": "smooth", "scope": {"select": {}}, "node": {"driver": "simulated"}}
            spec |= {"failure": failure}
            document = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": spec}
            await import_release(sim.store, RELEASE, clock.now())
            await sim.campaigns.create(json.dumps(document))
            nodes = sorted((await sim.campaigns.plan("c")).upgrade_of)
            for node in nodes:
                await sim.store.tasks.put(NodeTask(campaign="c", node=node, wave=1))
            await sim.store.campaigns.change("c", (CampaignState.PLANNED,), (), state=CampaignState.RUNNING)
            for node, (state, code, message) in zip(nodes, ended, strict=False):
                task = NodeTask(campaign="c", node=node, wave=1, state=state, code=code, message=message)
                await sim.store.tasks.put(replace(task, updated_at=clock.now()))
            for node in skipped:
                await sim.campaigns.skip("c", node)
            campaign = await sim.ctx.book.campaign("c")
            await over_budget(sim.ctx, "c", campaign, await _board(sim.ctx, "c", campaign))
            row = await sim.store.campaigns.get("c")
            assert row is not None
            return row.state.value, row.reason

    return virtual_time.run(play())


def failed(code: str = HOOK) -> Ended:
    return TaskState.ROLLED_BACK, code, "it failed"


def left_out(code: str = HOOK, message: str = "its check says no") -> Ended:
    return TaskState.SKIPPED, code, message


def test_failures_beyond_what_is_allowed_end_a_campaign_as_it_says_before_those_left_out_are_counted() -> None:
    state, reason = _after([left_out(), left_out(), failed(INSTALL)], {"then": "abort", "max_failed": 0, "same_error": 2})
    assert (state, reason) == ("aborting", "1 node failed, last cn-0003: it failed")


def test_failures_alike_end_it_so_before_they_are_counted_with_those_left_out() -> None:
    ended = [left_out(), failed(), failed()]
    state, reason = _after(ended, {"then": "abort", "max_failed": 9, "same_error": 2})
    assert (state, reason) == ("aborting", f"2 nodes failed with {HOOK}, last cn-0002: it failed")


def test_failures_within_what_is_allowed_count_together_with_those_left_out_alike() -> None:
    state, reason = _after([left_out(), failed()], {"then": "abort", "max_failed": 9, "same_error": 2})
    assert (state, reason.split(",")[0]) == ("suspended", f"2 nodes were left out or failed with {HOOK}")


@pytest.mark.parametrize("other", [INSTALL, "ESC-VIM-003"])
def test_nodes_left_out_for_different_reasons_or_by_a_vnf_manager_do_not_count(other: str) -> None:
    assert _after([left_out(), left_out(other)], {"same_error": 2})[0] == "running"


def test_a_failed_node_that_a_person_leaves_out_does_not_count() -> None:
    assert _after([left_out(), failed()], {"max_failed": 9, "same_error": 2}, ["cn-0002"])[0] == "running"


def test_what_a_command_says_makes_no_person_of_it() -> None:
    said = left_out(message="left out by a person: so says the check")
    assert _after([said, said], {"same_error": 2})[0] == "suspended"
