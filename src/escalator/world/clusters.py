"""Clusters that nodes of the simulated world are members of: who is master, which routers are where, what is stored whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from escalator.model.codes import Code
from escalator.model.errors import PermanentError, TemporaryError
from escalator.model.inventory import Node, Role
from escalator.model.roles import clusters_of
from escalator.world.audit import Audit
from escalator.world.faults import FaultBook
from escalator.world.records import Router
from escalator.world.rules import Subject
from escalator.world.state import State

ROUTERS = 2
"""Routers of each network node of a new world."""
RECOVERS_S = 60.0
"""How long a storage cluster recovers after a node of it is back, real seconds."""


class Clusters:
    """The clusters of all roles, by the labels of their nodes."""

    def __init__(self, state: State, audit: Audit, faults: FaultBook) -> None:
        self._state, self._audit, self._faults = state, audit, faults
        self.away_s = 0.0
        """For how long the cloud's API does not answer once a control node's software changes, real seconds."""

    def members(self, node_id: str, role: Role) -> list[Node]:
        """The members of the node's cluster of that role. Raises PermanentError when the node has no such role."""
        self._state.look()
        mine = [name for of, name in clusters_of(self._state.node(node_id)) if of == role]
        if not mine:
            raise PermanentError(Code.SYS_CLUSTER, f"{node_id} is no {role} node.")
        rows = self._state.nodes.rows.values()
        return sorted((node for node in rows if (role, mine[0]) in clusters_of(node)), key=lambda node: node.id)

    def serves(self, node: Node) -> bool:
        """Whether the node does its part: it is up, and its software is not being changed."""
        return node.state == "up" and not self._state.at_work[node.id]

    # -- control

    def master(self, node_id: str) -> str | None:
        """The current master of the node's control cluster: another serving member when the last one does not serve any more."""
        members = self.members(node_id, "control")
        key = members[0].id
        now = self._state.masters.rows.get(key)
        serving = [node.id for node in members if self.serves(node)]
        if now not in serving:
            now = serving[0] if serving else None
            with self._state.change():
                self._set_master(key, now)
        return now

    def hand_over(self, node_id: str) -> None:
        """Let another serving member be the master, where the node is it and there is one."""
        with (
            self._state.change(),
            self._faults.around("command", Subject(node=node_id, command="control-hand-over"), Code.SYS_CLUSTER),
        ):
            members = self.members(node_id, "control")
            others = [node.id for node in members if node.id != node_id and self.serves(node)]
            if self.master(node_id) == node_id and others:
                self.elect(others[0])

    def elect(self, node_id: str) -> None:
        """The node is the master from now on, whoever was it."""
        with self._state.change() as now:
            self._set_master(self.members(node_id, "control")[0].id, node_id)
            self._audit.note(now, "master", node=node_id)

    def _set_master(self, key: str, node_id: str | None) -> None:
        if node_id is None:
            self._state.masters.drop(key)
        else:
            self._state.masters.put(key, node_id)

    def check_api(self) -> None:
        """Raise TemporaryError while the cloud's API does not answer because a control node is being changed."""
        if not self.away_s:
            return
        now = self._state.look()
        for row in self._state.operations.rows.values():
            begun = row.state != "not-needed" and now < row.started_at + self.away_s
            if begun and "control" in self._state.node(row.node).roles:
                raise TemporaryError(Code.CLD_UNREACHABLE, "The API of the simulated cloud does not answer.")

    # -- network

    def routers_on(self, node_id: str) -> tuple[str, ...]:
        """Routers that are active on the node."""
        self.members(node_id, "network")
        return tuple(sorted(row.id for row in self._state.routers.rows.values() if row.node == node_id))

    def evacuate(self, node_id: str) -> None:
        """Move what is active on the node to members of its cluster that serve. Raises TemporaryError when there is none."""
        with (
            self._state.change(),
            self._faults.around("command", Subject(node=node_id, command="network-evacuate"), Code.SYS_CLUSTER),
        ):
            others = [node.id for node in self.members(node_id, "network") if node.id != node_id and self.serves(node)]
            here = self.routers_on(node_id)
            if here and not others:
                raise TemporaryError(Code.SYS_CLUSTER, f"no other network node can take what is active on {node_id}")
            for router in here:
                self._move(router, min(others, key=lambda node: (len(self.routers_on(node)), node)))

    def bring_back(self, node_id: str, routers: Sequence[str]) -> None:
        """Let these be active on the node again."""
        with (
            self._state.change(),
            self._faults.around("command", Subject(node=node_id, command="network-restore"), Code.SYS_CLUSTER),
        ):
            self.members(node_id, "network")
            for router in routers:
                if router in self._state.routers.rows:
                    self._move(router, node_id)

    def _move(self, router: str, node_id: str) -> None:
        with self._state.change() as now:
            row = self._state.routers.rows[router]
            if row.node != node_id:
                self._state.routers.put(router, replace(row, node=node_id))
                self._audit.note(now, "router", node=node_id, detail=router)

    # -- storage

    def flagged(self, node_id: str) -> bool:
        """Whether the cluster is kept from recovering while the node is away."""
        self.members(node_id, "storage")
        return node_id in self._state.flags.rows

    def flag(self, node_id: str, *, on: bool) -> None:
        """Keep the cluster from recovering while the node is away, or not any more."""
        command = "storage-flag" if on else "storage-unflag"
        with self._state.change(), self._faults.around("command", Subject(node=node_id, command=command), Code.SYS_CLUSTER):
            if self.flagged(node_id) == on:
                return
            with self._state.change() as now:
                if on:
                    self._state.flags.put(node_id, "noout")
                else:
                    self._state.flags.drop(node_id)
                self._audit.note(now, "flag" if on else "unflag", node=node_id)

    def unclean(self, node_id: str) -> str:
        """Why not everything that is stored is stored whole; empty when it is."""
        now, members = self._state.look(), self.members(node_id, "storage")
        away = [node.id for node in members if not self.serves(node)]
        if away:
            return f"{', '.join(away)} away"
        ids = {node.id for node in members}
        ends = [
            row.ends_at or 0.0 for row in self._state.operations.rows.values() if row.node in ids and row.state != "not-needed"
        ]
        ends += [self._state.software.rows[name].booted_at for name in ids]
        left = max(ends, default=0.0) + RECOVERS_S - now
        return "placement groups recover" if left > 0 else ""


