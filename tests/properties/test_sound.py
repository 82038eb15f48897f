"""What the verifier's one look passes over breaks no rule that a check of that move alone would find broken."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from escalator.model.inventory import Inventory
from escalator.model.plan import Move, Plan
from escalator.upgrade_manager.planner import policies
from escalator.upgrade_manager.planner.make import make_plan
from escalator.upgrade_manager.planner.verify import moves as checks
from escalator.upgrade_manager.planner.verify.replay import Replay
from escalator.upgrade_manager.planner.verify.sound import look
from properties.rolling import rolling_campaigns, rolling_clouds
from properties.test_plans import load

NEAR = (-2e-6, -6e-7, -1e-7, 1e-7, 6e-7, 2e-6, -300.0, 300.0)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plans need not be the best ones."""
    monkeypatch.setattr(policies, "TRIES", 0)


def _other(move: Move, there: Inventory, rng: random.Random) -> Move:
    by = rng.choice(NEAR)
    changes: tuple[dict[str, Any], ...] = (
        {"start_s": max(0.0, move.start_s + by), "end_s": max(0.0, move.start_s + by) + move.end_s - move.start_s},
        {"end_s": max(move.start_s, move.end_s + by)},
        {"target": rng.choice(there.nodes).id},
        {"origin": rng.choice(there.nodes).id},
        {"instance": rng.choice(there.instances).id},
        {"numa_cell": rng.choice((0, 1, 2, -1, None, (0, 1), (0, 0)))},
        {"kind": "cold" if move.kind == "live" else "live"},
        {"extra": not move.extra},
    )
    return move.model_copy(update=rng.choice(changes))


def _spoilt(plan: Plan, there: Inventory, rng: random.Random) -> Plan:
    moves = list(plan.moves)
    for number in rng.sample(range(len(moves)), min(len(moves), 3)):
        moves[number] = _other(moves[number], there, rng)
    return plan.model_copy(update={"moves": tuple(moves)})


def _changed(there: Inventory, rng: random.Random) -> Inventory:
    number, instances = rng.randrange(len(there.instances)), list(there.instances)
    change = rng.choice(({"migration": "none"}, {"migration": "cold"}, {"blocked": "it is locked"}, {"state": "shutoff"}, {}))
    instances[number] = instances[number].model_copy(update=change)
    return there.with_instances(instances)


@given(rolling_clouds(), rolling_campaigns(), st.integers(0, 10**6))
@settings(deadline=None, max_examples=200, suppress_health_check=list(HealthCheck))
def test_no_check_finds_anything_in_a_move_that_is_not_doubtful(cloud: dict[str, Any], wish: dict[str, Any], seed: int) -> None:
    there, campaign = load(cloud, wish)
    plan, rng = make_plan(campaign, there), random.Random(seed)
    assume(plan.moves)
    replay = Replay(_changed(there, rng), campaign, _spoilt(plan, there, rng))
    doubtful = {id(move) for move, _ in look(replay).doubtful}
    sound = [(step[4], step[5]) for step in replay.steps if id(step[4]) not in doubtful]
    event(f"{'some' if doubtful else 'no'} doubtful, {'some' if sound else 'no'} sound moves")
    for check in checks.ALONE:
        for move, instance in sound:
            assert [*check(replay, move, instance)] == []
    assert not {move.instance for move, _ in sound} & replay.journeys.again.keys()
