"""The port of clusters: asked before a node goes, told what to move or to set, asked again when it is back.

Every verb is safe to repeat. Drivers raise `TemporaryError` or `PermanentError` of ours with `SYS_CLUSTER`, and decide nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from escalator.model.errors import EscalatorError
from escalator.model.inventory import Node, Role

ROUTING, FLAG = "network", "storage-flag"
"""Kinds of changes on the break-glass sheet: what was active on a node, and that its storage cluster is kept from recovering."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A control cluster: its members by whether they serve, its master, and how many have to serve."""

    members: Mapping[str, bool]
    master: str | None = None
    quorum: int = 1

    def without(self, node: str) -> int:
        """How many members serve beside that one."""
        return sum(serves for name, serves in self.members.items() if name != node)


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What is active on a network node (gateways, routers, agents), and whether the rest could take it over.

    `whole`: the node and its peers do their parts.
    """

    active: tuple[str, ...] = ()
    whole: bool = True
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """A storage cluster as one of its nodes sees it. `ok_to_stop`: nothing stored is out of reach when that node goes.

    `clean`: everything is stored whole; `flagged`: the cluster does not recover while that node is away.
    """

    ok_to_stop: bool
    clean: bool
    flagged: bool = False
    why: str = ""


class Clusters(Protocol):
    """The clusters of the nodes of one cloud."""

    @property
    def hands_over(self) -> bool:
        """Whether a master can be made to hand over."""
        ...

    def missing(self, role: Role) -> Sequence[str]:
        """What the settings lack for nodes of that role; nothing when they can be upgraded."""
        ...

    def lacks(self, role: Role) -> Sequence[EscalatorError]:
        """Why commands for nodes of that role cannot be run, as far as the manager's host tells; nothing when all can."""
        ...

    def nodes(self) -> Sequence[Node]:
        """Nodes that the cloud does not tell of by itself, and those whose roles it does not tell."""
        ...

    async def control(self, node: str) -> Control:
        """The control cluster of the node."""
        ...

    async def hand_over(self, node: str) -> None:
        """Ask that another member be the master; nothing happens where the node is not it."""
        ...

    async def network(self, node: str) -> Network:
        """What is active on the network node."""
        ...

    async def evacuate(self, node: str) -> None:
        """Ask that what is active on the node be active elsewhere, and that nothing come there."""
        ...

    async def bring_back(self, node: str, active: Sequence[str]) -> None:
        """Ask that these be active on the node again, and that the node take part as before."""
        ...

    async def storage(self, node: str, together: Sequence[str] = ()) -> Storage:
        """The storage cluster of the node; `ok_to_stop` is of all these nodes at once, `together` with the node."""
        ...

    async def flag(self, node: str, *, on: bool) -> None:
        """Keep the storage cluster from recovering while the node is away, or not any more."""
        ...

    def by_hand(self, kind: str, node: str, found: Mapping[str, object]) -> tuple[str, ...]:
        """The commands with which a person puts back `ROUTING` or `FLAG` without Escalator."""
        ...
