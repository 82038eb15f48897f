"""The planner's choices: order, targets, what stays, times."""

from __future__ import annotations

import pytest

from escalator.model.inventory import Group
from escalator.model.release import Impact
from escalator.upgrade_manager.planner.cloud import Limit, build
from escalator.upgrade_manager.planner.conditions import kept_by, reason
from escalator.upgrade_manager.planner.make import make_plan
from escalator.upgrade_manager.planner.turns import NotYet
from escalator.upgrade_manager.planner.verify.check import verify
from unit.planner.clouds import campaign, cloud, failing, left_out, moves, node, order, plan_of, vm

ABC = (node("a"), node("b"), node("c"))


def test_the_emptiest_node_goes_first_and_then_takes_from_the_others() -> None:
    plan = plan_of(*ABC, vm("v1", "a"), vm("v2", "a"), vm("v3", "b"))
    assert plan.smooth
    assert order(plan) == ["c", "b", "a"]
    assert moves(plan) == [("v3", "b", "c"), ("v1", "a", "c"), ("v2", "a", "c")]
    assert not any(m.extra for m in plan.moves)


def test_the_fullest_upgraded_node_that_has_room_is_the_target() -> None:
    things = (*ABC, node("d"), vm("big", "b", demand={"pcpu": 5.0}), vm("v", "a"))
    plan = plan_of(*things)
    assert [m for m in moves(plan) if m[0] == "v"] == [("v", "a", "c")]
    assert [m for m in moves(plan) if m[0] == "big"] == [("big", "b", "d")] or order(plan)[0] == "c"


def test_without_an_empty_node_what_leaves_first_goes_to_a_node_whose_turn_is_late() -> None:
    plan = plan_of(*ABC, vm("v1", "a"), vm("v2", "b"), vm("v3", "c"))
    assert plan.smooth
    first = plan.moves[0]
    assert first.extra
    assert first.target == order(plan)[-1]


def test_two_nodes_without_an_empty_one_take_turns() -> None:
    plan = plan_of(node("a"), node("b"), vm("v", "a"), vm("w", "b"))
    assert plan.smooth
    assert [m.extra for m in plan.moves] == [True, False, False]


def test_no_move_goes_to_a_node_of_the_same_wave() -> None:
    plan = plan_of(*ABC, node("d"), vm("v1", "a"), vm("v2", "b"), waves={"max_unavailable": 2})
    waves = {u.node: u.wave for u in plan.upgrades}
    assert all(waves[m.origin] != waves[m.target] for m in plan.moves)


@pytest.mark.parametrize("away", [{"state": "down"}, {"maintenance": True}, {"progress": "failed"}, {"roles": ("control",)}])
def test_a_node_that_is_out_of_service_or_no_compute_node_takes_nothing(away: dict[str, object]) -> None:
    plan = plan_of(node("a"), node("b", **away), vm("v", "a"), waves={"max_unavailable": 2})
    assert moves(plan) == []
    assert "a" in left_out(plan)


def test_nodes_out_of_service_count_and_alone_do_not_spoil_the_plan() -> None:
    things = (*ABC, node("d", state="down"), node("e", maintenance=True, maintenance_reason="disk"))
    plan = plan_of(*things, waves={"max_unavailable": 3})
    assert plan.smooth
    assert [u.wave for u in plan.upgrades] == [1, 2, 3]
    assert left_out(plan)["d"] == "its compute service is down"
    assert left_out(plan)["e"] == "it is in maintenance for someone else's reason (disk)"


def test_when_they_fill_the_limit_nothing_is_upgraded_and_the_remedy_names_the_number() -> None:
    plan = plan_of(*ABC, node("d", state="down"))
    assert order(plan) == []
    assert failing(plan)["ESC-PLN-002"].remedy == "bring nodes back, or raise waves.max_unavailable to at least 2"
    assert left_out(plan)["a"] == "no room under max_unavailable"
    assert failing(plan)["ESC-PLN-002"].message.startswith("1 node in scope is out of service")


def test_nodes_that_a_campaign_of_ours_has_are_not_blamed_on_others() -> None:
    ours = {"maintenance": True, "maintenance_reason": "Escalator campaign first: upgrade"}
    plan = plan_of(*ABC, node("d", **ours))
    assert left_out(plan)["d"] == "campaign first has it out of service"
    remedy = failing(plan)["ESC-PLN-002"].remedy
    assert remedy == "let campaign first end, and put back what escalator restoration list shows; then plan again"


