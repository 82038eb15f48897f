"""The simulated driver on a world of its own, with a clock that the suite turns."""

from __future__ import annotations

from dataclasses import dataclass

from escalator.cloud_manager.simulated import SimulatedCloud
from escalator.model.inventory import Group, Instance, Inventory, Node
from escalator.world.rules import Fault
from escalator.world.world import World


@dataclass
class TurnedClock:
    time: float = 1_000_000.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


class SimulatedHarness:
    def __init__(self) -> None:
        self._clock = TurnedClock()
        self._world = World.in_memory(self._clock)
        self.project = "p"
        self.nodes = ("cn-01", "cn-02", "cn-03", "cn-04")
        size = {"pcpu": 64.0, "mem_mib": 262144.0}
        self._world.load(Inventory(nodes=tuple(Node(id=name, numa=(size,)) for name in self.nodes)))
        self._count = 0
        self.cloud = SimulatedCloud(self._world)

    async def boot(self, node: str, *, vnf: str | None = None) -> str:
        return self._boot(node, vnf=vnf)

    async def boot_pair(self) -> tuple[str, str, str]:
        with self._world.state.change():
            self._world.state.groups.put("g", Group(id="g", policy="anti-affinity"))
        first, second = (self._boot(node, groups=("g",)) for node in self.nodes[:2])
        return first, second, "g"

    def _boot(self, node: str, **more: object) -> str:
        self._count += 1
        demand = {"pcpu": 2.0, "mem_mib": 2048.0}
        instance = Instance(id=f"vm-{self._count}", project="p", node=node, demand=demand, numa_cell=0, **more)
        with self._world.state.change():
            self._world.state.place(instance)
        return instance.id

    async def delete(self, instance: str) -> None:
        with self._world.state.change():
            self._world.state.remove(instance)

    async def disable(self, node: str, reason: str) -> None:
        self._world.hosts.cordon(node, reason)

    async def break_live_moves(self, node: str, *, hang: bool = False) -> None:
        self._world.faults.add(Fault(kind="live_migration", effect="hang" if hang else "fail", node=node))

    async def boot_anywhere_of(self, node: str) -> None:
        self._world.tenants.boot(Instance(id="vm-anywhere", project="p", node=node, demand={"pcpu": 2.0}))

    async def break_boots(self, node: str) -> None:
        self._world.faults.add(Fault(kind="boot", node=node))

    async def mend(self) -> None:
        self._world.faults.clear()

    async def lapse(self) -> None:
        self._clock.time += 1.0
