"""The part of the Cloud Manager's port about probe VMs: small instances of our own that prove a node before business lands on it.

A probe VM lives on a node that is out of service, and the node stays so: nothing else is scheduled to it meanwhile. What keeps
a probe off such a node too is its *door*, opened just for the moment in which the cloud chooses the probe's place. Inventories
leave probe VMs out: they carry no business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from escalator.cloud_manager.port import MoveOrder

VM_KIND = "probe-vm"
"""Kind of the change that a probe VM is, on the break-glass sheet; its object is the VM's name."""
DOOR_KIND = "probe-door"
"""Kind of the change that an open door is; its object is the node."""


class ProbeState(StrEnum):
    """Where a probe VM stands."""

    BUILDING = "building"
    ACTIVE = "active"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ProbeVm:
    """A probe VM as the cloud shows it. `no_host`: it failed because the cloud found no host for it."""

    id: str
    state: ProbeState
    at: str | None
    """The node that was chosen for it, or that it is on; null before that."""
    address: str | None = None
    message: str = ""
    no_host: bool = False


class ProbeVms(Protocol):
    """Probe VMs by their names, which are ours to give and unique. Every verb is safe to repeat."""

    async def size(self) -> Mapping[str, float]:
        """What one takes of a node, by the names of inventories.

        Raises PermanentError with `CLD_PROBE_SETUP` when the settings name none, or what they name is not there.
        """
        ...

    async def door(self, node: str) -> Mapping[str, object] | None:
        """What keeps a probe off the node while it is out of service; None when nothing does now."""
        ...

    async def open_door(self, node: str) -> None:
        """Let a probe onto the node, which stays out of service for everybody else."""
        ...

    async def shut_door(self, node: str) -> None:
        """Put back what keeps probes off, unless the node is in service again."""
        ...

    async def boot(self, name: str, node: str) -> None:
        """Ask for a probe VM on exactly that node; nothing happens when there is one of that name."""
        ...

    async def find(self, name: str) -> ProbeVm | None:
        """The probe VM now; None when there is none of that name."""
        ...

    async def start_move(self, order: MoveOrder) -> None:
        """Ask for its live migration, also to a node that is out of service. `move_status` tells where it stands.

        Raises PermanentError with `CLD_NO_VALID_HOST` when the target is unfit, TemporaryError when it is busy.
        """
        ...

    async def delete(self, name: str) -> None:
        """Ask for its end; nothing happens when there is none."""
        ...
