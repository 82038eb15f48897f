"""The world as a whole: its parts, and how it is opened, filled and shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Self

from escalator.model.clock import Clock
from escalator.model.inventory import Instance, Inventory, Role
from escalator.world.audit import HISTORY_LIMIT, Audit
from escalator.world.clusters import Clusters, judge, sow_routers
from escalator.world.faults import FaultBook
from escalator.world.file import WorldFile
from escalator.world.gates import Gates
from escalator.world.history import KIND
from escalator.world.hosts import Hosts
from escalator.world.locks import Locks
from escalator.world.moves import Moves
from escalator.world.operations import Operations
from escalator.world.power import PowerSwitch
from escalator.world.probes import Probes
from escalator.world.quotas import Quotas
from escalator.world.records import Software, VnfmRow
from escalator.world.scaling import Scaling
from escalator.world.seeding import Sown, serving, sow
from escalator.world.software import SoftwareDepot
from escalator.world.state import State
from escalator.world.tenants import Tenants
from escalator.world.timings import Timings
from escalator.world.vnfms import Vnfms

PACKAGES: Mapping[str, str] = MappingProxyType({"nfvi-agent": "1.0.0"})
"""What every node of a new world has installed."""
DAEMON = "1.0.0"
"""Version of the daemon that every node of a new world runs."""


class World:
    """A simulated cloud with its nodes and VNF managers. Use `in_memory` or `open`.

    Parts: `hosts`, `moves`, `power`, `software`, `operations`, `vnfms`, `tenants`, `faults`, `audit`.
    """

    def __init__(self, clock: Clock, timings: Timings, file: WorldFile | None = None, *, history: int = HISTORY_LIMIT) -> None:
        self.timings = timings
        self._file = file
        self.state = State(clock, file)
        if file is not None:
            self.state.restore(file.rows(without=KIND))
        self.audit = Audit(self.state, history)
        self.faults = FaultBook(self.state, timings)
        self.software = SoftwareDepot(self.state, self.faults, self.audit)
        self.operations = Operations(self.state, timings, self.faults, self.audit, self.software)
        self.moves = Moves(self.state, timings, self.faults, self.audit)
        self.power = PowerSwitch(self.state, timings, self.faults, self.audit)
        self.hosts = Hosts(self.state, timings, self.faults, self.audit, self.moves, self.operations)
        self.tenants = Tenants(self.state, self.audit, self.moves)
        self.vnfms = Vnfms(self.state, timings, self.faults, self.audit, Scaling(self.state, self.audit, self.tenants))
        self.quotas = Quotas(self.state, self.faults)
        self.clusters = Clusters(self.state, self.audit, self.faults)
        self.operations.judge = partial(judge, self.clusters, self.audit)
        self.probes = Probes(self.state, timings, self.faults, self.audit, self.tenants)
        self.gates = Gates(self.state)
        self.locks = Locks(self.state)
        if file is not None and not file.lasting:
            file.commit()

    @classmethod
    def in_memory(cls, clock: Clock, timings: Timings | None = None, *, balances: bool = False) -> Self:
        """A world that ends with this process. `balances`: its cloud chooses NUMA entries as Nova does by default."""
        world = cls(clock, timings or Timings())
        world.state.usage.balances = balances
        return world

    @classmethod
    def open(
        cls,
        path: Path,
        clock: Clock,
        timings: Timings | None = None,
        *,
        read_only: bool = False,
        history: int = HISTORY_LIMIT,
    ) -> Self:
        """The world in that file, as it was left and with what has become due since; a new one where there is no file.

        `history` is how many lines of the audit are kept.

        Raises ConflictError (`STO_LOCKED`) when another process has it; `read_only` looks on while another one writes.
        """
        return cls(clock, timings or Timings(), WorldFile(path, read_only=read_only), history=history)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()

    @property
    def id(self) -> str:
        """Stable name of this cloud."""
        return self.state.meta.rows.get("id", "simulated")

    @property
    def empty(self) -> bool:
        """Whether nothing was put into it yet."""
        return not self.state.nodes.rows

    def seed(self, *, nodes: int, seed: int, fill: float = 0.65, others: Iterable[tuple[Role, int]] = ()) -> None:
        """Fill a new world: the same numbers make the same world. `fill` is the share of CPUs in use.

        `nodes` counts the compute nodes, `others` says how many there are of each other role.
        """
        sown = sow(nodes=nodes, seed=seed, fill=fill)
        more = [serving(role, number) for role, count in others for number in range(1, count + 1)]
        inventory = sown.inventory.model_copy(update={"nodes": (*sown.inventory.nodes, *more)})
        self._fill(replace(sown, inventory=inventory) if more else sown, f"simulated-{nodes}-{seed}")

    def load(self, inventory: Inventory, vnfms: Sequence[VnfmRow] = ()) -> None:
        """Fill a new world with a copy of an inventory, and with VNF managers."""
        self._fill(Sown(inventory, tuple(vnfms)), "simulated-copy")

    def install(self, node: str, packages: Mapping[str, str], daemon: str | None = None) -> None:
        """Say what is installed and runs on a node, before anything happens."""
        with self.state.change():
            software = self.state.software.rows[self.state.node(node).id]
            self.state.software.put(node, replace(software, packages=dict(packages), daemon=daemon))

    def inventory(self) -> Inventory:
        """Everything as it is now."""
        self.state.look()
        # Every change of the world was checked when it was made.
        return Inventory.model_construct(
            nodes=tuple(self.state.nodes.rows.values()),
            instances=tuple(self.state.instances.rows.values()),
            groups=tuple(self.state.groups.rows.values()),
        )

    def instances_on(self, node: str) -> tuple[Instance, ...]:
        """Instances on the node now, in order of their ids. Raises PermanentError when there is no such node."""
        self.hosts.get(node)
        return tuple(self.state.instances.rows[instance_id] for instance_id in sorted(self.state.on_node[node]))

    def instance(self, instance_id: str) -> Instance | None:
        """The instance now; None when there is none."""
        self.state.look()
        return self.state.instances.rows.get(instance_id)

    def _fill(self, sown: Sown, name: str) -> None:
        with self.state.change():
            self.state.meta.put("id", name)
            for group in sown.inventory.groups:
                self.state.groups.put(group.id, group)
            for node in sown.inventory.nodes:
                # Who is master changes with every hand-over: it is kept where that is, and nowhere else.
                self.state.add_node(node.model_copy(update={"master": False}) if node.master else node)
                self.state.software.put(
                    node.id, Software(node=node.id, packages=dict(PACKAGES), daemon=DAEMON, offers=_offers(node.numa))
                )
            for instance in sown.inventory.instances:
                self.state.place(instance)
            for vnfm in sown.vnfms:
                self.state.vnfms.put(vnfm.name, vnfm)
            for node in sown.inventory.nodes:
                if node.master and "control" in node.roles:
                    self.clusters.elect(node.id)
            sow_routers(self.state)


def _offers(numa: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """What a node offers before its upgrade, summed over its NUMA entries."""
    offers: dict[str, float] = {}
    for cell in numa:
        for resource, amount in cell.items():
            offers[resource] = offers.get(resource, 0.0) + amount
    return offers
