"""Seeded clouds of every size and load, for the planner's benchmark.

Hosts are of two models, half of each: two NUMA entries with 48 dedicated CPUs, 128 GiB and 16 VFs, or with 64, 168 GiB and
22. Instances come from six flavours; some seven in ten are members of a hard anti-affinity group. They are placed by
power-of-40 spreading, and one in twenty is taken away again, which leaves holes as time does. The numbers are
assumptions, made once and kept.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from escalator.model.inventory import Group, Instance, Inventory, Node

MODELS = (("r1", 48.0, 128 * 1024.0, 16.0), ("r2", 64.0, 168 * 1024.0, 22.0))
FLAVOURS = (
    (2, 4, 1, 1, 0.25),
    (4, 8, 2, 1, 0.30),
    (8, 16, 2, 1, 0.25),
    (16, 32, 4, 1, 0.12),
    (24, 64, 4, 1, 0.05),
    (16, 48, 2, 2, 0.03),
)
"""CPUs, GiB and VFs per NUMA entry, entries, share."""
SIZES = ((2, 0.35), (3, 0.20), (4, 0.20), (6, 0.10), (8, 0.10), (16, 0.05))
RECOVERIES = ((0.0, 0.30), (60.0, 0.40), (300.0, 0.25), (600.0, 0.05))
GROUPED = 0.7
CHURN = 0.05
CHOICES = 40


@dataclass(frozen=True)
class Wish:
    """One cell of a grid. `pinned` is the share of instances that cannot migrate, half of them in groups that can switch over."""

    nodes: int
    use: float
    empty: float = 0.03
    pinned: float = 0.0
    tight: bool = False
    seed: int = 0


def cloud(wish: Wish) -> Inventory:
    """The cloud of a wish: always the same for the same wish."""
    rng = random.Random(f"{wish}")
    nodes = [_node(number) for number in range(wish.nodes)]
    for_use = rng.sample(range(wish.nodes), wish.nodes - round(wish.empty * wish.nodes))
    free = [[dict(cell) for cell in node.numa] for node in nodes]
    there = [set() for _ in nodes]
    capacity = sum(cell["pcpu"] for node in nodes for cell in node.numa)
    wanted, used = wish.use * capacity, 0.0
    made: list[dict[str, object]] = []
    groups: list[Group] = []
    failures = 0
    while used < wanted * (1 + CHURN) and failures < 400:
        group, size = None, 1
        if rng.random() < GROUPED / 2.2:  # groups are larger than one: this share of draws makes seven members in ten
            size = _pick(rng, SIZES)
            group = _group(rng, len(groups), size, tight=wish.tight)
        flavour = _pick(rng, [((c, g, v, s), p) for c, g, v, s, p in FLAVOURS])
        members = []
        for _ in range(size):
            place = _place(rng, flavour, group, for_use, free, there)
            if place is None:
                failures += 1
                continue
            failures = 0
            members.append(_instance(len(made) + len(members), flavour, group, place, nodes))
            used += flavour[0] * flavour[3]
        if group is not None and len(members) > 1:
            groups.append(group)
        elif members:
            for member in members:
                member["groups"] = ()
        made += members
    gone = set(rng.sample(range(len(made)), round(len(made) * CHURN / (1 + CHURN))))
    kept = [one for number, one in enumerate(made) if number not in gone]
    _pin(rng, kept, wish.pinned)
    return Inventory(nodes=tuple(nodes), instances=tuple(Instance(**one) for one in kept), groups=tuple(groups))


def _node(number: int) -> Node:
    model, pcpu, mem, vf = MODELS[number % 2]
    cell = {"pcpu": pcpu, "mem_mib": mem, "vf": vf}
    return Node(id=f"cn-{number:05}", labels={"model": model}, rack=f"rack-{number // 20:03}", numa=(cell, dict(cell)))


def _pick(rng, shares):
    at = rng.random() * sum(share for _, share in shares)
    for value, share in shares:
        at -= share
        if at <= 0:
            return value
    return shares[-1][0]


def _group(rng, number: int, size: int, *, tight: bool) -> Group:
    limit = 1 if tight or size <= 4 else -(-size // 4)
    recovery = 600.0 if tight else _pick(rng, RECOVERIES)
    return Group(id=f"g{number:05}", policy="anti-affinity", max_impacted=limit, recovery_s=recovery)


def _place(rng, flavour, group, for_use, free, there):
    cpus, gib, vfs, span = flavour
    best = None
    for number in rng.sample(for_use, min(CHOICES, len(for_use))):
        if group is not None and group.id in there[number]:
            continue
        fitting = [
            index
            for index, cell in enumerate(free[number])
            if cell["pcpu"] >= cpus and cell["mem_mib"] >= gib * 1024 and cell["vf"] >= vfs
        ]
        if len(fitting) < span:
            continue
        left = sum(cell["pcpu"] for cell in free[number])
        if best is None or left > best[0]:
            best = (left, number, sorted(fitting, key=lambda index: -free[number][index]["pcpu"])[:span])
    if best is None:
        return None
    _, number, cells = best
    for index in cells:
        cell = free[number][index]
        cell["pcpu"] -= cpus
        cell["mem_mib"] -= gib * 1024
        cell["vf"] -= vfs
    if group is not None:
        there[number].add(group.id)
    return number, tuple(sorted(cells))


def _instance(number: int, flavour, group, place, nodes) -> dict[str, object]:
    cpus, gib, vfs, span = flavour
    node, cells = place
    return {
        "id": f"vm-{number:06}",
        "project": f"p{number % 7}",
        "node": nodes[node].id,
        "numa_cell": cells if span > 1 else cells[0],
        "numa_span": span,
        "demand": {"pcpu": float(cpus), "mem_mib": gib * 1024.0, "vf": float(vfs)},
        "groups": () if group is None else (group.id,),
    }


def _pin(rng, instances: list[dict[str, object]], share: float) -> None:
    """Instances that cannot migrate: half of them in groups, as far as there are so many, which then switch over."""
    want = round(share * len(instances))
    grouped = [one for one in instances if one["groups"]]
    alone = [one for one in instances if not one["groups"]]
    rng.shuffle(grouped)
    rng.shuffle(alone)
    first = grouped[: want // 2]
    rest = alone[: want - len(first)]
    rest += grouped[len(first) : len(first) + want - len(first) - len(rest)]
    for one in [*first, *rest]:
        one["migration"] = "none"
        one["migration_reason"] = "SR-IOV port"
    for one in first:
        one["vacate"] = "in-place"
