"""The simulated cloud: the port's verbs on the world. It behaves as the OpenStack driver does, refusals included."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from escalator.cloud_manager.agents import Agent, Agents
from escalator.cloud_manager.port import (
    CloudIdentity,
    MoveOrder,
    MoveState,
    MoveStatus,
    Quota,
    Quotas,
    QuotaState,
    ServiceState,
)
from escalator.cloud_manager.probe_vms import DOOR_KIND, VM_KIND, ProbeVms
from escalator.cloud_manager.simulated_probe_vms import SimulatedProbeVms
from escalator.model.campaign import Migration
from escalator.model.codes import Code
from escalator.model.errors import PermanentError
from escalator.model.instance_state import with_reason
from escalator.model.inventory import Instance, Inventory, Node
from escalator.world.records import Move
from escalator.world.world import World

_STATES: Mapping[str, MoveState] = {
    "running": MoveState.RUNNING,
    "confirm": MoveState.CONFIRM,
    "done": MoveState.DONE,
    "failed": MoveState.FAILED,
    "lost": MoveState.LOST,
}


class SimulatedQuotas:
    """What projects of a simulated world may use."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def state(self, project: str) -> QuotaState:
        """The project's limits and what is in use, now."""
        limits, in_use = self._world.quotas.get(project)
        return QuotaState(Quota(*limits), Quota(*in_use))

    async def change(self, project: str, limits: Quota) -> None:
        """Set the project's limits. Raises PermanentError (`CLD_REFUSED`) where the world refuses it."""
        self._world.quotas.change(project, (limits.cores, limits.ram_mib, limits.instances))


