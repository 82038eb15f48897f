"""Room on upgraded nodes does not grow faster than its bound says: small dense clouds, every order of their nodes played."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from escalator.upgrade_manager.planner import growth
from escalator.upgrade_manager.planner.sorts import counted
from properties.orders import best, ready

NEAR_S = 1e-5
MOST_NODES = 5


@st.composite
def dense(draw: st.DrawFn) -> dict[str, Any]:
    """Few nodes, of which the first is empty or done more often than not; on the others several instances of any size."""
    first = draw(st.sampled_from(["empty", "done", "used"]))
    hosts, found = [], []
    for number in range(draw(st.sampled_from([2, 3, 3, 4, 4, 5]))):
        done = number == 0 and first == "done"
        cell = {"pcpu": draw(st.sampled_from([8.0, 12.0])), "mem_mib": 1048576.0}
        hosts.append({"id": f"n{number}", "roles": ["compute"], "progress": "done" if done else "old", "numa": [cell]})
        left = cell["pcpu"]
        for size in () if number == 0 and first == "empty" else draw(st.lists(st.sampled_from([1.0, 2.0, 3.0]), max_size=5)):
            if size > left:
                continue
            left -= size
            memory = draw(st.sampled_from([0.0, 4096.0, 65536.0, 131072.0]))
            found.append(
                {
                    "id": f"vm{len(found)}",
                    "project": "p",
                    "node": f"n{number}",
                    "numa_cell": 0,
                    "demand": {"pcpu": size, "mem_mib": memory},
                    "migration": draw(st.sampled_from(["live"] * 5 + ["cold"])),
                    "vacate": draw(st.sampled_from(["move"] * 6 + ["in-place"])),
                }
            )
    return {"apiVersion": "escalator/v1", "kind": "Inventory", "nodes": hosts, "instances": found, "groups": []}


@st.composite
def quick(draw: st.DrawFn) -> dict[str, Any]:
    """No limit but those on moves; upgrades that are long or short beside them."""
    spec = {
        "release": "nfvi-agent/2.0.0",
        "mode": "smooth",
        "scope": {"select": {}},
        "waves": {"max_unavailable": "100%", "max_extra_moves": draw(st.sampled_from([0.0, 0.0, 0.5]))},
        "estimates": {"upgrade_s": draw(st.sampled_from([60.0, 300.0, 1200.0]))},
        "migration": {"per_node": draw(st.sampled_from([1, 2])), "total": draw(st.sampled_from([1, 2, 20]))},
        "workloads": {"default": {"action": "cold"}},
    }
    return {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": spec}


@given(dense(), quick())
@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
def test_no_order_of_a_dense_cloud_undercuts_the_growth_of_room(cloud: dict[str, Any], wish: dict[str, Any]) -> None:
    made, rules, todo = ready(cloud, wish, MOST_NODES)
    for key, (end_s, _) in best(made, rules, todo, seeds=(0, 1)).items():
        there = growth.nodes_by(made, sorted(key), made.key, counted(made))
        grown_s = growth.grown(there, rules, min(made.upgrade_s[node] for node in key))
        bound_s = growth.growth(made, sorted(key), rules, counted(made))
        event(f"steps bind: {bound_s == grown_s > 0}, within a twentieth: {bound_s > 0.95 * end_s}")
        assert max(bound_s, grown_s) <= end_s + NEAR_S


@pytest.mark.parametrize("per_node", [1, 2])
def test_a_node_that_is_filled_as_fast_as_it_may_be_meets_the_bound(per_node: int) -> None:
    """One done node, one with four equal instances: nothing but arrivals takes time, so the bound is the plan, to a step."""
    hosts = [
        {"id": f"n{number}", "roles": ["compute"], "progress": progress, "numa": [{"pcpu": 8.0, "mem_mib": 1048576.0}]}
        for number, progress in enumerate(["done", "old"])
    ]
    guest = {"project": "p", "node": "n1", "numa_cell": 0, "demand": {"pcpu": 2.0, "mem_mib": 65536.0}, "migration": "live"}
    cloud = {"apiVersion": "escalator/v1", "kind": "Inventory", "nodes": hosts, "groups": []}
    wish = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}}
    spec = {"release": "nfvi-agent/2.0.0", "mode": "smooth", "scope": {"select": {}}, "estimates": {"upgrade_s": 300.0}}
    spec |= {"waves": {"max_unavailable": "100%", "max_extra_moves": 0.0}, "migration": {"per_node": per_node, "total": 20}}
    instances = [{"id": f"vm{number}", **guest} for number in range(4)]
    made, rules, todo = ready({**cloud, "instances": instances}, {**wish, "spec": spec}, MOST_NODES)
    ((end_s, _),) = best(made, rules, todo, seeds=(0,)).values()
    grown_s = growth.grown(
        growth.nodes_by(made, todo, made.key, counted(made)), rules, min(made.upgrade_s[node] for node in todo)
    )
    step_s = 300.0 / growth.STEPS
    assert end_s - 2 * step_s <= grown_s <= end_s + NEAR_S
