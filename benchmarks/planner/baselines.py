"""What operators do today, as small models of it: the planner's peers in the benchmark.

All of them know no VNF limits. They drain one batch of nodes after the other: each node's instances leave one at a time,
to wherever the rule says; instances that cannot migrate are stopped. Limits on arrivals and on moves in all are ignored,
which favours them. A batch is begun only when it ends in its window in nine of ten cases with a rollback, as ours is.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from escalator.model.campaign import CampaignSpec
from escalator.model.inventory import Instance, Inventory


@dataclass
class Result:
    """How a rule fared."""

    nodes: int = 0
    moves: int = 0
    makespan_s: float = 0.0
    first_window: int = 0
    windows: int = 0
    over_limit: int = 0
    """Group and batch pairs in which more members were impacted at once than the group allows."""
    left: int = 0


@dataclass
class Cloud:
    """Who is where, and what is free."""

    inventory: Inventory
    free: dict[str, list[Counter[str]]] = field(default_factory=dict)
    here: dict[str, dict[str, Instance]] = field(default_factory=lambda: defaultdict(dict))
    cells: dict[str, tuple[int, ...]] = field(default_factory=dict)
    there: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def __post_init__(self) -> None:
        self.free = {node.id: [Counter(cell) for cell in node.numa] for node in self.inventory.nodes}
        for instance in self.inventory.instances:
            self.put(instance, instance.node, instance.cells)

    def put(self, instance: Instance, node: str, cells: tuple[int, ...], sign: int = 1) -> None:
        for cell in cells:
            for resource, amount in instance.demand.items():
                self.free[node][cell][resource] -= sign * amount
        for group in instance.groups:
            self.there[group][node] += sign
        if sign > 0:
            self.here[node][instance.id] = instance
            self.cells[instance.id] = cells
        else:
            del self.here[node][instance.id]

    def fit(self, instance: Instance, node: str) -> tuple[int, ...] | None:
        if any(self.there[group][node] for group in instance.groups):
            return None
        fitting = [n for n, cell in enumerate(self.free[node]) if all(cell[r] >= a for r, a in instance.demand.items())]
        return tuple(fitting[: instance.numa_span]) if len(fitting) >= instance.numa_span else None


def run(inventory: Inventory, spec: CampaignSpec, rule: str, share: float, window_s: float | None, seed: int = 0) -> Result:
    """Play one rule: `spread`, `random`, `return` (spread, and back afterwards) or `fenix` (upgraded nodes only)."""
    cloud, rng, result = Cloud(inventory), random.Random(seed), Result()
    names = [node.id for node in inventory.nodes]
    empty_first = sorted(names, key=lambda name: (len(cloud.here[name]), name)) if rule == "fenix" else names
    size = max(1, int(share * len(names)))
    upgraded: set[str] = set()
    now, window_start, window = 0.0, 0.0, 0
    estimates = spec.estimates
    for start in range(0, len(names), size):
        batch = empty_first[start : start + size]
        done, drains, moves = _drain(cloud, batch, rule, upgraded, rng, estimates)
        lasts = max(drains, default=0.0) * (2 if rule == "return" else 1) + estimates.upgrade_s
        needs = estimates.p90 * lasts + estimates.upgrade_s
        if window_s is not None and now + needs > window_start + window_s:
            if needs > window_s:
                result.left += len(batch)
                continue
            window += 1
            window_start = now = window_start + window_s
        result.over_limit += _over(cloud, batch, inventory)
        now += lasts
        upgraded.update(done)
        result.nodes += len(done)
        result.left += len(batch) - len(done)
        result.moves += moves * (2 if rule == "return" else 1)
        result.first_window += len(done) * (window == 0)
    result.makespan_s, result.windows = now, window + 1
    return result


def _drain(
    cloud: Cloud, batch: list[str], rule: str, upgraded: set[str], rng: random.Random, estimates
) -> tuple[list[str], list[float], int]:
    done, drains, moved = [], [], 0
    out = set(batch)
    for name in batch:
        drain_s, stuck, gone = 0.0, False, []
        for instance in sorted(cloud.here[name].values(), key=lambda i: i.id):
            if instance.migration == "none" or instance.vacate == "in-place":
                continue
            target = _target(cloud, instance, out, rule, upgraded, rng)
            if target is None:
                stuck = True
                break
            node, cells = target
            gone.append((instance, cloud.cells[instance.id]))
            cloud.put(instance, name, cloud.cells[instance.id], -1)
            cloud.put(instance, node, cells)
            drain_s += estimates.move_s(instance.memory_gib, "live")
            moved += 1
        drains.append(drain_s)
        if not stuck:
            done.append(name)
        if rule == "return":
            for instance, cells in gone:
                here = next(node for node in cloud.here if instance.id in cloud.here[node])
                cloud.put(instance, here, cloud.cells[instance.id], -1)
                cloud.put(instance, name, cells)
    return done, drains, moved


def _target(cloud: Cloud, instance: Instance, out: set[str], rule: str, upgraded: set[str], rng: random.Random):
    names = [name for name in cloud.free if name not in out and (rule != "fenix" or name in upgraded)]
    if rule == "random":
        rng.shuffle(names)
    else:
        names.sort(key=lambda name: -sum(cell["mem_mib"] for cell in cloud.free[name]))
    for name in names:
        cells = cloud.fit(instance, name)
        if cells is not None:
            return name, cells
    return None


def _over(cloud: Cloud, batch: list[str], inventory: Inventory) -> int:
    """Groups with more members staying on nodes of the batch than may be impacted at once."""
    counts: Counter[str] = Counter(g for name in batch for i in cloud.here[name].values() for g in i.groups)
    return sum(count > inventory.group_by_id[g].limit(len(inventory.members[g])) for g, count in counts.items())
