"""Whatever the cloud looks like, every plan obeys the format's semantics, as an independent judge replays them."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from escalator.model.campaign import Campaign, load_campaign
from escalator.model.document import Source
from escalator.model.inventory import Inventory
from escalator.model.plan import Closer, Plan
from escalator.upgrade_manager.planner import policies
from escalator.upgrade_manager.planner.cloud import Cloud
from escalator.upgrade_manager.planner.make import make_plan
from escalator.upgrade_manager.planner.search import Search
from escalator.upgrade_manager.planner.spread import closer_of
from escalator.upgrade_manager.planner.turns import Found
from escalator.upgrade_manager.planner.verify.check import verify
from properties.checker import Judge
from properties.clouds import campaigns, clouds

PROPERTIES = settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])


def load(cloud: dict[str, Any], wish: dict[str, Any]) -> tuple[Inventory, Campaign]:
    return Inventory.model_validate_json(json.dumps(cloud)), load_campaign(Source(wish))


def _judge(inventory: Inventory, campaign: Campaign, plan: Plan, managed: frozenset[str] = frozenset()) -> list[str]:
    cloud, wish, made = (json.loads(d.model_dump_json(by_alias=True)) for d in (inventory, campaign, plan))
    return Judge(cloud, wish, made, managed).violations()


@given(clouds(), campaigns(), st.booleans())
@PROPERTIES
def test_every_plan_obeys_the_semantics(cloud: dict[str, Any], wish: dict[str, Any], managed: bool) -> None:
    inventory, campaign = load(cloud, wish)
    owned = frozenset(i.id for i in inventory.instances if i.project == "p") if managed else frozenset()
    plan = make_plan(campaign, inventory, owned)
    event(f"smooth: {plan.smooth}, moves: {bool(plan.moves)}, stays: {bool(plan.impacts)}")
    assert _judge(inventory, campaign, plan, owned) == []
    assert verify(campaign, inventory, plan, owned) == []


@given(clouds(), campaigns())
@settings(PROPERTIES, max_examples=150)
def test_so_does_one_whose_cells_are_chosen_by_their_proportions(cloud: dict[str, Any], wish: dict[str, Any]) -> None:
    inventory, campaign = load(cloud, wish)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(policies, "FEW", 0)  # as in a cloud of more nodes than one can draw
        plan = make_plan(campaign, inventory)
        again = make_plan(campaign, inventory)
    assert _judge(inventory, campaign, plan) == []
    assert verify(campaign, inventory, plan) == []
    assert again.sealed("p") == plan.sealed("p")


@given(clouds(), campaigns())
@settings(PROPERTIES, max_examples=150)
def test_so_does_one_whose_nodes_wait_for_their_groups(cloud: dict[str, Any], wish: dict[str, Any]) -> None:
    inventory, campaign = load(cloud, wish)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(policies, "FEW", 0)
        patch.setattr(policies, "SMALL", 0)  # as in a cloud of more nodes than one can draw
        plan = make_plan(campaign, inventory)
    plain = make_plan(campaign, inventory)
    event(
        f"as many nodes: {plan.totals.nodes == plain.totals.nodes}, as soon: {plan.totals.makespan_s <= plain.totals.makespan_s}"
    )
    assert _judge(inventory, campaign, plan) == []
    assert verify(campaign, inventory, plan) == []


@given(clouds(), campaigns())
@PROPERTIES
def test_the_same_cloud_gives_the_same_plan(cloud: dict[str, Any], wish: dict[str, Any]) -> None:
    inventory, campaign = load(cloud, wish)
    assert make_plan(campaign, inventory).sealed("p") == make_plan(campaign, inventory).sealed("p")


class Counting(Search):
    """A search that compares what it counted on its way, every attempt that came to nothing included, with what came of it."""

    differences: ClassVar[list[object]] = []

    def __init__(self, cloud: Cloud, *rest: Any, **more: Any) -> None:
        super().__init__(cloud, *rest, **more)
        self.there = cloud

    def run(self) -> Found:
        found = super().run()
        counted, again = self.spread.closer(), closer_of(self.there, found.turns)
        event(f"watched: {bool(self.there.watched)}, closer: {bool(again)}")
        self.differences.extend([(counted, again)] if counted != again else [])
        return found


@given(clouds(), campaigns(), st.booleans())
@settings(PROPERTIES, max_examples=150)
def test_a_search_counts_the_spread_of_groups_right(cloud: dict[str, Any], wish: dict[str, Any], angle: bool) -> None:
    inventory, campaign = load(cloud, wish)
    Counting.differences.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(policies, "Search", Counting)
        patch.setattr(policies, "FEW", 0 if angle else policies.FEW)
        plan = make_plan(campaign, inventory)
    assert Counting.differences == []
    assert plan.closer is not None


PAIR = {
    "nodes": [{"id": "n0", "numa": [{"pcpu": 8}]}, {"id": "n1", "numa": [{"pcpu": 8}]}, {"id": "n2", "numa": [{"pcpu": 8}]}],
    "instances": [
        {"id": "vm0", "project": "p", "node": "n0", "demand": {"pcpu": 4}, "groups": ["g"]},
        {"id": "vm1", "project": "p", "node": "n1", "demand": {"pcpu": 4}, "groups": ["g"]},
    ],
    "groups": [{"id": "g", "policy": "anti-affinity", "max_impacted": 1, "recovery_s": 60}],
}
WISH = {
    "apiVersion": "escalator/v1",
    "kind": "Campaign",
    "metadata": {"name": "c"},
    "spec": {"mode": "smooth", "scope": {"select": {}}, "waves": {"max_unavailable": 1}},
}


CLOSER = Closer(group="g", level="rack", places_before=2, places_after=1, most_before=1, most_after=2)


def _spoil(plan: Plan, what: str) -> Plan:
    move, upgrade = plan.moves[0], plan.upgrades[0]
    other = plan.upgrades[1]
    changes: dict[str, dict[str, object]] = {
        "a move is longer": {"moves": (move.model_copy(update={"end_s": move.end_s + 1}), *plan.moves[1:])},
        "a move goes beside its sibling": {"moves": (move.model_copy(update={"target": "n1", "extra": True}), *plan.moves[1:])},
        "a move goes to a node not upgraded": {"moves": (move.model_copy(update={"extra": True}), *plan.moves[1:])},
        "a move is missing": {"moves": plan.moves[1:]},
        "two nodes at once": {"upgrades": (upgrade, other.model_copy(update={"start_s": 1.0, "end_s": 1201.0}))},
        "a node is forgotten": {"upgrades": plan.upgrades[1:]},
        "it is said not to be smooth": {"smooth": False},
        "a group is said to be closer": {"closer": (CLOSER,)},
    }
    return plan.model_copy(update=changes[what])


@pytest.mark.parametrize(
    "what",
    [
        "a move is longer",
        "a move goes beside its sibling",
        "a move goes to a node not upgraded",
        "a move is missing",
        "two nodes at once",
        "a node is forgotten",
        "it is said not to be smooth",
        "a group is said to be closer",
    ],
)
def test_the_judge_sees_what_is_wrong(what: str) -> None:
    inventory, campaign = load(PAIR, WISH)
    plan = make_plan(campaign, inventory)
    assert plan.smooth
    assert len(plan.moves) == 2
    assert _judge(inventory, campaign, plan) == []
    assert _judge(inventory, campaign, _spoil(plan, what)) != []
    assert verify(campaign, inventory, plan) == []
    assert verify(campaign, inventory, _spoil(plan, what)) != []
