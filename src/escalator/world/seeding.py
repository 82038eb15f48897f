"""A cloud made up from a seed: the same numbers make the same cloud."""

from __future__ import annotations

import random
from dataclasses import dataclass

from escalator.model.inventory import Group, Instance, Inventory, Node, Role
from escalator.world.placement import Usage
from escalator.world.records import VnfmRow

CELLS = 2
"""NUMA entries of a node."""
PCPU = 24
"""CPUs for instances of each entry."""
MIB_PER_PCPU = 4096
RACK = 10
"""Nodes of a rack; a rack is in one zone, and half of the racks are in each."""
SIZES = (2, 4, 4, 8, 8)
"""CPUs of an instance. Each size divides the next and the largest divides an entry: no room is wasted."""
FUNCTIONS = ("amf", "smf", "upf", "udm", "pcf", "ausf")
FREE_PROJECT = "tenants"
"""The project that no VNF manager speaks for."""


@dataclass(frozen=True, slots=True)
class Sown:
    """What a new world begins with."""

    inventory: Inventory
    vnfms: tuple[VnfmRow, ...] = ()


@dataclass(frozen=True, slots=True)
class _Project:
    name: str
    pinned: bool
    """Whether it has instances that cannot migrate: its VNF manager switches their business over."""


_PROJECTS = (
    _Project("core", pinned=False),
    _Project("user-plane", pinned=True),
    _Project("voice", pinned=False),
    _Project(FREE_PROJECT, pinned=False),
)
_VNFMS = (
    VnfmRow(name="vnfm-core", behaviour="migrate", delay_s=20.0, projects=("core",)),
    VnfmRow(name="vnfm-user-plane", behaviour="follows", delay_s=45.0, projects=("user-plane",)),
    VnfmRow(name="vnfm-voice", behaviour="moves", delay_s=30.0, projects=("voice",)),
)


def sow(*, nodes: int, seed: int, fill: float) -> Sown:
    """Make up a cloud of that many nodes; about a tenth of them is empty and the others share the load."""
    chance = random.Random(seed)  # noqa: S311 - a simulation has to be repeatable, not secret
    hosts = tuple(_node(number, nodes) for number in range(1, nodes + 1))
    empty = max(1, nodes // 10) if nodes > 1 else 0
    loaded = sorted(chance.sample(range(nodes), nodes - empty))
    sower = _Sower(chance, [hosts[index] for index in loaded])
    sower.run(fill * nodes * CELLS * PCPU)
    return Sown(Inventory(nodes=hosts, instances=tuple(sower.instances), groups=tuple(sower.groups)), _VNFMS)


def serving(role: Role, number: int) -> Node:
    """A node of another role than compute, such as `control-01`; no instance lands on it."""
    versions = {"os": "12.10.0", "agent": "1.0.0"}
    return Node(id=f"{role}-{number:02d}", roles=(role,), rack=f"r{number:02d}", labels={"site": "simulated"}, versions=versions)


def _node(number: int, nodes: int) -> Node:
    rack, racks = (number - 1) // RACK + 1, (nodes - 1) // RACK + 1
    cell = {"pcpu": float(PCPU), "mem_mib": float(PCPU * MIB_PER_PCPU), "vf": 16.0}
    return Node(
        id=f"cn-{number:04d}",
        az=f"az{1 + (rack - 1) * 2 // max(racks, 2)}",
        rack=f"r{rack:02d}",
        labels={"site": "simulated"},
        versions={"os": "12.10.0", "hypervisor": "7.2.18", "agent": "1.0.0"},
        numa=(cell,) * CELLS,
    )


class _Sower:
    """Fills nodes with VNFs until enough CPUs are in use."""

    def __init__(self, chance: random.Random, hosts: list[Node]) -> None:
        self.instances: list[Instance] = []
        self.groups: list[Group] = []
        self._chance = chance
        self._hosts = hosts
        self._usage = Usage()
        self._vnfs = 0
        self._pinned = False
        for host in hosts:
            self._usage.add_node(host)

    def run(self, wanted: float) -> None:
        """Place VNFs until `wanted` CPUs are in use, or nothing more fits."""
        used = 0.0
        misses = 0
        while used < wanted and misses < 50:
            placed = self._vnf()
            used += placed
            misses = 0 if placed else misses + 1

    def _vnf(self) -> float:
        """One VNF: loose instances, and often a redundant pair or triple; the CPUs it uses."""
        # In turn, so that a cloud of a few nodes has something of every kind.
        project = _PROJECTS[self._vnfs % len(_PROJECTS)]
        self._vnfs += 1
        vnf = None if project.name == FREE_PROJECT else f"{self._chance.choice(FUNCTIONS)}-{self._vnfs}"
        size = self._chance.choice(SIZES)
        used = 0.0
        # The first of its kind is there in every cloud; of the others some are.
        pinned = project.pinned and (not self._pinned or self._chance.random() < 0.3)
        if pinned or (vnf is not None and self._chance.random() < 0.6):
            used += self._redundant(project, vnf or project.name, size, pinned=pinned)
        for _ in range(self._chance.randint(1, 3)):
            host = self._chance.choice(self._hosts)
            used += self._place(host, project, vnf, size)
        return used

    def _redundant(self, project: _Project, vnf: str, size: int, *, pinned: bool) -> float:
        members = min(self._chance.choice((2, 2, 3)), len(self._hosts))
        if members < 2:
            return 0.0
        group = Group(id=f"{vnf}-ha", policy="anti-affinity", max_impacted=1, recovery_s=30.0)
        before = len(self.instances)
        used = sum(
            self._place(host, project, vnf, size, group, pinned=pinned) for host in self._chance.sample(self._hosts, members)
        )
        if len(self.instances) > before:
            self.groups.append(group)
            self._pinned = self._pinned or pinned
        return used

    def _place(
        self, host: Node, project: _Project, vnf: str | None, size: int, group: Group | None = None, *, pinned: bool = False
    ) -> float:
        number = len(self.instances) + 1
        demand = {"pcpu": float(size), "mem_mib": float(size * MIB_PER_PCPU), **({"vf": 1.0} if pinned else {})}
        instance = Instance(
            id=f"vm-{number:06d}",
            name=f"{vnf or project.name}-{number}",
            project=project.name,
            vnf=vnf,
            node=host.id,
            demand=demand,
            groups=(group.id,) if group is not None else (),
            migration="none" if pinned else "live",
            migration_reason="an SR-IOV port is bound to its node" if pinned else None,
        )
        cells = self._usage.fit(host, instance)
        if cells is None:
            return 0.0
        self._usage.claim(host.id, cells, demand)
        self.instances.append(instance.model_copy(update={"numa_cell": cells[0]}))
        return float(size)