def test_turns_that_no_window_holds_ask_for_one_of_the_length_that_they_need() -> None:
    short = [{"days": ["mon"], "start": "01:00", "length_s": 1500}]
    found = failing(plan_of(*ABC, windows=short))["ESC-PLN-009"]
    assert "needs 2700 s" in found.message
    assert found.remedy == "give windows of at least 2700 s (45 min)"
    enough = [{"days": ["mon"], "start": "01:00", "length_s": 2700}]
    held = next(c for c in plan_of(*ABC, windows=enough).conditions if c.code == "ESC-PLN-009")
    assert (held.ok, held.message) == (True, "every turn fits into its window; 3 windows used")


def test_a_node_that_failed_before_is_left_out_and_is_not_out_of_service() -> None:
    plan = plan_of(*ABC, node("d", progress="failed"))
    assert plan.smooth
    assert left_out(plan) == {"d": "its upgrade failed before"}


def test_percent_of_the_scope_is_rounded_down() -> None:
    nodes = [node(f"n{number}") for number in range(9)]
    plan = plan_of(*nodes, waves={"max_unavailable": "25%"})
    assert [u.wave for u in sorted(plan.upgrades, key=lambda u: u.wave)] == [1, 1, 2, 2, 3, 3, 4, 4, 5]


def test_nodes_out_of_scope_are_neither_upgraded_nor_targets() -> None:
    plan = plan_of(node("a", az="x"), node("b", az="y"), vm("v", "a"), scope={"select": {"az": ["x"]}})
    assert not plan.smooth
    assert moves(plan) == []
    assert set(left_out(plan)) == {"a"}


def test_an_empty_scope_is_said() -> None:
    assert "check scope.select" in failing(plan_of(*ABC, scope={"select": {"az": ["z"]}}))["ESC-PLN-001"].remedy


def test_what_is_upgraded_already_is_a_target_and_not_upgraded_again() -> None:
    plan = plan_of(node("a"), node("b", progress="done"), vm("v", "a"))
    assert order(plan) == ["a"]
    assert moves(plan) == [("v", "a", "b")]
    assert left_out(plan) == {"b": "already upgraded"}


def test_hard_anti_affinity_holds_while_both_ends_count() -> None:
    pair = (vm("v1", "a", groups=("g",)), vm("v2", "b", groups=("g",)))
    plan = plan_of(*ABC, *pair, Group(id="g", policy="anti-affinity"))
    assert plan.smooth
    assert plan_of(node("a"), node("b"), *pair, Group(id="g", policy="anti-affinity")).smooth is False


def test_members_of_hard_affinity_leave_together_to_one_node() -> None:
    pair = (vm("v1", "a", groups=("g",)), vm("v2", "a", groups=("g",), demand={"pcpu": 4.0}))
    fillers = (vm("f1", "b", demand={"pcpu": 5.0}), vm("f2", "c", demand={"pcpu": 4.0}), node("d"))
    plan = plan_of(*ABC, *fillers, *pair, Group(id="g", policy="affinity"))
    assert len({target for name, _, target in moves(plan) if name in ("v1", "v2")}) == 1
    crowded = plan_of(
        node("a"), node("b"), node("c"), *pair, vm("f", "b", demand={"pcpu": 4.0}), Group(id="g", policy="affinity")
    )
    assert all(len({t for n, o, t in moves(crowded) if n in ("v1", "v2") and o == origin}) <= 1 for origin in "abc")


def test_members_of_hard_affinity_that_cannot_leave_together_keep_their_node() -> None:
    pair = (vm("v1", "a", groups=("g",)), vm("v2", "a", groups=("g",), migration="none", vacate="in-place"))
    plan = plan_of(*ABC, *pair, Group(id="g", policy="affinity"))
    assert "leave together or not at all" in left_out(plan)["a"]
    assert "ESC-PLN-006" in failing(plan)


def test_two_members_that_stay_on_one_node_need_a_limit_of_two() -> None:
    pair = (vm("v1", "a", groups=("g",), vacate="in-place"), vm("v2", "a", groups=("g",), vacate="in-place"))
    assert "a" in left_out(plan_of(*ABC, *pair, Group(id="g", max_impacted=1)))
    assert plan_of(*ABC, *pair, Group(id="g", max_impacted=2)).smooth


def test_members_on_nodes_that_are_down_count_as_impacted() -> None:
    things = (*ABC, node("d", state="down"), vm("v1", "a", groups=("g",)), vm("v2", "d", groups=("g",)))
    plan = plan_of(*things, Group(id="g", max_impacted=1), waves={"max_unavailable": 2})
    assert "1 of them on nodes that are down" in left_out(plan)["a"]
    assert "a" not in left_out(plan_of(*things, Group(id="g", max_impacted=2), waves={"max_unavailable": 2}))


def test_impacts_of_a_group_lie_apart_by_its_recovery() -> None:
    pair = (vm("v1", "a", groups=("g",)), vm("v2", "b", groups=("g",)))
    plan = plan_of(*ABC, *pair, Group(id="g", max_impacted=1, recovery_s=5000.0))
    first, second = sorted(plan.moves, key=lambda m: m.start_s)
    assert second.start_s == first.end_s + 5000.0


