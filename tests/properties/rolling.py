"""Clouds that roll on without much ado, and what happens to them in the middle: what a repair of a plan is made for."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from escalator.model.inventory import Instance, Inventory
from escalator.upgrade_manager.planner.progress import Progress, Started

CELL = {"pcpu": 8.0, "mem_mib": 16384.0}
LATEST_S = 400.0
JUST_S = 1e-3


@st.composite
def rolling_clouds(draw: st.DrawFn) -> dict[str, Any]:
    """Five to twelve nodes of which one or two are empty, filled to about two thirds at most, in racks; groups that can bind."""
    count = draw(st.integers(5, 12))
    nodes = [{"id": f"n{n:02}", "rack": f"r{n % 3}", "numa": [dict(CELL), dict(CELL)]} for n in range(count)]
    kinds = [
        {
            "id": f"g{number}",
            "policy": draw(st.sampled_from(["anti-affinity", "soft-anti-affinity", "none"])),
            "max_per_node": draw(st.sampled_from([None, None, 1, 2])),
            "max_impacted": draw(st.sampled_from([None, 1, 2])),
            "recovery_s": draw(st.sampled_from([0.0, 60.0, 600.0])),
        }
        for number in range(draw(st.integers(0, 3)))
    ]
    instances: list[dict[str, Any]] = []
    for node in nodes[draw(st.integers(1, 2)) :]:
        free = [draw(st.integers(2, 8)), draw(st.integers(0, 6))]
        mine = [kind["id"] for kind in kinds]
        for cell in (0, 1):
            while free[cell] > 0:
                size = min(free[cell], draw(st.sampled_from([1, 2, 4])))
                free[cell] -= size
                group = [mine.pop()] if mine and draw(st.booleans()) else []
                instances.append(
                    {
                        "id": f"vm{len(instances)}",
                        "project": "p",
                        "node": node["id"],
                        "numa_cell": cell,
                        "demand": {"pcpu": float(size), "mem_mib": size * 1024.0},
                        "groups": group,
                        "migration": draw(st.sampled_from(["live"] * 5 + ["cold"])),
                        "vacate": draw(st.sampled_from(["move"] * 6 + ["in-place"])),
                    }
                )
    return {"apiVersion": "escalator/v1", "kind": "Inventory", "nodes": nodes, "instances": instances, "groups": kinds}


@st.composite
def rolling_campaigns(draw: st.DrawFn) -> dict[str, Any]:
    """Without pauses, reserves and groups of nodes."""
    spec: dict[str, Any] = {
        "release": "nfvi-agent/2.0.0",
        "mode": "smooth",
        "scope": {"select": {}},
        "waves": {"max_unavailable": draw(st.sampled_from([3, 5, "100%"])), "max_extra_moves": 0.0},
        "migration": {"per_node": draw(st.sampled_from([1, 2])), "total": draw(st.sampled_from([3, 20]))},
        "workloads": {"notify": {"lead_time_s": draw(st.sampled_from([0.0, 0.0, 120.0]))}},
    }
    if draw(st.sampled_from([False, False, True])):
        spec["windows"] = [{"days": ["sat", "sun"], "start": "01:00", "length_s": 7200.0}]
    return {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": spec}


def late(progress: Progress, by_s: float) -> Progress:
    """The same moment of a campaign whose work under way began later than planned."""

    def then(start_s: float) -> float:
        return max(start_s, min(progress.at_s - JUST_S, start_s + by_s))

    moves = [m.model_copy(update={"start_s": then(m.start_s)}) for m in progress.moves]
    started = {
        node: Started(away_s=then(one.away_s), start_s=None if one.start_s is None else then(one.start_s))
        for node, one in progress.started.items()
    }
    return replace(progress, moves=moves, started=started)


def happens(inventory: Inventory, rng: random.Random) -> tuple[Inventory, str]:
    """One thing happens; what it was."""
    what = rng.choice(sorted(_HAPPENS))
    return _HAPPENS[what](inventory, rng), what


def _lost(inventory: Inventory, rng: random.Random, progress: tuple[str, ...], change: dict[str, str]) -> Inventory:
    fit = [number for number, node in enumerate(inventory.nodes) if node.progress in progress]
    if not fit:
        return inventory
    nodes = list(inventory.nodes)
    number = rng.choice(fit)
    nodes[number] = nodes[number].model_copy(update=change)
    return Inventory(nodes=tuple(nodes), instances=inventory.instances, groups=inventory.groups)


def _with(inventory: Inventory, instances: list[Instance]) -> Inventory:
    return Inventory(nodes=inventory.nodes, instances=tuple(instances), groups=inventory.groups)


def _gone(inventory: Inventory, rng: random.Random) -> Inventory:
    instances = list(inventory.instances)
    if instances:
        instances.pop(rng.randrange(len(instances)))
    return _with(inventory, instances)


def _room(inventory: Inventory, node: str, cell: int) -> float:
    used = sum(i.demand["pcpu"] for i in inventory.instances if i.node == node and cell in i.cells)
    return CELL["pcpu"] - used


def _new(inventory: Inventory, rng: random.Random) -> Inventory:
    """One more comes where there is room for it."""
    node = rng.choice([node for node in inventory.nodes if node.progress in ("old", "done")] or list(inventory.nodes))
    fit = [cell for cell in (0, 1) if _room(inventory, node.id, cell) >= 1.0]
    if not fit:
        return inventory
    demand = {"pcpu": 1.0, "mem_mib": 1024.0}
    new = Instance(id="vm-new", project="p", node=node.id, numa_cell=fit[0], demand=demand)
    return _with(inventory, [*inventory.instances, new])


def _moved(inventory: Inventory, rng: random.Random) -> Inventory:
    """Its VNF manager has moved an instance of no group."""
    instances = list(inventory.instances)
    free = [number for number, i in enumerate(instances) if not i.groups]
    nodes = [node.id for node in inventory.nodes if node.progress in ("old", "done")]
    if not free or not nodes:
        return inventory
    number, node = rng.choice(free), rng.choice(nodes)
    fit = [cell for cell in (0, 1) if _room(inventory, node, cell) >= instances[number].demand["pcpu"]]
    if fit and node != instances[number].node:
        instances[number] = instances[number].model_copy(update={"node": node, "numa_cell": fit[0]})
    return _with(inventory, instances)


def _limited(inventory: Inventory, rng: random.Random) -> Inventory:
    """A group allows less, or recovers for longer."""
    groups = list(inventory.groups)
    if groups:
        number = rng.randrange(len(groups))
        change: dict[str, Any] = rng.choice([{"max_impacted": 1}, {"recovery_s": 900.0}])
        groups[number] = groups[number].model_copy(update=change)
    return Inventory(nodes=inventory.nodes, instances=inventory.instances, groups=tuple(groups))


_HAPPENS: dict[str, Callable[[Inventory, random.Random], Inventory]] = {
    "a node that waits is down": lambda there, rng: _lost(there, rng, ("old",), {"state": "down"}),
    "a node that waits failed": lambda there, rng: _lost(there, rng, ("old",), {"progress": "failed"}),
    "a node under way failed": lambda there, rng: _lost(there, rng, ("upgrading", "draining"), {"progress": "failed"}),
    "an upgraded node is down": lambda there, rng: _lost(there, rng, ("done",), {"state": "down"}),
    "an instance is gone": _gone,
    "an instance came": _new,
    "an instance was moved": _moved,
    "a group allows less": _limited,
    "nothing": lambda there, _: there,
}
