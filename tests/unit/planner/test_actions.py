"""What is planned for an instance, by its kind, its VNF manager and the campaign's policy."""

from __future__ import annotations

from typing import Any

import pytest

from escalator.upgrade_manager.planner.actions import Leaves, Stays, Stuck, action_for
from unit.planner.clouds import campaign, failing, left_out, node, plan_of, vm

DEFAULTS = ("live", "live-if-possible", "cold", "stop-start", "in-place", "leave")


def action(default: str = "live", *, managed: bool = False, **facts: Any) -> Leaves | Stays | Stuck:
    return action_for(vm("v", "a", **facts), campaign(workloads={"default": {"action": default}}).spec, managed=managed)


@pytest.mark.parametrize("default", DEFAULTS)
@pytest.mark.parametrize("managed", [False, True])
def test_what_does_not_run_stays_offline_whatever_policy_says(default: str, managed: bool) -> None:
    assert action(default, managed=managed, state="stopped", migration="none") == Stays("offline")


@pytest.mark.parametrize("default", DEFAULTS)
def test_what_is_blocked_is_stuck_whatever_policy_says(default: str) -> None:
    found = action(default, blocked="it is busy (rebuilding)", state="stopped")
    assert isinstance(found, Stuck)
    assert "it is busy (rebuilding)" in found.reason


@pytest.mark.parametrize("default", DEFAULTS)
@pytest.mark.parametrize("migration", ["live", "cold", "none"])
def test_what_is_declared_in_place_stays(default: str, migration: str) -> None:
    assert action(default, vacate="in-place", migration=migration) == Stays("in-place")


@pytest.mark.parametrize(
    ("default", "expected"),
    [
        ("live", Leaves("live")),
        ("live-if-possible", Leaves("live")),
        ("cold", Leaves("cold")),
        ("stop-start", Stays("stop-start")),
        ("in-place", Stays("in-place")),
        ("leave", Stays("in-place")),
    ],
)
def test_policy_decides_about_what_nobody_speaks_for(default: str, expected: object) -> None:
    assert action(default) == expected


@pytest.mark.parametrize("default", DEFAULTS)
def test_a_vnf_managers_instance_leaves_as_it_can(default: str) -> None:
    assert action(default, managed=True) == Leaves("live")
    assert action(default, managed=True, migration="cold") == Leaves("cold")
    assert action(default, managed=True, migration="none") == Stays("in-place")


@pytest.mark.parametrize("default", DEFAULTS)
def test_what_cannot_migrate_and_has_no_group_needs_a_policy_that_allows_it(default: str) -> None:
    found = action(default, migration="none")
    allowed = {"stop-start": Stays("stop-start"), "in-place": Stays("in-place"), "leave": Stays("in-place")}
    assert found == allowed[default] if default in allowed else isinstance(found, Stuck)


def test_the_failing_condition_names_reason_and_remedy() -> None:
    pinned = vm("v", "a", migration="none", migration_reason="an SR-IOV port")
    plan = plan_of(node("a"), node("b"), pinned)
    condition = failing(plan)["ESC-PLN-004"]
    assert "cannot migrate (an SR-IOV port)" in condition.message
    assert "workloads.default.action" in condition.remedy
    assert left_out(plan)["a"] == condition.message
    assert plan.upgrades[0].node == "b"


def test_a_blocked_instance_fails_its_own_condition() -> None:
    plan = plan_of(node("a"), node("b"), vm("v", "a", blocked="it is in state error"))
    assert list(failing(plan)) == ["ESC-PLN-005"]
    assert "a" in left_out(plan)


def test_every_condition_is_told_whether_it_holds_or_not() -> None:
    plan = plan_of(node("a"), node("b"))
    assert [c.code for c in plan.conditions] == [f"ESC-PLN-00{n}" for n in (1, 2, 4, 5, 6, 3)]
    assert all(c.ok and c.message for c in plan.conditions)


def test_a_long_list_of_objects_is_counted_not_told() -> None:
    instances = [vm(f"v{n:02d}", "a", migration="none", demand={}) for n in range(14)]
    assert "; and 4 more" in failing(plan_of(node("a"), node("b"), *instances))["ESC-PLN-004"].message
