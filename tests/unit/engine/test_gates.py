"""Gates that a campaign names are in the settings, or it is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from escalator.model.codes import Code
from escalator.model.errors import InputError
from escalator.model.progress import CampaignState
from escalator.simulation.setup import RELEASE, import_release, simulate
from escalator.upgrade_manager.engine.board import Board, Limits
from escalator.upgrade_manager.engine.changes import change
from escalator.upgrade_manager.engine.gates import opened
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.runtimes.virtual_time import VirtualClock
from escalator.upgrade_manager.service import CampaignService
from escalator.vim_interface.gates.manual import ManualGate
from escalator.vim_interface.gates.port import Answer, Question, Verdict
from escalator.world.world import World


def test_a_gate_that_there_is_not_is_refused_with_the_nearest_name() -> None:
    async def play() -> InputError:
        clock = VirtualClock()
        world = World.in_memory(clock)
        world.seed(nodes=3, seed=1)
        async with simulate(world, clock) as sim:
            await import_release(sim.store, RELEASE, clock.now())
            service = CampaignService(replace(sim.ctx, gates={"change-window": ManualGate()}))
            spec = {
                "release": RELEASE.id, "mode": "smooth", "scope": {"select": {}}, "node": {"driver": "simulated"},
                "gates": {"before": ["change-windows"], "between": ["change-window", "zzz"]},
            }  # fmt: skip
            document = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": spec}
            with pytest.raises(InputError) as caught:
                await service.create(json.dumps(document))
            assert await sim.store.campaigns.list() == []
            return caught.value

    error = virtual_time.run(play())
    assert error.code is Code.CFG_GATE
    assert [(p.path, p.message) for p in error.problems] == [
        ("spec.gates.before", "the server's settings have no gate change-windows; did you mean change-window?"),
        ("spec.gates.between", "the server's settings have no gate zzz"),
    ]


class Figures:
    """A gate that sees the hour, and says what it is told to."""

    manual, baseline, retry_s, deadline_s = False, True, 60.0, 3600.0

    def __init__(self, clock: VirtualClock) -> None:
        self.verdict = Verdict.GO
        self._clock = clock

    async def ask(self, question: Question) -> Answer:
        return Answer(self.verdict, "", str(int(self._clock.now())) if self.verdict is Verdict.GO else None)


@pytest.mark.parametrize("verdict", [Verdict.NO, Verdict.NOT_YET])
def test_baselines_are_all_of_one_time_unless_one_only_has_to_wait(verdict: Verdict) -> None:
    async def play() -> tuple[float, float, dict[str, str]]:
        clock = VirtualClock()
        world = World.in_memory(clock)
        world.seed(nodes=3, seed=1)
        async with simulate(world, clock) as sim:
            await import_release(sim.store, RELEASE, clock.now())
            first, second = Figures(clock), Figures(clock)
            ctx = replace(sim.ctx, gates={"first": first, "second": second})
            spec = {
                "release": RELEASE.id, "mode": "smooth", "scope": {"select": {}}, "node": {"driver": "simulated"},
                "gates": {"before_node": ["first"], "between": ["second"]},
            }  # fmt: skip
            document = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": spec}
            await CampaignService(ctx).create(json.dumps(document))
            await CampaignService(ctx).plan("c")
            await change(ctx, "c", (CampaignState.PLANNED,), CampaignState.RUNNING, None, "")
            campaign, board = await ctx.book.campaign("c"), Board("plan", {}, Limits(most=1, scope=frozenset()))
            began = clock.now()
            second.verdict = verdict
            assert not await opened(ctx, "c", campaign, board, ())
            await clock.sleep(3000.0)
            if verdict is Verdict.NO:
                await change(ctx, "c", (CampaignState.SUSPENDED,), CampaignState.RUNNING, None, "")
            second.verdict = Verdict.GO
            assert await opened(ctx, "c", campaign, board, ())
            memo = await ctx.store.tasks.memo("c")
            return began, clock.now(), {gate: memo[f"gates_baseline/{gate}"] for gate in ("first", "second")}

    began, now, taken = virtual_time.run(play())
    assert taken == {"first": str(int(now if verdict is Verdict.NO else began)), "second": str(int(now))}
