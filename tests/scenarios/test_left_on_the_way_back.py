"""A way back that leaves nodes as they are, or is called off, says so, and can be asked for again."""

from __future__ import annotations

from typing import Any

import pytest

from escalator.model.codes import Code
from escalator.model.errors import ConflictError
from escalator.model.progress import CampaignState, TaskKind, TaskState, counts_of
from escalator.storage.port import CampaignRow
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.rollback import RollbackService
from scenarios.stage import Stage, staged

NODES = ("cn-0001", "cn-0002", "cn-0003", "cn-0004")
NIGHTS = 'windows=[{"days":["thu"],"start":"01:00","length_s":36000}]'
UPGRADED = "world nodes=4 seed=1 fill=35\ncampaign agent waves.max_unavailable=1 {}\nplan agent\nstart agent\nrun agent"


async def _seen(stage: Stage) -> dict[str, Any]:
    view = await stage.sim.campaigns.show("agent")
    runs = {node: dict(stage.world.software.look(node).packages) for node in NODES}
    return {
        "state": view.row.state,
        "reason": view.row.reason,
        "next": view.next,
        "done": counts_of(view.row.state, view.tasks).done,
        "kinds": {task.node: (task.kind, task.state) for task in view.tasks},
        "tries": set(view.tries.values()),
        "new": sum("2.0.0" in str(packages) for packages in runs.values()),
    }


async def _rests(stage: Stage, *states: CampaignState) -> None:
    for _ in range(20_000):
        if (await stage.sim.campaigns.show("agent")).row.state in states:
            await stage.clock.sleep(300)
            return
        await stage.clock.sleep(60)
    raise AssertionError((await stage.sim.campaigns.show("agent")).row)


async def _left(skipped: tuple[str, ...], settings: str = NIGHTS) -> list[dict[str, Any]]:
    """What is seen once these nodes were left on the way back, and after a second way back."""
    async with staged() as stage:
        await stage.play(UPGRADED.format(settings))
        await stage.play("wait 86400\nrollback agent\nwait 600")
        await stage.play("\n".join(f"skip agent {node} it is sound" for node in skipped))
        await _rests(stage, *OVER)
        first = await _seen(stage)
        await stage.sim.campaigns.back.rollback("agent", "now all of it")
        await _rests(stage, CampaignState.ROLLED_BACK, CampaignState.ROLLBACK_FAILED)
        second = await _seen(stage)
        with pytest.raises(ConflictError) as commit:
            await stage.sim.campaigns.back.commit("agent")
        return [first, second, {"broken": await stage.invariants(), "commit": commit.value}]


OVER = (CampaignState.COMPLETED, CampaignState.ABORTED, CampaignState.ROLLED_BACK)
AS_UPGRADED = (TaskKind.UPGRADE, TaskState.DONE)


def test_a_way_back_on_which_every_node_is_left_is_none_and_can_be_asked_for_again() -> None:
    first, second, rest = virtual_time.run(_left(NODES))
    assert (first["state"], first["new"], first["done"]) == (CampaignState.COMPLETED, 4, 4)
    assert first["reason"].startswith("0 of 4 nodes taken back, not: cn-0001 left as it is by a person: it is sound")
    assert first["kinds"] == dict.fromkeys(NODES, AS_UPGRADED)
    assert first["tries"] == {1}
    assert first["next"] == ["escalator campaign rollback agent", "escalator campaign commit agent"]
    assert (second["state"], second["new"], second["done"]) == (CampaignState.ROLLED_BACK, 0, 4)
    assert "escalator backup prune --release nfvi-agent/2.0.0" in rest["commit"].remedy
    assert not rest["broken"]


def test_a_way_back_that_leaves_some_nodes_is_not_a_whole_one() -> None:
    first, second, rest = virtual_time.run(_left(("cn-0002",)))
    assert (first["state"], first["new"], first["done"]) == (CampaignState.ABORTED, 1, 1)
    assert first["reason"] == "3 of 4 nodes taken back, not: cn-0002 left as it is by a person: it is sound"
    assert first["kinds"] == dict.fromkeys(NODES, (TaskKind.ROLLBACK, TaskState.DONE)) | {"cn-0002": AS_UPGRADED}
    assert (second["state"], second["new"]) == (CampaignState.ROLLED_BACK, 0)
    assert not rest["broken"]


