"""Whenever a campaign is cut off, and whatever happened until then, the plan for the rest obeys the rules."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from escalator.model.campaign import Campaign
from escalator.model.inventory import Inventory
from escalator.model.plan import Plan
from escalator.upgrade_manager.planner import policies
from escalator.upgrade_manager.planner.make import make_plan
from escalator.upgrade_manager.planner.progress import Progress
from escalator.upgrade_manager.planner.repair.repaired import repaired
from escalator.upgrade_manager.planner.verify.check import verify
from properties.clouds import campaigns, clouds
from properties.midway import disturbed, moment, state_at
from properties.test_plans import load

PROPERTIES = settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
SHARES = st.floats(0.0, 1.0)


def _cut(
    cloud: dict[str, Any], wish: dict[str, Any], share: float, *, moving: bool
) -> tuple[Campaign, Plan, Inventory, Progress]:
    inventory, campaign = load(cloud, wish)
    plan = make_plan(campaign, inventory)
    assume(plan.upgrades)
    now, progress = state_at(inventory, plan, moment(plan, share, moving=moving))
    return campaign, plan, now, progress


@given(clouds(), campaigns(), SHARES, st.booleans())
@PROPERTIES
def test_an_undisturbed_campaign_keeps_its_plan(cloud: dict[str, Any], wish: dict[str, Any], share: float, moving: bool) -> None:
    campaign, plan, now, progress = _cut(cloud, wish, share, moving=moving)
    child = make_plan(campaign, now, progress=progress)
    assert verify(campaign, now, child) == []
    done = {node.id for node in now.nodes if node.progress == "done"}
    assert {upgrade.node for upgrade in child.upgrades} >= {upgrade.node for upgrade in plan.upgrades} - done
    targets = {(move.instance, move.origin): move.target for move in plan.moves}
    kept = [targets.get((move.instance, move.origin)) == move.target for move in child.moves]
    event(f"kept all targets: {all(kept)}, under way: {len(progress.started)}, moving: {len(progress.moves)}")


@given(clouds(), campaigns(), SHARES, st.integers(0, 10**6))
@PROPERTIES
def test_a_disturbed_campaign_gets_a_plan_that_obeys_the_rules(
    cloud: dict[str, Any], wish: dict[str, Any], share: float, seed: int
) -> None:
    campaign, _, now, progress = _cut(cloud, wish, share, moving=seed % 2 == 0)
    now = disturbed(now, random.Random(seed))
    repair = repaired(campaign, now, (), None, progress)
    sound = repair is not None and not verify(campaign, now, repair)
    event(f"repaired: {sound}, refused by the verifier: {repair is not None and not sound}")
    searched = make_plan(campaign, now, progress=progress)
    assert verify(campaign, now, searched) == []
    for child in (searched, repair) if repair is not None and sound else (searched,):
        for upgrade in child.upgrades:
            assert upgrade.node in progress.started or upgrade.start_s >= progress.at_s


@given(clouds(), campaigns(), SHARES, st.integers(0, 10**6))
@settings(PROPERTIES, max_examples=100)
def test_so_does_one_of_a_large_cloud(cloud: dict[str, Any], wish: dict[str, Any], share: float, seed: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(policies, "SMALL", 0)  # as in a cloud of more nodes than one can draw
        campaign, _, now, progress = _cut(cloud, wish, share, moving=seed % 2 == 0)
        now = disturbed(now, random.Random(seed))
        child = make_plan(campaign, now, progress=progress)
    assert verify(campaign, now, child) == []