def test_lead_times_of_campaign_and_groups_are_kept() -> None:
    plan = plan_of(
        *ABC,
        vm("v1", "a", groups=("g",)),
        vm("v2", "b"),
        Group(id="g", lead_s=9000.0),
        workloads={"notify": {"lead_time_s": 100.0}},
    )
    starts = {m.instance: m.start_s for m in plan.moves}
    assert starts["v1"] >= 9000.0
    assert starts["v2"] >= 100.0


def test_numa_entries_are_named_and_counted_each() -> None:
    two = ({"pcpu": 4.0}, {"pcpu": 4.0})
    wide = vm("w", "a", numa_cell=(0, 1), numa_span=2, demand={"pcpu": 3.0})
    plan = plan_of(node("a", numa=two), node("b", numa=two), vm("x", "b", numa_cell=1, demand={"pcpu": 2.0}), wide)
    assert not plan.smooth
    assert "pcpu 6" in failing(plan)["ESC-PLN-003"].remedy
    fine = plan_of(node("a", numa=two), node("b", numa=two), wide)
    assert fine.moves[0].numa_cell == (0, 1)


@pytest.mark.parametrize(
    ("needs", "offers"),
    [
        ({"az": "x"}, {"az": "x"}),
        ({"aggregates": ("g",)}, {"aggregates": ("f", "g")}),
        ({"traits": ("T",)}, {"traits": ("T",)}),
        ({"physnets": ("p",)}, {"physnets": ("p",)}),
    ],
)
def test_a_target_offers_what_the_instance_requires(needs: dict[str, object], offers: dict[str, object]) -> None:
    things = (node("a"), node("b"), node("c", **offers), vm("v", "a", requires=needs), vm("w", "c"))
    assert {target for name, _, target in moves(plan_of(*things)) if name == "v"} == {"c"}
    assert not plan_of(node("a"), node("b"), vm("v", "a", requires=needs)).smooth


def test_the_zone_of_its_node_alone_binds_nothing() -> None:
    assert plan_of(node("a", az="x", rack="r1"), node("b", az="y", rack="r2"), vm("v", "a")).smooth


def test_instances_do_not_go_back_to_an_older_hypervisor() -> None:
    new, old = {"hypervisor": "7.10.0"}, {"hypervisor": "7.9.3"}
    things = (node("a", versions=new), vm("v", "a"))
    assert "a" in left_out(plan_of(*things, node("b", versions=old, progress="done")))
    assert plan_of(*things, node("b", versions=new, progress="done")).smooth
    assert plan_of(*things, node("b", versions=old)).smooth  # it is upgraded before


def test_another_cell_of_the_cloud_is_no_target() -> None:
    assert not plan_of(node("a", nova_cell="1"), node("b", nova_cell="2"), vm("v", "a")).smooth


def test_max_fill_keeps_upgraded_nodes_from_filling_up() -> None:
    things = (node("a"), node("b"), vm("v", "a", demand={"pcpu": 7.0}))
    assert plan_of(*things).smooth
    tight = plan_of(*things, waves={"max_unavailable": 1, "max_fill": 0.8})
    assert not tight.smooth
    remedy = failing(tight)["ESC-PLN-003"].remedy
    assert remedy.startswith("raise waves.max_fill: upgraded nodes are filled to 80% only; or ")


def test_bounds_on_moves_are_kept() -> None:
    instances = [vm(f"v{number}", "a", demand={"pcpu": 1.0}) for number in range(4)]
    one = plan_of(node("a"), node("b"), *instances)
    two = plan_of(node("a"), node("b"), *instances, migration={"per_node": 2})
    starts = [len({m.start_s for m in plan.moves}) for plan in (one, two)]
    assert starts == [4, 2]


def test_the_lower_bounds_are_below_the_plan() -> None:
    plan = plan_of(*ABC, vm("v1", "a"), vm("v2", "b"), vm("v3", "c"))
    assert plan.bounds.moves == 4
    assert plan.bounds.moves <= len(plan.moves)
    assert plan.bounds.makespan_s == 3615.0 <= plan.totals.makespan_s
    assert plan.bounds.binding == "parallel"


