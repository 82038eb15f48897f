"""The two doors as pure decisions over the rows that their transaction sees."""

from __future__ import annotations

from typing import Any

import pytest

from escalator.model.campaign import Migration
from escalator.storage.port import ImpactRow, NodeSlot
from escalator.upgrade_manager.engine.admission import GroupLimit, ImpactDoor, NodeDoor, SpreadLimit, keys_of

NOW = 1000.0


def slot(node: str, campaign: str = "c") -> NodeSlot:
    return NodeSlot(campaign=campaign, node=node, task=f"{campaign}/{node}/1", since=0.0)


@pytest.mark.parametrize(
    ("limit", "slots", "unavailable", "admitted"),
    [
        (1, [], [], True),
        (1, ["b"], [], False),
        (2, ["b"], [], True),
        (2, ["b", "d"], [], False),
        (1, [], ["b"], False),
        (2, ["b"], ["d"], False),
        (2, ["b"], ["b"], True),  # one node, out for two reasons
        (1, [], ["a"], True),  # its own state does not stand in its way
        (1, ["a"], ["a"], True),
        (3, ["b"], ["d"], True),
    ],
)
def test_a_node_is_admitted_while_fewer_than_the_limit_are_out(
    limit: int, slots: list[str], unavailable: list[str], admitted: bool
) -> None:
    refusal = NodeDoor(limit, unavailable, "a")([slot(name) for name in slots])
    assert (refusal is None) is admitted
    if refusal is not None:
        assert f"max_unavailable is {limit}" in refusal


STORED = dict.fromkeys("abcd", ("storage",))
PARTS = {"a": {"storage": "r1"}, "b": {"storage": "r1"}, "c": {"storage": "r2"}}


@pytest.mark.parametrize(("node", "out", "admitted"), [("a", "b", True), ("a", "c", False), ("a", "d", False), ("d", "a", False)])
def test_nodes_of_one_part_are_no_hindrance_to_one_another(node: str, out: str, admitted: bool) -> None:
    door = NodeDoor(4, [], node, (SpreadLimit("cluster", 1, STORED, "of a cluster at most", PARTS),))
    assert (door([slot(out)]) is None) == admitted


RACKS = SpreadLimit("rack", 1, {"a": ("r1",), "b": ("r1",), "c": ("r2",)})


@pytest.mark.parametrize(
    ("slots", "unavailable", "admitted"), [(["b"], [], False), ([], ["b"], False), (["c"], [], True), (["a"], [], True)]
)
def test_a_spread_rule_holds_a_node_back_and_not_every_other(slots: list[str], unavailable: list[str], admitted: bool) -> None:
    door = NodeDoor(3, unavailable, "a", (RACKS,))
    refusal = door([slot(name) for name in slots])
    assert refusal == (None if admitted else "1 node of rack r1 is out of service, waves.spread allows 1")
    assert not door.full


def test_a_door_that_is_full_is_so_for_every_node() -> None:
    door = NodeDoor(1, [], "a")
    assert door([slot("b")]) is not None
    assert door.full


def row(name: str, **more: Any) -> ImpactRow:
    fields = {"id": f"t/{name}/1", "campaign": "c", "node": "a", "instance": name, "kind": "live", "groups": ("g",)}
    return ImpactRow(**{**fields, **more})


def door(mine: ImpactRow, *limits: GroupLimit, **bounds: int) -> ImpactDoor:
    return ImpactDoor(mine, limits, Migration(**bounds), NOW)


ONE = GroupLimit("g", 1, 30.0)


def test_the_first_member_is_admitted_and_the_second_is_not() -> None:
    assert door(row("v"), ONE)([]) is None
    second = door(row("v"), ONE)
    assert second([row("w")]) == "group g: 1 of at most 1 impacted"
    assert (second.key, second.retry_s) == ("group/g", None)


def test_two_are_admitted_where_two_may_be() -> None:
    two = GroupLimit("g", 2, 30.0)
    assert door(row("v"), two)([row("w")]) is None
    assert door(row("v"), two)([row("w"), row("x")]) is not None


def test_members_that_are_down_take_their_place() -> None:
    assert door(row("v"), GroupLimit("g", 1, 0.0, down=frozenset({"x"})))([]) == "group g: 1 of at most 1 impacted"
    assert door(row("v"), GroupLimit("g", 2, 0.0, down=frozenset({"x"})))([]) is None
    assert door(row("v"), GroupLimit("g", 1, 0.0, down=frozenset({"v"})))([]) is None


def test_a_group_that_allows_none_admits_none() -> None:
    assert door(row("v"), GroupLimit("g", 0, 0.0))([]) is not None


def test_other_groups_do_not_matter() -> None:
    assert door(row("v"), ONE)([row("w", groups=("h",))]) is None


def test_a_group_recovers_after_each_impact() -> None:
    ended = row("w", ended_at=NOW - 20.0)
    recovering = door(row("v"), ONE)
    assert recovering([ended]) == "group g recovers for another 10 s"
    assert (recovering.key, recovering.retry_s) == ("group/g", 10.0)
    assert door(row("v"), ONE)([row("w", ended_at=NOW - 30.0)]) is None


def test_the_latest_end_counts() -> None:
    ended = [row("w", ended_at=NOW - 29.0), row("x", ended_at=NOW - 5.0), row("y", ended_at=NOW - 50.0)]
    refused = door(row("v"), ONE)
    assert refused(ended) == "group g recovers for another 25 s"


def test_the_row_itself_and_an_earlier_try_of_its_instance_are_not_in_its_way() -> None:
    assert door(row("v"), ONE)([row("v")]) is None
    assert door(row("v", id="t/v/2"), ONE)([row("v")]) is None


def test_all_groups_of_an_instance_have_to_agree() -> None:
    mine = row("v", groups=("g", "h"))
    refused = door(mine, ONE, GroupLimit("h", 1, 0.0))
    assert refused([row("w", groups=("h",))]) == "group h: 1 of at most 1 impacted"


@pytest.mark.parametrize(
    ("other", "bounds", "key"),
    [
        ({"target": "z"}, {}, "node/a"),
        ({"node": "d", "target": "b"}, {}, "node/b"),
        ({"node": "d", "target": "z"}, {"total": 1}, "moves"),
    ],
)
def test_bounds_on_migration_hold_and_say_what_to_wait_for(other: dict[str, Any], bounds: dict[str, int], key: str) -> None:
    refused = door(row("v", groups=(), target="b"), **bounds)
    assert refused([row("w", groups=(), **other)]) is not None
    assert (refused.key, refused.retry_s) == (key, None)


@pytest.mark.parametrize(
    "other",
    [
        {"target": "z", "ended_at": 1.0},  # it has ended
        {"target": None},  # it stays, and needs no migration
        {"node": "b", "target": "a"},  # it arrives where ours departs: each end has a bound of its own
    ],
)
def test_what_takes_nothing_from_the_bounds_is_not_counted(other: dict[str, Any]) -> None:
    assert door(row("v", groups=(), target="b"))([row("w", groups=(), **other)]) is None


def test_what_stays_passes_the_bounds_on_migration() -> None:
    assert door(row("v", groups=()), total=1)([row("w", groups=(), target="z")]) is None


def test_an_end_changes_groups_both_nodes_and_the_total() -> None:
    assert set(keys_of(row("v", target="b"))) == {"group/g", "node/a", "node/b", "moves"}
    assert keys_of(row("v")) == ("group/g",)
