"""The clusters of a simulated world. Nothing here waits: the world answers at once."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from escalator.model.errors import EscalatorError
from escalator.model.inventory import Node, Role
from escalator.system_support.clusters.port import ROUTING, Control, Network, Storage
from escalator.world.clusters import quorum, share_domain
from escalator.world.world import World


class SimulatedClusters:
    """The port's verbs on the world."""

    hands_over = True

    def __init__(self, world: World) -> None:
        self._world = world.clusters

    def missing(self, role: Role) -> Sequence[str]:  # noqa: ARG002 - the port's form
        """Nothing: the world knows every role."""
        return ()

    def lacks(self, role: Role) -> Sequence[EscalatorError]:  # noqa: ARG002 - the port's form
        """Nothing: no command is run."""
        return ()

    def nodes(self) -> Sequence[Node]:
        """None: the world's own inventory tells all of them."""
        return ()

    async def control(self, node: str) -> Control:
        """The control cluster of the node."""
        members = {one.id: self._world.serves(one) for one in self._world.members(node, "control")}
        return Control(members=members, master=self._world.master(node), quorum=quorum(len(members)))

    async def hand_over(self, node: str) -> None:
        """Let another member be the master."""
        self._world.hand_over(node)

    async def network(self, node: str) -> Network:
        """What is active on the network node."""
        away = [one.id for one in self._world.members(node, "network") if not self._world.serves(one)]
        why = f"{', '.join(away)} away" if away else ""
        return Network(active=self._world.routers_on(node), whole=not away, why=why)

    async def evacuate(self, node: str) -> None:
        """Let what is active on the node be active elsewhere."""
        self._world.evacuate(node)

    async def bring_back(self, node: str, active: Sequence[str]) -> None:
        """Let these be active on the node again."""
        self._world.bring_back(node, active)

    async def storage(self, node: str, together: Sequence[str] = ()) -> Storage:
        """The storage cluster of the node; it may lose what shares the label `storage-domain`, else one node."""
        why, members = self._world.unclean(node), self._world.members(node, "storage")
        away = [one for one in members if not self._world.serves(one)]
        mine = next(one for one in members if one.id == node)
        going = (*away, *(one for one in members if one.id in together))
        apart = [one.id for one in going if not share_domain(one, mine)]
        stoppable = not apart and (not why or bool(away))
        if apart and not why:
            why = f"{node} and {apart[0]} are in no common failure domain"
        return Storage(ok_to_stop=stoppable, clean=not why, flagged=self._world.flagged(node), why=why)

    async def flag(self, node: str, *, on: bool) -> None:
        """Keep the storage cluster from recovering while the node is away, or not any more."""
        self._world.flag(node, on=on)

    def by_hand(self, kind: str, node: str, found: Mapping[str, object]) -> tuple[str, ...]:
        """What a person would type on a real cluster, so that the sheet of a simulated one reads the same."""
        if kind == ROUTING:
            active = found.get("active")
            names = [str(name) for name in active] if isinstance(active, list | tuple) else []
            enable = shlex.join(["openstack", "network", "agent", "set", "--enable", node])
            return (f"# on {node} before: {', '.join(names) or 'nothing'}", enable)
        return (shlex.join(["ceph", "osd", "unset-group", "noout", node]),)