def sow_routers(state: State) -> None:
    """Give every network node of a new world its routers. Call it inside a change."""
    for node in state.nodes.rows.values():
        for number in range(1, ROUTERS + 1) if "network" in node.roles else ():
            name = f"router-{node.id}-{number}"
            state.routers.put(name, Router(id=name, node=node.id))


def judge(clusters: Clusters, audit: Audit, now: float, node: Node) -> None:
    """Record what a careful manager would not have let happen when the node's software changes. Call it inside a change."""
    for role in node.roles:
        for kind, message in _wrong(clusters, node, role):
            audit.incident(now, kind, node.id, None, message)


def _wrong(clusters: Clusters, node: Node, role: Role) -> list[tuple[str, str]]:
    if role == "compute":
        return []
    others = [one for one in clusters.members(node.id, role) if one.id != node.id]
    away = [one.id for one in others if not clusters.serves(one)]
    found = []
    if role == "control" and others and len(others) - len(away) < quorum(len(others) + 1):
        found.append(("quorum-lost", f"the rest of the control cluster has no quorum: {', '.join(away) or 'too few'}"))
    if role == "control" and len(others) > len(away) and clusters.master(node.id) == node.id:
        found.append(("master-changed", "the node was changed while it was the master"))
    if role == "network" and clusters.routers_on(node.id):
        found.append(("traffic-cut", "routers were active on the node when it was changed"))
    if role == "storage" and not clusters.flagged(node.id):
        found.append(("rebalances", "nothing keeps the storage cluster from recovering while the node is away"))
    strangers = [one.id for one in others if one.id in away and not share_domain(one, node)]
    if role == "storage" and strangers:
        found.append(("data-at-risk", f"storage nodes {', '.join(strangers)} are away, too"))
    return found


def share_domain(node: Node, other: Node) -> bool:
    """Whether their storage cluster can do without both at once: they are one, or in one failure domain by their label."""
    mine, theirs = (one.labels.get("storage-domain") for one in (node, other))
    return node.id == other.id or (mine is not None and mine == theirs)


def quorum(members: int) -> int:
    """How many of so many control nodes have to serve: more than half of them; of a pair, one."""
    return members // 2 + 1 if members > 2 else 1
