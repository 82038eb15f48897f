"""What VNFs declare, put upon the inventory, and planned with."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest

from escalator.model.constraint import Constraint, ConstraintKind, owned
from escalator.model.document import Source, load
from escalator.model.errors import InputError
from escalator.model.inventory import Group, Inventory
from escalator.model.plan import Move
from escalator.upgrade_manager.planner.actions import Leaves, Stuck, action_for
from escalator.upgrade_manager.planner.constraints import concerned, constrained, declared
from escalator.upgrade_manager.planner.make import make_plan
from escalator.upgrade_manager.planner.verify.check import verify
from unit.planner.clouds import campaign, cloud, failing, node, vm

ONE = [{"max_number_of_impacted_instances": 1}]


def says(kind: ConstraintKind, name: str, **spec: object) -> Constraint:
    key = owned(name, str(spec["declared_by"])) if kind == "group" and "declared_by" in spec else name
    return load(Constraint, Source({"kind": kind, "id": key, "spec": spec}))


def under(inventory: Inventory, *constraints: Constraint) -> Inventory:
    found = constrained(inventory, declared(constraints))
    return Inventory.model_validate(found.model_dump(by_alias=True), strict=False)


def test_nothing_declared_changes_nothing() -> None:
    inventory = cloud(node("a"), vm("v", "a"))
    assert constrained(inventory, {}) is inventory
    assert under(inventory, says("vnf", "other", impact_notification_lead_time=5)) == inventory


def test_the_most_particular_word_counts_value_by_value() -> None:
    inventory = cloud(node("a"), vm("v", "a", vnf="n", groups=("g",)), vm("w", "a", vnf="n"), Group(id="g"))
    found = under(
        inventory,
        says("project", "p", impact_notification_lead_time=10, max_undetectable_interruption_time=1),
        says("vnf", "n", impact_notification_lead_time=20, is_impact_mitigation_requested=True),
        says("group", "g", impact_notification_lead_time=30),
        says("instance", "v", is_impact_mitigation_requested=False),
    ).instance_by_id
    assert (found["v"].lead_s, found["v"].mitigation, found["v"].max_interruption_s) == (30.0, False, 1.0)
    assert (found["w"].lead_s, found["w"].mitigation) == (20.0, True)


@pytest.mark.parametrize(
    ("able", "supported", "kind"),
    [
        ("live", ["live_migration"], "live"),
        ("live", ["offline_migration", "live_migration"], "cold"),
        ("cold", ["live_migration", "offline_migration"], "cold"),
        ("cold", ["live_migration"], "none"),
        ("none", ["live_migration", "offline_migration"], "none"),
        ("live", ["no_migration", "live_migration"], "none"),
    ],
)
def test_the_first_kind_that_is_supported_and_possible_is_planned(able: str, supported: list[str], kind: str) -> None:
    inventory = cloud(node("a"), vm("v", "a", migration=able))
    found = under(inventory, says("instance", "v", supported_migration_type=supported)).instance_by_id["v"]
    assert found.migration == kind
    if kind != able:
        assert supported[0] in (found.migration_reason or "")


def test_limits_of_a_group_come_from_its_own_word_else_from_its_project() -> None:
    groups = (Group(id="g", recovery_s=5.0), Group(id="h"), Group(id="mixed"))
    machines = [vm(f"v{n}", "a", groups=("g", "mixed")) for n in range(4)] + [vm(f"w{n}", "a", groups=("h",)) for n in range(3)]
    inventory = cloud(node("a"), *machines, vm("x", "a", project="q", groups=("mixed",)), *groups)
    found = under(
        inventory,
        says("project", "p", min_number_of_preserved_instances=[{"min_number_of_preserved_instances": 2}]),
        says("group", "g", max_number_of_impacted_instances=[{"group_size": 4, "max_number_of_impacted_instances": 3}]),
    ).group_by_id
    assert (found["g"].max_impacted, found["g"].recovery_s) == (3, 5.0)
    assert found["h"].max_impacted == 1
    assert found["mixed"].max_impacted is None


def test_limits_of_a_vnf_hold_over_all_its_instances() -> None:
    inventory = cloud(node("a"), vm("v", "a", vnf="n", groups=("g",)), vm("w", "a", vnf="n"), vm("x", "a"), Group(id="g"))
    found = under(inventory, says("vnf", "n", max_number_of_impacted_instances=ONE, min_recovery_time_between_impacts=9))
    assert {i.id: i.groups for i in found.instances} == {"v": ("g", "vnf:n"), "w": ("vnf:n",), "x": ()}
    assert (found.group_by_id["vnf:n"].max_impacted, found.group_by_id["vnf:n"].recovery_s) == (1, 9.0)


def test_groups_that_only_constraints_know_have_members_by_their_word() -> None:
    inventory = cloud(node("a"), vm("v", "a"), vm("w", "a"), vm("x", "a"))
    by = {"declared_by": "p"}
    found = under(
        inventory,
        says("instance", "v", member_of=["g"], **by),
        says("instance", "w", member_of=["g"], **by),
        says("group", "g", max_number_of_impacted_instances=ONE, min_recovery_time_between_impacts=60, **by),
    )
    (group,) = found.groups
    assert [i.id for i in found.members[group.id]] == ["v", "w"]
    assert (group.max_impacted, group.recovery_s) == (1, 60.0)


def test_what_is_declared_for_such_a_group_reaches_its_members() -> None:
    inventory = cloud(node("a"), vm("v", "a"), vm("w", "a"))
    by = {"declared_by": "p"}
    group = {
        "is_impact_mitigation_requested": True,
        "impact_notification_lead_time": 30,
        "supported_migration_type": ["no_migration"],
    }
    found = under(inventory, says("instance", "v", member_of=["g"], **by), says("group", "g", **group, **by)).instance_by_id
    assert (found["v"].mitigation, found["v"].lead_s, found["v"].migration) == (True, 30.0, "none")
    assert (found["w"].mitigation, found["w"].lead_s, found["w"].migration) == (False, 0.0, "live")


def test_nobody_joins_a_group_of_others() -> None:
    """A tenant names another's groups, the operator's, and those that Escalator makes up: none of their limits changes."""
    victim = tuple(vm(f"v{n}", "a", project="q", vnf="n", groups=("g",)) for n in range(3))
    inventory = cloud(node("a"), *victim, vm("mine", "a"), Group(id="g"))
    theirs = (
        says("group", "g", max_number_of_impacted_instances=ONE, min_recovery_time_between_impacts=60, declared_by="q"),
        says("vnf", "n", min_number_of_preserved_instances=[{"min_number_of_preserved_instances": 2}]),
        says("instance", "v0", runs_management=True),
    )
    before = under(inventory, *theirs)
    after = under(inventory, *theirs, says("instance", "mine", member_of=["g", "vnf:n", "management", "h"], declared_by="p"))
    mine = set(after.instance_by_id["mine"].groups)
    for group in before.groups:
        assert after.group_by_id[group.id] == group
        assert [i.id for i in after.members.get(group.id, ())] == [i.id for i in before.members.get(group.id, ())]
        assert group.id not in mine


def test_two_projects_may_use_one_name() -> None:
    inventory = cloud(node("a"), vm("v", "a"), vm("w", "a", project="q"))
    found = under(
        inventory,
        says("instance", "v", member_of=["workers"], declared_by="p"),
        says("instance", "w", member_of=["workers"], declared_by="q"),
        says("group", "workers", max_number_of_impacted_instances=ONE, declared_by="p"),
    )
    assert set(found.instance_by_id["v"].groups).isdisjoint(found.instance_by_id["w"].groups)
    assert {g.id: g.max_impacted for g in found.groups}[found.instance_by_id["v"].groups[0]] == 1
    assert {g.id: g.max_impacted for g in found.groups}[found.instance_by_id["w"].groups[0]] is None


def test_what_two_projects_say_of_groups_of_one_name_holds_for_each() -> None:
    inventory = cloud(node("a"), vm("v", "a"), vm("w", "a", project="q"), vm("x", "a", groups=("g",)), Group(id="g"))
    rows = [
        says("group", name, max_number_of_impacted_instances=[{"max_number_of_impacted_instances": most}], declared_by=by)
        for name, by, most in (("workers", "p", 2), ("workers", "q", 3), ("g", "q", 4), ("g", "p", 5))
    ]
    members = [says("instance", one, member_of=["workers"], declared_by=by) for one, by in (("v", "p"), ("w", "q"))]
    for words in ([*rows, *members], [*reversed(rows), *members]):
        found = under(inventory, *words)
        assert {g.id: g.max_impacted for g in found.groups} == {"declared/p/workers": 2, "declared/q/workers": 3, "g": 5}
        assert [concerned(found, row) for row in rows] == [1, 1, 0, 1]
    # The operator's word on the cloud's own group comes first.
    assert under(inventory, *rows, says("group", "g", max_number_of_impacted_instances=ONE)).group_by_id["g"].max_impacted == 1


def test_a_project_s_word_counts_for_its_own_alone() -> None:
    inventory = cloud(
        node("a"), vm("v", "a", groups=("g", "h")), vm("x", "a", project="q", groups=("h",)), Group(id="g"), Group(id="h")
    )
    found = under(
        inventory,
        says("instance", "x", impact_notification_lead_time=9, declared_by="p"),
        says("group", "g", max_number_of_impacted_instances=ONE, declared_by="p"),
        says("group", "h", max_number_of_impacted_instances=ONE, declared_by="p"),
    )
    assert found.instance_by_id["x"].lead_s == 0.0
    assert (found.group_by_id["g"].max_impacted, found.group_by_id["h"].max_impacted) == (1, None)


def test_what_manages_others_goes_one_at_a_time() -> None:
    inventory = cloud(node("a"), node("b"), vm("v", "a", vnf="ems"), vm("w", "b", vnf="ems"), vm("x", "b"))
    found = under(inventory, says("vnf", "ems", runs_management=True), says("instance", "x", runs_management=True))
    assert [i.groups for i in found.instances] == [("management",)] * 3
    assert found.group_by_id["management"].limit(3) == 1
    plan = make_plan(campaign(waves={"max_unavailable": 2}), found)
    spans = sorted((move.start_s, move.end_s) for move in plan.moves)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


def test_a_constraint_tells_how_many_it_is_about() -> None:
    inventory = cloud(node("a"), vm("v", "a", vnf="n", groups=("g",)), vm("w", "a", vnf="n"), Group(id="g"))
    names = (("group", "g"), ("vnf", "n"), ("project", "p"), ("instance", "w"), ("instance", "gone"), ("group", "gone"))
    assert [concerned(inventory, says(kind, name)) for kind, name in names] == [1, 2, 2, 1, 0, 0]


def test_no_impact_is_planned_before_the_lead_time_of_its_instance() -> None:
    inventory = cloud(node("a"), node("b"), node("c"), vm("v", "a"), vm("w", "b"))
    wish = campaign(estimates={"upgrade_s": 100})
    late = under(inventory, says("instance", "w", impact_notification_lead_time=5000))
    plan = make_plan(wish, late)
    starts = {move.instance: move.start_s for move in plan.moves}
    assert plan.smooth
    assert starts["v"] < 5000 <= starts["w"]
    assert verify(wish, late, plan) == []
    assert "ESC-PLN-115" in {v.code.value for v in verify(wish, late, make_plan(wish, inventory))}


def test_what_needs_a_replacement_moves_to_it_or_is_a_condition() -> None:
    inventory = cloud(node("a"), node("b"), vm("v", "a", vnf="n"), vm("w", "a", vnf="n", migration="none"))
    found = under(inventory, says("vnf", "n", is_impact_mitigation_requested=True))
    failed = failing(make_plan(campaign(), found, frozenset(("v", "w"))))
    assert "instance w on a" in failed["ESC-PLN-012"].message
    assert "1 instance of n" in (failed["ESC-PLN-012"].remedy or "")
    able = under(inventory, says("instance", "v", is_impact_mitigation_requested=True))
    assert make_plan(campaign(), able, frozenset(("v", "w"))).smooth
    assert "ESC-PLN-012" not in {c.code for c in make_plan(campaign(), inventory, frozenset(("w",))).conditions}


@pytest.mark.parametrize("default", ["cold", "stop-start", "in-place", "leave", "live"])
def test_what_may_only_migrate_live_is_neither_moved_cold_nor_left(default: str) -> None:
    inventory = cloud(node("a"), node("b"), vm("v", "a"))
    found = under(inventory, says("instance", "v", supported_migration_type=["live_migration"]))
    spec = campaign(workloads={"default": {"action": default}}).spec
    assert action_for(found.instance_by_id["v"], spec, managed=False) == Leaves("live")


def test_what_may_not_migrate_cold_and_cannot_live_is_a_condition_with_its_reason() -> None:
    inventory = cloud(node("a"), node("b"), vm("v", "a", migration="cold"))
    found = under(inventory, says("instance", "v", supported_migration_type=["live_migration"]))
    action = action_for(found.instance_by_id["v"], campaign(workloads={"default": {"action": "cold"}}).spec, managed=False)
    assert isinstance(action, Stuck)
    assert "live_migration" in action.reason


def test_an_order_of_kinds_without_staying_forbids_the_others_alone() -> None:
    inventory = cloud(node("a"), vm("v", "a"))
    found = under(inventory, says("instance", "v", supported_migration_type=["offline_migration", "no_migration"]))
    instance = found.instance_by_id["v"]
    assert [instance.may(kind) for kind in ("live", "cold", "none")] == [False, True, True]
    assert [inventory.instance_by_id["v"].may(kind) for kind in ("live", "cold", "none")] == [True, True, True]


NOTICES = {"max_undetectable_interruption_time": "100 ms"}


def test_a_live_migration_that_is_noticed_needs_somebody_who_bears_it() -> None:
    inventory = cloud(node("a"), node("b"), vm("v", "a"), vm("w", "b"))
    found = under(inventory, says("instance", "v", **NOTICES))
    failed = failing(make_plan(campaign(), found))
    assert "instance v on a notices more than 0.1 s" in failed["ESC-VIM-022"].message
    assert "estimates.migration.interruption_s" in (failed["ESC-VIM-022"].remedy or "")
    # Who manages it can be asked; a measured time that is short enough is not noticed; cold, it is told anyway.
    assert make_plan(campaign(), found, frozenset(("v",))).smooth
    quick = make_plan(campaign(estimates={"migration": {"interruption_s": 0.1}}), found)
    assert (quick.smooth, "ESC-VIM-022" in {c.code for c in quick.conditions}) == (True, False)
    assert make_plan(campaign(workloads={"default": {"action": "cold"}}), found).smooth


@pytest.mark.parametrize(
    ("group", "bears"),
    [
        (Group(id="g", max_impacted=1), True),
        (Group(id="g", min_preserved=1), True),
        (Group(id="g", policy="anti-affinity"), True),
        (Group(id="g", policy="soft-anti-affinity"), True),
        (Group(id="g", recovery_s=10), False),
        (Group(id="g", policy="soft-affinity"), False),
    ],
)
def test_a_group_bears_what_is_noticed_when_it_says_how_many_may_be_impacted(group: Group, bears: bool) -> None:
    wish = campaign()
    members = [vm("v", "a", groups=("g",)), vm("w", "b", groups=("g",))]
    inventory = cloud(node("a"), node("b"), node("c"), *members, group)
    found = under(inventory, says("group", "g", **NOTICES))
    plan = make_plan(wish, found)
    assert plan.smooth is bears
    assert [c.ok for c in plan.conditions if c.code == "ESC-VIM-022"] == [bears]
    assert verify(wish, found, plan) == []
    forged = plan.model_copy(update={"smooth": True, "conditions": ()})
    assert {v.instance for v in verify(wish, found, forged)} == (set() if bears else {"v", "w"})
    assert verify(wish, found, forged, frozenset(("v", "w"))) == []


def test_a_group_of_which_the_cloud_knows_nothing_is_kept_apart_when_that_is_declared() -> None:
    by = {"declared_by": "p"}
    inventory = cloud(node("a"), node("b"), node("c"), vm("v", "a"), vm("w", "b"))
    member = {"member_of": ["g"], **by}
    words = [says("instance", "v", **member), says("instance", "w", **member)]
    apart = under(inventory, *words, says("group", "g", anti_affinity=True, **by))
    (group,) = apart.groups
    assert (group.policy, group.limit(2)) == ("anti-affinity", 1)
    beside = under(inventory, *words, says("group", "g", anti_affinity=False, **by))
    assert joined(make_plan(campaign(), beside).moves)
    plan = make_plan(campaign(), apart)
    assert verify(campaign(), apart, plan) == []
    assert not joined(plan.moves)


def joined(moves: Sequence[Move]) -> bool:
    """Whether v and w come to be on one node."""
    at = {"v": "a", "w": "b"}
    for move in sorted(moves, key=lambda move: move.start_s):
        at[move.instance] = move.target
        if at["v"] == at["w"]:
            return True
    return False


@pytest.mark.parametrize(
    ("policy", "then"), [("soft-anti-affinity", "anti-affinity"), ("affinity", "affinity"), ("anti-affinity", "anti-affinity")]
)
def test_what_the_cloud_keeps_together_or_apart_stays_so(policy: str, then: str) -> None:
    group = Group.model_validate({"id": "g", "policy": policy})
    inventory = cloud(node("a"), vm("v", "a", groups=("g",)), group)
    (found,) = under(inventory, says("group", "g", anti_affinity=True)).groups
    (left,) = under(inventory, says("group", "g", anti_affinity=False)).groups
    assert (found.policy, left.policy) == (then, policy)


@pytest.mark.parametrize("kind", ["instance", "vnf", "project"])
def test_only_a_group_has_members_that_are_kept_apart(kind: ConstraintKind) -> None:
    with pytest.raises(InputError, match="anti_affinity is said of a group"):
        says(kind, "g", anti_affinity=True)
