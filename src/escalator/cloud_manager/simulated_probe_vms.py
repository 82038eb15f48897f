"""Probe VMs in a simulated cloud."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from escalator.cloud_manager.probe_vms import ProbeState, ProbeVm
from escalator.world.probes import SIZE
from escalator.world.world import World

if TYPE_CHECKING:
    from escalator.cloud_manager.port import MoveOrder

_STATES: Mapping[str, ProbeState] = {"building": ProbeState.BUILDING, "active": ProbeState.ACTIVE}
ADDRESS = "192.0.2.10"
"""Of every probe VM: nobody can reach it."""


class SimulatedProbeVms:
    """The port's verbs on a world."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def size(self) -> Mapping[str, float]:
        """What one takes of a node."""
        return SIZE

    async def door(self, node: str) -> Mapping[str, object] | None:
        """That the node is out of service; None when probes may land on it."""
        return {"shut": True} if self._world.probes.shut(node) else None

    async def open_door(self, node: str) -> None:
        """Let a probe onto the node."""
        self._world.probes.open_door(node)

    async def shut_door(self, node: str) -> None:
        """Let none onto it any more."""
        self._world.probes.shut_door(node)

    async def boot(self, name: str, node: str) -> None:
        """Ask for one on exactly that node."""
        self._world.probes.boot(name, node)

    async def find(self, name: str) -> ProbeVm | None:
        """The probe VM now."""
        found = self._world.probes.get(name)
        if found is None:
            return None
        row, instance = found
        if instance is None:
            return ProbeVm(name, ProbeState.FAILED, None, message=row.message, no_host=row.no_host)
        state = _STATES.get(instance.state, ProbeState.FAILED)
        address = ADDRESS if state is ProbeState.ACTIVE else None
        return ProbeVm(name, state, instance.node, address, row.message)

    async def start_move(self, order: MoveOrder) -> None:
        """Ask for its live migration, also to a node that is out of service."""
        self._world.moves.start(order.instance, order.origin, order.target, order.kind, forced=True)

    async def delete(self, name: str) -> None:
        """Take it away."""
        self._world.probes.delete(name)