def test_each_node_says_what_kept_it_from_an_earlier_turn() -> None:
    plan = plan_of(node("a"), node("b"), node("c"), vm("v", "a", demand={"pcpu": 5.0}), vm("w", "b", demand={"pcpu": 5.0}))
    assert {u.node: u.waits for u in plan.upgrades} == {"c": "", "a": "max_unavailable", "b": "max_unavailable"}
    wide = plan_of(
        node("a"), node("b"), node("c"), vm("v", "a", demand={"pcpu": 5.0}), vm("w", "b", demand={"pcpu": 5.0}),
        waves={"max_unavailable": 3},
    )  # fmt: skip
    found = {u.node: u.waits for u in wide.upgrades}
    assert found == {
        "c": "",
        "a": "room on upgraded nodes for instance v (pcpu 5)",
        "b": "room on upgraded nodes for instance w (pcpu 5)",
    }


def test_a_node_whose_lead_time_was_over_long_before_its_turn_waited_for_others() -> None:
    plan = plan_of(
        node("a"), node("b"), vm("v", "b", migration="none", vacate="in-place", lead_s=60), estimates={"upgrade_s": 1500},
        waves={"max_unavailable": 1},
    )  # fmt: skip
    assert [(u.node, u.start_s, u.waits) for u in plan.upgrades] == [("a", 0.0, ""), ("b", 1500.0, "max_unavailable")]


def test_nodes_that_are_left_out_for_their_state_are_a_note() -> None:
    plan = plan_of(node("a"), node("b"), node("c", state="down"), waves={"max_unavailable": 2})
    found = next(one for one in plan.conditions if one.code == "ESC-PLN-002")
    assert found.ok
    assert found.remedy.startswith("bring them back")


def test_a_lead_time_that_binds_is_no_group() -> None:
    numbers = build(campaign(), cloud(node("a"), vm("v", "a", lead_s=60)), {}, (), ())
    numbers.limits.append(Limit("lead time of 60 s", 1, 0.0, 60.0, 1))
    wait = NotYet(60.0, "it has to wait", group=len(numbers.limits) - 1)
    assert kept_by(numbers, wait) == "lead time of 60 s"
    assert reason(numbers, wait) == "it has to wait (lead time of 60 s)"


def test_a_node_that_waited_for_a_group_or_a_rack_names_it() -> None:
    pair = Group(id="pair", policy="anti-affinity", max_impacted=1, recovery_s=600)
    stays = {"migration": "none", "vacate": "in-place", "groups": ("pair",)}
    plan = plan_of(node("a"), node("b"), vm("v", "a", **stays), vm("w", "b", **stays), pair, waves={"max_unavailable": 2})
    assert sorted(u.waits for u in plan.upgrades) == ["", "group pair: its limit or recovery"]
    racks = plan_of(node("a", rack="r"), node("b", rack="r"), waves={"max_unavailable": 2, "spread": [{"by": "rack", "max": 1}]})
    assert sorted(u.waits for u in racks.upgrades) == ["", "rack r has 1 node out of service"]


def test_estimates_for_hardware_that_no_node_has_are_told() -> None:
    def said(model: str) -> list[str]:
        hardware = ({"labels": {"model": model}, "upgrade_s": 3600.0},)
        plan = plan_of(node("a", labels={"model": "r740"}), node("b"), estimates={"hardware": hardware})
        return [c.message for c in plan.conditions if c.code == "ESC-PLN-015"]

    assert said("r740") == []
    assert said("r999") == ["no node has the labels of these estimates: model: r999"]


def test_nothing_waits_for_its_turn_beside_a_member_of_its_hard_affinity_group_that_has_to_stay() -> None:
    """It would leave that member behind when the node has its own turn."""
    tied = Group(id="tied", policy="affinity")
    things = (
        node("a"), node("b"), node("c"),
        vm("moves", "a", demand={"pcpu": 1.0}, groups=("tied",)),
        vm("stays", "b", state="stopped", groups=("tied",)), vm("other", "b", demand={"pcpu": 5.0}),
        vm("full", "c", demand={"pcpu": 8.0}), tied,
    )  # fmt: skip
    plan = plan_of(*things)
    assert verify(campaign(), cloud(*things), plan) == []
    assert order(plan)[:2] == ["b", "a"]


@pytest.mark.parametrize(("impact", "noted"), [(None, True), ("reboot", True), ("dataplane", False), ("none", False)])
def test_a_reboot_within_seconds_is_noted_in_case_minutes_were_meant(impact: Impact | None, noted: bool) -> None:
    there = cloud(node("a"), node("b"))
    plan = make_plan(campaign(estimates={"upgrade_s": 25, "hooks_s": 600}), there, impact=impact)
    found = [one for one in plan.conditions if one.code == "ESC-PLN-015"]
    assert [one.message for one in found] == ["2 nodes are estimated to be upgraded within 25 s, with a reboot"] * noted
    assert all(one.ok and "minutes" in one.remedy for one in found)
    longer = make_plan(campaign(estimates={"upgrade_s": 600}), there, impact=impact)
    assert not [one for one in longer.conditions if one.code == "ESC-PLN-015"]
