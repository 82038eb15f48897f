"""What policy stops with its node is told, and the remedies that lead there say so."""

from __future__ import annotations

from typing import Any

from escalator.model.plan import Condition, Plan
from escalator.upgrade_manager.planner.stopped import with_stops
from escalator.upgrade_manager.planner.verified import verified_plan
from unit.planner.clouds import campaign, cloud, failing, node, plan_of, vm

SITE = [node("a"), node("b"), node("c"), vm("m1", "a"), vm("m2", "b", vnf="amf"), vm("lone", "c", migration="none")]


def stopped(plan: Plan) -> Condition | None:
    return next((c for c in plan.conditions if c.code == "ESC-PLN-018"), None)


def made(*things: Any, managed: frozenset[str] = frozenset(), **spec: Any) -> Plan:
    return verified_plan(campaign(**spec), cloud(*things), managed, None)


def test_what_runs_and_is_stopped_by_policy_alone_is_counted() -> None:
    plan = made(*SITE, workloads={"default": {"action": "stop-start"}})
    assert plan.smooth
    found = stopped(plan)
    assert found is not None
    assert found.ok
    assert found.message == (
        "3 running instances are stopped with their nodes, up to 20 min each, by policy alone"
        " (workloads.default.action: stop-start): amf: 1; project p: 2; 2 of them could move"
    )
    assert "mode: non-smooth stops the others alone" in found.remedy


def test_nothing_is_said_where_policy_stops_nobody() -> None:
    quiet = {"default": {"action": "stop-start"}}
    assert stopped(made(*SITE[:5])) is None
    assert stopped(made(node("a"), vm("off", "a", state="stopped"), workloads=quiet)) is None
    assert stopped(made(node("a"), vm("over", "a", vacate="in-place"), workloads={"default": {"action": "in-place"}})) is None
    # Whose VNF manager is asked moves, or stays by its word.
    assert stopped(made(*SITE, managed=frozenset({"m1", "m2", "lone"}), workloads=quiet)) is None


def test_a_plan_from_elsewhere_is_told_of_in_the_same_way() -> None:
    wanted = campaign(workloads={"default": {"action": "in-place"}})
    plan = plan_of(*SITE, workloads={"default": {"action": "in-place"}})
    found = stopped(with_stops(plan, wanted, cloud(*SITE), ()))
    assert found is not None
    assert found.message.startswith("3 running instances stay on their nodes and are stopped meanwhile")


def test_the_remedy_for_one_that_cannot_move_names_what_it_does_to_the_others() -> None:
    remedy = failing(plan_of(*SITE))["ESC-PLN-004"].remedy
    assert "mode: non-smooth: it alone is stopped" in remedy
    assert "stops whatever no VNF manager speaks for, and with it 2 others that can move" in remedy
    alone = plan_of(*SITE, mode="non-smooth")
    assert [row.instance for row in alone.impacts if row.kind == "stop-start"] == ["lone"]
    assert {move.instance for move in alone.moves} >= {"m1", "m2"}
