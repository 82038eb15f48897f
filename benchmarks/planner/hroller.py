"""Ganeti's `hroller` (Debian package `ganeti-htools`) on the same clouds, as one of the planner's peers.

It schedules rolling reboots of whole nodes: nodes of one group go at once, their instances are moved to other nodes before
and moved back after. It is told each node's memory and CPUs and each instance's; it has no words for NUMA, for VFs or for
anti-affinity, so its moves are tried afterwards against them, in its order. Moving back is not part of its output and is
counted here. Its options and output are those of hroller(1).
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from baselines import Cloud

from escalator.model.campaign import CampaignSpec
from escalator.model.inventory import Instance, Inventory

LIMIT_S = 300
GROUP = "00000000-0000-0000-0000-000000000001"
DISK = 1_000_000


@dataclass
class Batch:
    """Nodes that go at once, and where it sends their instances."""

    nodes: list[str]
    moves: list[tuple[str, str]]


def answer(inventory: Inventory, spec: CampaignSpec) -> str:
    """Its hours, moves per instance, nodes left out and moves that would not fit; or why there are none."""
    if shutil.which("hroller") is None:
        return "not installed"
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "cluster"
        data.write_text(_data(inventory))
        command = ["hroller", "-t", str(data), "--print-moves", "--no-headers"]
        try:
            done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            return f"no answer in {LIMIT_S} s"
    if done.returncode:
        return f"refused: {(done.stderr or done.stdout).strip().splitlines()[0]}"
    return _score(inventory, spec, _batches(done.stdout))


def _data(inventory: Inventory) -> str:
    used: dict[str, float] = {}
    rows = []
    for instance in inventory.instances:
        memory = instance.memory_gib * 1024
        used[instance.node] = used.get(instance.node, 0.0) + memory
        cpus = instance.demand["pcpu"] * instance.numa_span
        rows.append(f"{instance.id}|{memory:.0f}|1|{cpus:.0f}|running|Y|{instance.node}||plain||1|0")
    hosts = []
    for number, node in enumerate(inventory.nodes):
        memory = sum(cell["mem_mib"] for cell in node.numa)
        cpus = sum(cell["pcpu"] for cell in node.numa)
        free = memory - used.get(node.id, 0.0)
        role = "N" if number else "M"  # a cluster without a master is refused
        hosts.append(f"{node.id}|{memory:.0f}|0|{free:.0f}|{DISK}|{DISK}|{cpus:.0f}|{role}|{GROUP}|1||N|0|{cpus:.0f}|1.0")
    sections = [f"default|{GROUP}|preferred||", "\n".join(hosts), "\n".join(rows), "", ""]
    return "\n\n".join(sections) + "\n"


def _batches(text: str) -> list[Batch]:
    batches: list[Batch] = []
    for line in text.splitlines():
        if line.startswith(" "):
            instance, target = line.split()[:2]
            batches[-1].moves.append((instance, target))
        elif line.strip():
            batches.append(Batch(line.strip().split(","), []))
    return batches


def _score(inventory: Inventory, spec: CampaignSpec, batches: list[Batch]) -> str:
    cloud, estimates = Cloud(inventory), spec.estimates
    hours = moves = unfit = 0.0
    for batch in batches:
        unfit += _unfit(cloud, inventory, batch)
        drain: dict[str, float] = {}
        for name, _ in batch.moves:
            instance = inventory.instance_by_id[name]
            drain[instance.node] = drain.get(instance.node, 0.0) + estimates.move_s(instance.memory_gib, "live")
        hours += (2 * max(drain.values(), default=0.0) + estimates.upgrade_s) / 3600
        moves += 2 * len(batch.moves)
    left = len(inventory.nodes) - sum(len(batch.nodes) for batch in batches)
    per = moves / max(1, len(inventory.instances))
    return f"{hours:.1f} h, {per:.2f}, {left} left, {unfit:.0f} of {moves / 2:.0f} moves do not fit"


def _unfit(cloud: Cloud, inventory: Inventory, batch: Batch) -> int:
    """Moves for which the target has no NUMA entry, no VF or no place by the group's rule; all are back afterwards."""
    there: list[tuple[Instance, str, tuple[int, ...]]] = []
    homes = {name: cloud.cells[name] for name, _ in batch.moves}
    unfit = 0
    for name, target in batch.moves:
        instance = inventory.instance_by_id[name]
        cloud.put(instance, instance.node, homes[name], -1)
        cells = cloud.fit(instance, target)
        if cells is None:
            unfit += 1
            continue
        cloud.put(instance, target, cells)
        there.append((instance, target, cells))
    for instance, target, cells in there:
        cloud.put(instance, target, cells, -1)
    for name, home in homes.items():
        instance = inventory.instance_by_id[name]
        cloud.put(instance, instance.node, home)
    return unfit
