"""What a rollback could not bring back is named before the upgrade starts, with its way back."""

from __future__ import annotations

from typing import Any

import pytest

from escalator.model.plan import Plan
from escalator.upgrade_manager.planner.returning import with_returns
from unit.planner.clouds import campaign, cloud, node, plan_of, vm

OLD = {"versions": {"hypervisor": "7.2.18"}}
THINGS = (
    node("a", **OLD), node("b", **OLD), node("c", **OLD),
    vm("v", "a", vnf="amf"), vm("w", "b"), vm("cold", "b", migration="cold"), vm("off", "a", state="stopped"),
)  # fmt: skip


def planned(managed: frozenset[str] = frozenset(), layers: dict[str, str] | None = None, **spec: Any) -> Plan:
    made = plan_of(*THINGS, managed=managed, **spec)
    brings = {"hypervisor": "8.2.0", "os": "13"} if layers is None else layers
    return with_returns(made, campaign(**spec), cloud(*THINGS), managed, brings)


def test_what_moves_live_to_a_newer_hypervisor_cannot_come_back_so() -> None:
    plan = planned()
    assert {row.instance: row.vnf for row in plan.no_return} == {"v": "amf", "w": "project p"}
    assert {row.reason for row in plan.no_return} == {"no live migration from hypervisor 8.2.0 to 7.2.18"}
    said = plan.conditions[-1]
    assert (said.code, said.ok) == ("ESC-PLN-011", True)
    assert said.message == (
        "2 instances cannot come back by live migration in a rollback: 1 of amf, 1 of project p; "
        "for 2 of them policy allows no other way"
    )


def test_what_has_no_way_back_reads_as_a_note_with_what_to_do_before_the_start() -> None:
    def remedy(**spec: Any) -> str:
        return planned(**spec).conditions[-1].remedy

    assert "live-if-possible, which lets them come back cold" in remedy()
    assert remedy(workloads={"default": {"action": "live-if-possible"}}).startswith("tell their owners")
    assert remedy(layers={"hypervisor": "7.2.18"}) == ""


@pytest.mark.parametrize(
    ("action", "way"), [("live", "none by policy"), ("live-if-possible", "cold migration"), ("cold", None), ("stop-start", None)]
)
def test_the_way_back_follows_the_policy(action: str, way: str | None) -> None:
    plan = planned(workloads={"default": {"action": action}})
    ways = {row.way_back for row in plan.no_return}
    assert len(ways) == (way is not None)
    assert all(found.startswith(str(way)) for found in ways)


def test_a_vnf_manager_has_a_word_in_it() -> None:
    ways = {row.instance: row.way_back for row in planned(managed=frozenset({"v"})).no_return}
    assert ways["v"] == "its VNF manager acts itself, or agrees to a cold migration"
    assert ways["w"].startswith("none by policy")


@pytest.mark.parametrize("layers", [{"agent": "2.0.0"}, {}])
def test_a_release_without_a_hypervisor_says_nothing(layers: dict[str, str]) -> None:
    plan = planned(layers=layers)
    assert plan.no_return == ()
    assert "ESC-PLN-011" not in {condition.code for condition in plan.conditions}


def test_the_same_hypervisor_lets_everything_come_back() -> None:
    plan = planned(layers={"hypervisor": "7.2.18"})
    assert plan.no_return == ()
    assert plan.conditions[-1].message == "every instance that moves can come back the same way in a rollback"
