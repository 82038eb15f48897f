"""Inventories: one that contradicts itself is refused, with every contradiction named."""

from __future__ import annotations

import json

import pytest

from escalator.model.document import load, parse
from escalator.model.errors import InputError
from escalator.model.inventory import Group, Instance, Inventory, Node

GOOD = """\
apiVersion: escalator/v1
kind: Inventory
nodes:
  - {id: a, numa: [{pcpu: 4}, {pcpu: 4}]}
  - {id: b, numa: [{pcpu: 4}]}
instances:
  - {id: v, project: p, node: a, numa_cell: 1, demand: {pcpu: 2}, groups: [g]}
groups:
  - {id: g, policy: anti-affinity}
"""


def said(text: str) -> str:
    with pytest.raises(InputError) as caught:
        load(Inventory, parse(text))
    return str(caught.value)


def test_a_consistent_inventory_is_read() -> None:
    inventory = load(Inventory, parse(GOOD))
    assert [i.id for i in inventory.instances_by_node["a"]] == ["v"]
    assert [i.id for i in inventory.members["g"]] == ["v"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("id: b,", "id: a,", "node 'a' stands there 2 times"),
        ("node: a,", "node: z,", "instance 'v' is on node 'z', which is not in the inventory"),
        ("numa_cell: 1", "numa_cell: 2", "instance 'v' uses a NUMA entry that node 'a' does not have"),
        ("numa_cell: 1", "numa_cell: -1", "instance 'v' uses a NUMA entry that node 'a' does not have"),
        ("numa_cell: 1", "numa_span: 3", "instance 'v' uses a NUMA entry that node 'a' does not have"),
        ("groups: [g]", "groups: [h]", "instance 'v' is in group 'h', which is not in the inventory"),
        ("{pcpu: 2}", "{pcpu: -2}", "greater than or equal to 0"),
        ("policy: anti-affinity", "policy: apart", "'apart' is not one of"),
    ],
)
def test_a_contradiction_is_named(old: str, new: str, expected: str) -> None:
    assert expected in said(GOOD.replace(old, new))


def test_all_contradictions_are_named_at_once() -> None:
    text = said(GOOD.replace("id: b,", "id: a,").replace("node: a,", "node: z,").replace("groups: [g]", "groups: [h]"))
    for part in ("stands there 2 times", "on node 'z'", "in group 'h'"):
        assert part in text


@pytest.mark.parametrize(
    ("group", "members", "limit"),
    [
        (Group(id="g"), 5, 5),
        (Group(id="g", policy="anti-affinity"), 5, 1),
        (Group(id="g", policy="soft-anti-affinity"), 5, 1),
        (Group(id="g", policy="affinity"), 5, 5),
        (Group(id="g", policy="anti-affinity", max_impacted=3), 5, 3),
        (Group(id="g", min_preserved=4), 5, 1),
        (Group(id="g", min_preserved=7), 5, 0),
        (Group(id="g", max_impacted=0), 5, 0),
        (Group(id="g", max_impacted=3, min_preserved=4), 5, 1),
        (Group(id="g", max_impacted=1, min_preserved=2), 5, 1),
    ],
)
def test_a_group_says_how_many_members_may_be_impacted(group: Group, members: int, limit: int) -> None:
    assert group.limit(members) == limit


@pytest.mark.parametrize(("cell", "span", "cells"), [(None, 1, (0,)), (None, 3, (0, 1, 2)), (2, 1, (2,)), ((0, 2), 2, (0, 2))])
def test_an_instance_uses_the_entries_it_names_or_the_first(cell: int | None, span: int, cells: tuple[int, ...]) -> None:
    assert Instance(id="v", project="p", node="a", numa_cell=cell, numa_span=span).cells == cells


def test_memory_counts_over_all_entries() -> None:
    assert Instance(id="v", project="p", node="a", numa_span=2, demand={"mem_mib": 2048.0}).memory_gib == 4.0
    assert Instance(id="v", project="p", node="a").memory_gib == 0.0


def test_documents_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Node(id="a").state = "down"


def test_a_copy_with_other_nodes_and_instances_is_looked_up_anew() -> None:
    a, b, v = Node(id="a"), Node(id="b"), Instance(id="v", project="p", node="a")
    before = Inventory(nodes=(a,), instances=(v,))
    assert (set(before.node_by_id), set(before.instances_by_node)) == ({"a"}, {"a"})
    moved = before.model_copy(update={"nodes": (a, b), "instances": (v.model_copy(update={"node": "b"}),)})
    assert (set(moved.node_by_id), set(moved.instances_by_node)) == ({"a", "b"}, {"b"})
    assert set(before.node_by_id) == {"a"}


def test_contradictions_are_named_beside_what_is_wrong_in_form_each_with_its_place() -> None:
    text = GOOD.replace("id: b,", "id: a, rck: 1,").replace("node: a,", "node: z,").replace("groups: [g]", "groups: [h]")
    with pytest.raises(InputError) as caught:
        load(Inventory, parse(text))
    found = {problem.path: problem.message for problem in caught.value.problems}
    assert set(found) == {"nodes[1].rck", "nodes[1].id", "instances[0].node", "instances[0].groups[0]"}
    assert all(problem.line is not None and problem.line > 1 for problem in caught.value.problems)


def test_what_names_a_thing_whose_own_id_is_wrong_is_not_blamed_for_it() -> None:
    with pytest.raises(InputError) as caught:
        load(Inventory, parse(GOOD.replace("id: a,", "id: 1,")))
    assert [problem.path for problem in caught.value.problems] == ["nodes[0].id"]


def test_instances_that_were_read_have_in_common_what_is_equal() -> None:
    rows = [
        {"id": name, "project": "core", "node": "cn-1", "groups": ["pair"], "requires": {"az": "az1", "traits": ["AVX"]}}
        for name in ("a", "b")
    ]
    text = {"nodes": [{"id": "cn-1"}], "instances": rows, "groups": [{"id": "pair"}]}
    read = Inventory.model_validate_json(json.dumps(text))
    first, second = read.instances
    assert first.node is second.node is read.nodes[0].id
    assert first.groups is second.groups
    assert first.requires is second.requires
    assert first.requires.traits == ("AVX",)


def test_the_same_instances_on_other_nodes_are_looked_up_once() -> None:
    read = Inventory(
        nodes=(Node(id="cn-1"),),
        instances=(Instance(id="a", project="core", node="cn-1", groups=("pair",)),),
        groups=(Group(id="pair"),),
    )
    down = read.with_nodes([Node(id="cn-1", state="down")])
    assert down.members is read.members
    assert down.instances_by_node is read.instances_by_node
    assert down.node_by_id["cn-1"].state == "down"
