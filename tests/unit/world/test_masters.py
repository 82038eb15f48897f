"""Who is master in a copy of a cloud: the one that its inventory names, until the role is handed over."""

from __future__ import annotations

from escalator.model.inventory import Inventory, Node
from escalator.world.timings import Timings
from escalator.world.world import World
from unit.world.smallcloud import TurnedClock

CELL = {"pcpu": 16.0, "mem_mib": 65536.0}


def test_the_master_that_an_inventory_names_is_one_and_stays_one() -> None:
    nodes = tuple(Node(id=f"ctl-{n}", roles=("control",), numa=(CELL,), master=n == 2) for n in (1, 2, 3))
    world = World.in_memory(TurnedClock(), Timings())
    world.load(Inventory(nodes=nodes))
    assert world.clusters.master("ctl-1") == "ctl-2"
    world.clusters.hand_over("ctl-2")
    assert world.clusters.master("ctl-1") == "ctl-1"
    assert [node.id for node in world.inventory().nodes if node.master] == []
