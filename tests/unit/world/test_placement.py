"""Which NUMA entries the simulated cloud gives to an instance: those that Nova would."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from escalator.model.inventory import Instance, Node
from escalator.world.placement import Usage

CELL = {"pcpu": 16.0, "mem_mib": 65536.0, "vf": 8.0}
PLAIN = {"pcpu": 2.0, "mem_mib": 2048.0}
WITH_VF = {**PLAIN, "vf": 1.0}


@pytest.mark.parametrize(
    ("used", "demand", "gets"),
    [
        ({}, WITH_VF, 0),
        ({0: {"pcpu": 2.0}}, WITH_VF, 1),
        ({0: {"mem_mib": 2048.0}}, WITH_VF, 1),
        ({0: {"mem_mib": 2048.0}, 1: {"pcpu": 2.0}}, WITH_VF, 0),
        ({0: {"pcpu": 8.0}, 1: {"vf": 1.0}}, WITH_VF, 0),
        ({0: {"vf": 1.0, "pcpu": 8.0}}, PLAIN, 0),
        ({0: {"pcpu": 15.0}, 1: {"vf": 8.0}}, PLAIN, 1),
    ],
    ids=("the first", "most CPUs", "most memory", "CPUs before memory", "devices before CPUs", "fewest devices", "where it fits"),
)
def test_of_the_entries_that_hold_an_instance_it_gets_the_one_that_comes_first(
    used: Mapping[int, Mapping[str, float]], demand: Mapping[str, float], gets: int
) -> None:
    node, usage = Node(id="n", numa=(CELL, CELL)), Usage(balances=True)
    usage.add_node(node)
    for cell, amounts in used.items():
        usage.claim("n", [cell], amounts)
    assert usage.fit(node, Instance(id="i", project="p", node="m", demand=demand)) == (gets,)


def test_an_instance_of_several_entries_gets_them_in_their_order() -> None:
    node, usage = Node(id="n", numa=(CELL, CELL, CELL)), Usage(balances=True)
    usage.add_node(node)
    usage.claim("n", [0], {"pcpu": 2.0})
    usage.claim("n", [1], {"pcpu": 1.0})
    spans = Instance(id="i", project="p", node="m", demand=PLAIN, numa_span=2)
    assert usage.fit(node, spans) == (1, 2)
    usage.claim("n", [2], {"pcpu": 16.0})
    usage.claim("n", [1], {"pcpu": 15.0})
    assert usage.fit(node, spans) is None