async def _called_off(script: str) -> list[dict[str, Any]]:
    async with staged() as stage:
        await stage.play(UPGRADED.format(NIGHTS) + f"\nwait 86400\nrollback agent\n{script}")
        before = await _seen(stage)
        await stage.sim.campaigns.abort("agent", "the VNF was it")
        await _rests(stage, *OVER)
        first = await _seen(stage)
        await stage.play("rollback agent")
        await _rests(stage, CampaignState.ROLLED_BACK, CampaignState.ROLLBACK_FAILED)
        return [before, first, await _seen(stage), {"broken": await stage.invariants()}]


@pytest.mark.parametrize("script", ["", "wait 600", "wait 600\npause agent", "wait 600\npause agent\nresume agent"])
def test_a_way_back_of_which_nothing_has_begun_is_called_off_and_can_be_asked_for_again(script: str) -> None:
    before, first, second, rest = virtual_time.run(_called_off(script))
    assert "escalator campaign abort agent" in before["next"]
    assert (first["state"], first["new"], first["done"]) == (CampaignState.COMPLETED, 4, 4)
    assert first["reason"] == "the way back was called off by a person: the VNF was it"
    assert first["kinds"] == dict.fromkeys(NODES, AS_UPGRADED)
    assert (second["state"], second["new"]) == (CampaignState.ROLLED_BACK, 0)
    assert not rest["broken"]


async def _begun() -> tuple[ConflictError, list[str], CampaignState]:
    async with staged() as stage:
        await stage.play(UPGRADED.format("") + "\nrollback agent\nuntil agent node.roll-back\npause agent")
        with pytest.raises(ConflictError) as caught:
            await stage.sim.campaigns.abort("agent")
        seen = await _seen(stage)
        await stage.play("resume agent\nrun agent")
        return caught.value, seen["next"], (await _seen(stage))["state"]


def test_a_way_back_that_has_begun_is_not_called_off() -> None:
    refused, verbs, end = virtual_time.run(_begun())
    assert refused.code is Code.UPG_STATE
    assert "has begun to take nodes back: cn-000" in refused.message
    assert verbs == ["escalator campaign resume agent"]
    assert end is CampaignState.ROLLED_BACK


async def _previewed_while_it_runs() -> tuple[list[str], list[str], CampaignState]:
    async with staged() as stage:
        await stage.play("world nodes=4 seed=1 fill=35\ncampaign agent waves.max_unavailable=1\nplan agent\nstart agent")
        await stage.play("until agent node.uncordon")
        done = [task.node for task in (await stage.sim.campaigns.show("agent")).tasks if task.state is TaskState.DONE]
        plans = await stage.sim.store.campaigns.list_plans("agent")
        plan = await stage.sim.campaigns.back.preview("agent")
        assert await stage.sim.store.campaigns.list_plans("agent") == plans
        await stage.play("run agent")
        return done, [upgrade.node for upgrade in plan.upgrades], (await _seen(stage))["state"]


def test_what_a_rollback_would_do_is_shown_while_the_campaign_runs() -> None:
    done, shown, end = virtual_time.run(_previewed_while_it_runs())
    assert done
    assert set(done) <= set(shown)
    assert end is CampaignState.COMPLETED


async def _last_word_too_late(monkeypatch: pytest.MonkeyPatch) -> tuple[CampaignState, list[str]]:
    """A person leaves the last node while the way back is about to wait for people: it does not see that before."""
    async with staged() as stage:
        await stage.play(UPGRADED.format(""))
        await stage.play("fault kind=rollback node=cn-0002\nrollback agent\nrun agent")
        assert (await stage.sim.campaigns.show("agent")).row.state is CampaignState.ROLLBACK_FAILED

        async def seen_under_way(back: RollbackService, row: CampaignRow) -> None:
            back._ctx.signals.wake(row.name)

        monkeypatch.setattr(RollbackService, "_if_failed", seen_under_way)
        await stage.play("skip agent cn-0002 it is sound\nwait 600\nrun agent")
        await stage.play("skip agent cn-0003\nskip agent cn-0004\nwait 600\nrun agent\nheld cn-0002")
        return (await stage.sim.campaigns.show("agent")).row.state, list(await stage.invariants())


def test_the_last_word_of_a_person_counts_whenever_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    state, broken = virtual_time.run(_last_word_too_late(monkeypatch))
    assert state is CampaignState.ABORTED
    assert broken == []