class SimulatedAgents:
    """What of a simulated cloud runs on its nodes: the compute service and a network agent on each."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def on(self, node: str) -> tuple[Agent, ...]:
        """Both, with their states."""
        found = _compute(self._world, node)
        compute = Agent("nova-compute", found.state == "up", not found.maintenance, found.maintenance_reason)
        return Agent("Open vSwitch agent", up=self._world.hosts.has_agent(node), enabled=True), compute


class SimulatedCloud:
    """The virtual resources of a simulated world. Nothing here waits: the world answers at once."""

    def __init__(self, world: World) -> None:
        self._there = world
        self.quotas: Quotas = SimulatedQuotas(world)
        self.agents: Agents = SimulatedAgents(world)
        self.probe_vms: ProbeVms = SimulatedProbeVms(world)

    @property
    def _world(self) -> World:
        """The world, as long as its API answers; raises TemporaryError (`CLD_UNREACHABLE`) while it does not."""
        self._there.clusters.check_api()
        return self._there

    async def identity(self) -> CloudIdentity:
        """The world's own name."""
        return CloudIdentity(id=self._world.id, user="simulated", roles=("admin",))

    async def inventory(self, policy: Migration) -> Inventory:  # noqa: ARG002 - the world has no ports to judge by a policy
        """Nodes, instances and groups now."""
        seen = self._world.inventory()
        return seen.with_instances(
            [with_reason(instance) for instance in seen.instances if instance.id not in self._world.probes]
        )

    async def instances_on(self, node: str, policy: Migration) -> tuple[Instance, ...]:  # noqa: ARG002 - as above
        """Instances on the node now, in order of their ids."""
        here = self._world.instances_on(node)
        return tuple(with_reason(instance) for instance in here if instance.id not in self._world.probes)

    async def instance(self, instance_id: str) -> Instance | None:
        """The instance now; None when it is gone."""
        instance = self._world.instance(instance_id)
        return None if instance is None else with_reason(instance)

    async def node(self, node: str) -> Node:
        """The node now. Raises PermanentError (`CLD_NOT_FOUND`) when there is none."""
        return self._world.hosts.get(node)

    async def unavailable(self) -> Mapping[str, ServiceState]:
        """The compute services that are down or disabled now, by node."""
        return {node: _state(self._world.hosts.get(node)) for node in self._world.hosts.unavailable()}

    async def service(self, node: str) -> ServiceState:
        """State of the node's compute service. Raises PermanentError when there is none."""
        return _state(_compute(self._world, node))

    async def cordon(self, node: str, reason: str) -> None:
        """Keep new instances off the node. Raises PermanentError (`CLD_FOREIGN_CORDON`)."""
        self._world.hosts.cordon(node, reason)

    async def restore_service(self, node: str, found: ServiceState) -> None:
        """Put the service back to exactly what was found before."""
        self._world.hosts.restore(node, enabled=found.enabled, reason=found.reason)

    async def start_move(self, order: MoveOrder) -> None:
        """Ask for the move; nothing happens when it is under way or done.

        Raises PermanentError (`CLD_NO_VALID_HOST`, `CLD_REFUSED`, `CLD_NOT_FOUND`) or TemporaryError (`CLD_BUSY`).
        """
        self._world.moves.start(order.instance, order.origin, order.target, order.kind)

    async def move_status(self, order: MoveOrder) -> MoveStatus:
        """Where the move stands, by both the instance and the latest move of it."""
        move, instance, now = self._world.moves.standing(order.instance)
        if instance is None:
            return MoveStatus(MoveState.LOST, None, healthy=False, message="the instance does not exist any more")
        if move is None or not _same(move, order):
            return MoveStatus(MoveState.DONE if instance.node == order.target else MoveState.NONE, instance.node)
        healthy = instance.state in (move.was, "resized") and (move.state == "running" or instance.task_state is None)
        message = move.message if healthy else f"the instance is in state {instance.state}"
        return MoveStatus(_STATES[move.state], instance.node, healthy, message, _progress(move, now))

    async def confirm_move(self, order: MoveOrder) -> None:
        """End a cold move: the instance stays on the target."""
        if self._concerns(order):
            self._world.moves.confirm(order.instance)

    async def revert_move(self, order: MoveOrder) -> None:
        """Take a cold move back: the instance returns to the origin."""
        if self._concerns(order):
            self._world.moves.revert(order.instance)

    async def abort_move(self, order: MoveOrder) -> None:
        """Abort a live move that is under way; nothing happens when there is none."""
        if self._concerns(order):
            self._world.moves.abort(order.instance)

    async def stop(self, instance_id: str) -> None:
        """Stop the instance; ask only."""
        self._world.power.stop(instance_id)

    async def start(self, instance_id: str) -> None:
        """Start the instance; ask only."""
        self._world.power.start(instance_id)

    def by_hand(self, kind: str, node: str, object_id: str, found: Mapping[str, object]) -> tuple[str, ...]:
        """What a person would type on a real cloud, so that the sheet of a simulated one reads the same."""
        if kind == "instance-stopped":
            return (shlex.join(["openstack", "server", "start", object_id]),)
        if kind == "quota":
            amounts = [f"--cores={found['cores']}", f"--ram={found['ram_mib']}", f"--instances={found['instances']}"]
            return (shlex.join(["openstack", "quota", "set", "--force", *amounts, object_id]),)
        if kind == VM_KIND:
            return (shlex.join(["openstack", "server", "delete", object_id]),)
        if kind == DOOR_KIND:
            return (f"# nothing: the simulated cloud keeps probe VMs off {node} again by itself",)
        if found.get("enabled", True):
            return (shlex.join(["openstack", "compute", "service", "set", "--enable", node, "nova-compute"]),)
        reason = str(found.get("reason") or "")
        words = ["openstack", "compute", "service", "set", "--disable", "--disable-reason", reason, node, "nova-compute"]
        return (shlex.join(words),)

    def _concerns(self, order: MoveOrder) -> bool:
        move = self._world.moves.get(order.instance)
        return move is not None and _same(move, order)


def _compute(world: World, node: str) -> Node:
    """The node with its compute service. Raises PermanentError (`CLD_NOT_FOUND`) for one of another role, as real clouds do."""
    found = world.hosts.get(node)
    if "compute" not in found.roles:
        raise PermanentError(Code.CLD_NOT_FOUND, f"The cloud has no compute service on node {node}.")
    return found


def _state(node: Node) -> ServiceState:
    return ServiceState(node=node.id, enabled=not node.maintenance, up=node.state == "up", reason=node.maintenance_reason)


def _progress(move: Move, now: float) -> float | None:
    """Percent of the way."""
    if move.state != "running":
        return None if move.state in ("failed", "lost") else 100.0
    if move.ends_at is None:
        return 0.0
    whole_s = move.ends_at - move.started_at
    return 100.0 * (now - move.started_at) / whole_s if whole_s > 0 else 0.0


def _same(move: Move, order: MoveOrder) -> bool:
    return (move.origin, move.target, move.kind) == (order.origin, order.target, order.kind)
