"""A repaired plan obeys the rules whatever happened, and leaves what nothing happened to as it was announced."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.inventory import Inventory
from escalator.model.plan import Plan
from escalator.upgrade_manager.planner import policies
from escalator.upgrade_manager.planner.make import make_plan
from escalator.upgrade_manager.planner.progress import Progress
from escalator.upgrade_manager.planner.repair.repaired import repaired
from escalator.upgrade_manager.planner.verified import verified_plan
from escalator.upgrade_manager.planner.verify.check import verify
from properties.midway import moment, state_at
from properties.rolling import LATEST_S, happens, late, rolling_campaigns, rolling_clouds
from properties.test_plans import load

PROPERTIES = settings(deadline=None, max_examples=100, suppress_health_check=list(HealthCheck))
SHARES = st.floats(0.02, 0.98)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parents need not be the best ones."""
    monkeypatch.setattr(policies, "TRIES", 0)


def _cut(
    cloud: dict[str, Any], wish: dict[str, Any], share: float, *, moving: bool
) -> tuple[Campaign, Plan, Inventory, Progress]:
    inventory, campaign = load(cloud, wish)
    plan = make_plan(campaign, inventory)
    assume(plan.smooth and plan.upgrades)
    now, progress = state_at(inventory, plan, moment(plan, share, moving=moving))
    return campaign, plan, now, progress


def _told(plan: Plan) -> bool:
    return any(condition.code == Code.PLN_REPAIRED.value for condition in plan.conditions)


@given(rolling_clouds(), rolling_campaigns(), SHARES, st.booleans())
@PROPERTIES
def test_where_nothing_happened_the_plan_goes_on_unchanged(
    cloud: dict[str, Any], wish: dict[str, Any], share: float, moving: bool
) -> None:
    campaign, plan, now, progress = _cut(cloud, wish, share, moving=moving)
    child = repaired(campaign, now, (), None, progress)
    assert child is not None
    assert verify(campaign, now, child) == []
    assert {(m.instance, m.target, m.start_s) for m in child.moves} <= {(m.instance, m.target, m.start_s) for m in plan.moves}
    assert {(u.node, u.start_s, u.end_s) for u in child.upgrades} <= {(u.node, u.start_s, u.end_s) for u in plan.upgrades}
    assert child.totals.makespan_s in (0.0, plan.totals.makespan_s)


@given(rolling_clouds(), rolling_campaigns(), SHARES, st.integers(0, 10**6), st.sampled_from([0.0, 0.0, 5.0, LATEST_S]))
@settings(PROPERTIES, max_examples=200)
def test_whatever_happened_the_plan_for_the_rest_obeys_the_rules(
    cloud: dict[str, Any], wish: dict[str, Any], share: float, seed: int, late_s: float
) -> None:
    campaign, _, now, progress = _cut(cloud, wish, share, moving=seed % 2 == 0)
    now, what = happens(now, random.Random(seed))
    progress = late(progress, late_s)
    child = verified_plan(campaign, now, (), None, progress)
    assert verify(campaign, now, child) == []
    if _told(child):
        outcome = "repaired"
    else:
        refused = repaired(campaign, now, (), None, progress) is not None
        outcome = "refused by the verifier" if refused else "left to the search"
        # Only groups that allow less than before are not looked at again: the verifier looks.
        assert not refused or what == "a group allows less"
    event(outcome)
    event(f"{what}: {outcome}")


@given(rolling_clouds(), rolling_campaigns(), SHARES, st.integers(0, 10**6))
@PROPERTIES
def test_what_nothing_happened_to_keeps_its_place_where_one_node_is_lost(
    cloud: dict[str, Any], wish: dict[str, Any], share: float, seed: int
) -> None:
    campaign, plan, now, progress = _cut(cloud, wish, share, moving=seed % 2 == 0)
    old = [node.id for node in now.nodes if node.progress == "old"]
    assume(old)
    lost = random.Random(seed).choice(old)
    nodes = tuple(n.model_copy(update={"state": "down"}) if n.id == lost else n for n in now.nodes)
    now = Inventory(nodes=nodes, instances=now.instances, groups=now.groups)
    child = repaired(campaign, now, (), None, progress)
    assume(child is not None and not verify(campaign, now, child))
    assert child is not None
    assert lost not in child.upgrade_of
    before, after = ({m.instance: m for m in one.moves} for one in (plan, child))
    said = next(condition.message for condition in child.conditions if condition.code == Code.PLN_REPAIRED.value)
    event(said if "put off" not in said else "turns are put off")
    for name, move in after.items():
        target = before[name].target
        # Nodes that groups do not let go any more because of what is down are lost, too.
        if (target in child.upgrade_of or now.node_by_id[target].progress == "done") and "put off" not in said:
            assert (move.target, move.start_s) == (before[name].target, before[name].start_s)


