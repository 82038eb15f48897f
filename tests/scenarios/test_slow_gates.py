"""Gates that take minutes: what was seen of the cloud before is not what decides after them."""

from __future__ import annotations

import pytest

from escalator.model.campaign import Campaign
from escalator.model.progress import NodeTask, TaskState
from escalator.upgrade_manager.engine import gates
from escalator.upgrade_manager.engine.board import Board
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.runtimes import virtual_time
from scenarios.stage import Stage, staged

SLOW = """
world nodes=12 seed=1 fill=40
campaign agent waves.max_unavailable=3 gates.before_node=[noc] MORE
gate noc go
plan agent
start agent
wait 2400
"""


def _begun(monkeypatch: pytest.MonkeyPatch, *, gate_s: float = 300.0, fails: bool = False, more: str = "") -> set[str]:
    """Nodes whose turn has begun by then. A host may fail while the second gate is asked."""
    opened_for, asked = gates.opened_for, 0
    stage: Stage

    async def slowly(ctx: Context, campaign: Campaign, board: Board, task: NodeTask) -> bool:
        nonlocal asked
        asked += 1
        await ctx.clock.sleep(gate_s)
        if fails and asked == 2:
            stage.world.hosts.crash("cn-0009", down_s=None)
        return await opened_for(ctx, campaign, board, task)

    async def play() -> set[str]:
        nonlocal stage
        async with staged() as stage:
            await stage.play(SLOW.replace("MORE", more))
            return {task.node for task in await stage.sim.store.tasks.list("agent") if task.state is not TaskState.PENDING}

    with monkeypatch.context() as patched:
        patched.setattr(gates, "opened_for", slowly)
        return virtual_time.run(play())


def test_a_host_that_fails_meanwhile_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(_begun(monkeypatch, fails=True)) == 1  # the first, whose turn had begun
    assert len(_begun(monkeypatch)) > 1


def test_a_window_that_is_too_short_by_then_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    window = 'windows=[{"days":["thu"],"start":"00:00","length_s":3000}]'
    assert _begun(monkeypatch, gate_s=0.0, more=window) != set()
    assert _begun(monkeypatch, gate_s=1200.0, more=window) == set()