def test_most_of_what_happens_is_repaired_and_next_to_nothing_refused() -> None:
    count = {"repaired": 0, "searched": 0, "refused": 0}

    @given(rolling_clouds(), rolling_campaigns(), SHARES, st.integers(0, 10**6))
    @settings(PROPERTIES, derandomize=True, database=None)
    def many(cloud: dict[str, Any], wish: dict[str, Any], share: float, seed: int) -> None:
        campaign, _, now, progress = _cut(cloud, wish, share, moving=seed % 2 == 0)
        now, what = happens(now, random.Random(seed))
        assume(what != "a group allows less")
        child = repaired(campaign, now, (), None, progress)
        wrong = child is not None and verify(campaign, now, child)
        count["searched" if child is None else "refused" if wrong else "repaired"] += 1

    many()
    total = sum(count.values())
    assert count["repaired"] >= 0.5 * total
    assert count["refused"] <= 0.05 * total


NIGHTS = [{"days": ["sat", "sun"], "start": "01:00", "length_s": 7200.0}]


def test_what_runs_late_in_its_night_leaves_the_other_nights_as_they_were() -> None:
    count = {"repaired": 0, "searched": 0, "refused": 0, "later nights": 0}

    @given(rolling_clouds(), rolling_campaigns(), SHARES, st.sampled_from([5.0, LATEST_S]))
    @settings(PROPERTIES, derandomize=True, database=None)
    def many(cloud: dict[str, Any], wish: dict[str, Any], share: float, late_s: float) -> None:
        wish["spec"] |= {"windows": NIGHTS}
        wish["spec"]["waves"]["max_unavailable"] = 3
        campaign, plan, now, progress = _cut(cloud, wish, share, moving=True)
        progress = late(progress, late_s)
        child = repaired(campaign, now, (), None, progress)
        wrong = child is not None and verify(campaign, now, child)
        count["searched" if child is None else "refused" if wrong else "repaired"] += 1
        if child is None or wrong or any("put off" in condition.message for condition in child.conditions):
            return
        tonight = int(progress.at_s // 7200)
        later_on = {(u.node, u.start_s, u.end_s) for u in plan.upgrades if u.window > tonight}
        assert {(u.node, u.start_s, u.end_s) for u in child.upgrades if u.window > tonight} == later_on
        count["later nights"] += bool(later_on)

    many()
    assert count["refused"] <= 0.05 * count["repaired"]
    assert count["repaired"] > count["searched"]
    assert count["later nights"] > 0


@pytest.mark.parametrize(("reserve", "a_rack"), [(1, None), (0, 1), (0, 2), (1, 1)])
def test_most_campaigns_with_a_reserve_or_a_bound_for_each_rack_are_repaired_too(reserve: int, a_rack: int | None) -> None:
    count = {"repaired": 0, "searched": 0, "refused": 0}

    @given(rolling_clouds(), rolling_campaigns(), SHARES, st.integers(0, 10**6), st.sampled_from([0.0, 5.0]))
    @settings(PROPERTIES, derandomize=True, database=None)
    def many(cloud: dict[str, Any], wish: dict[str, Any], share: float, seed: int, late_s: float) -> None:
        wish["spec"]["waves"]["reserve_hosts"] = reserve
        wish["spec"]["waves"]["spread"] = [{"by": "rack", "max": a_rack}] if a_rack else []
        campaign, _, now, progress = _cut(cloud, wish, share, moving=seed % 2 == 0)
        now, what = happens(now, random.Random(seed))
        assume(what != "a group allows less")
        child = repaired(campaign, now, (), None, late(progress, late_s))
        wrong = child is not None and verify(campaign, now, child)
        count["searched" if child is None else "refused" if wrong else "repaired"] += 1
        if reserve and child is not None and not wrong:
            assert any(condition.code == Code.PLN_RESERVE.value and condition.ok for condition in child.conditions)

    many()
    assert count["refused"] == 0
    assert count["repaired"] > count["searched"]
