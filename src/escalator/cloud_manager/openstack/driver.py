"""The port's verbs on OpenStack. Each is one job in a thread; what it means stands in the other modules."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial

from escalator.cloud_manager.agents import Agents
from escalator.cloud_manager.openstack import inventory as meaning
from escalator.cloud_manager.openstack import moves, power, probe_vms, reading, services
from escalator.cloud_manager.openstack.agents import OpenStackAgents
from escalator.cloud_manager.openstack.client import Api, Client, Json, understood
from escalator.cloud_manager.openstack.probe_vms import OpenStackProbeVms
from escalator.cloud_manager.openstack.quotas import OpenStackQuotas
from escalator.cloud_manager.port import CloudIdentity, MoveOrder, MoveStatus, Quotas, ServiceState
from escalator.cloud_manager.probe_vms import ProbeVms
from escalator.model.campaign import Migration
from escalator.model.inventory import Instance, Inventory, Node
from escalator.settings import Cloud


class OpenStackCloud:
    """The virtual resources of one OpenStack region. Every verb raises TemporaryError or PermanentError (`CLD_*`)."""

    def __init__(self, settings: Cloud) -> None:
        self._client = Client(settings)
        self.quotas: Quotas = OpenStackQuotas(self._client)
        self.agents: Agents = OpenStackAgents(self._client)
        self.probe_vms: ProbeVms = OpenStackProbeVms(self._client, settings.probe_vm)

    def close(self) -> None:
        """End the driver's threads and its connection."""
        self._client.close()

    async def identity(self) -> CloudIdentity:
        """Who and where we are. Raises PermanentError for wrong credentials or a missing role."""
        return await self._client.run(services.identity)

    async def inventory(self, policy: Migration) -> Inventory:
        """Nodes, instances and groups now."""
        run = self._client.run
        seen_services, hypervisors, aggregates, providers, servers, groups, ports = await asyncio.gather(
            run(reading.services),
            run(reading.hypervisors),
            run(reading.aggregates),
            run(reading.providers),
            run(lambda api: probe_vms.of_others(api, reading.servers(api))),
            run(reading.groups),
            run(reading.bound_ports),
        )
        wanted = understood(lambda: _of_hypervisors(providers, hypervisors))
        offers = await asyncio.gather(*(run(partial(reading.offer, provider=uuid)) for uuid in wanted))
        seen = meaning.Seen(
            services=seen_services,
            hypervisors=hypervisors,
            aggregates=aggregates,
            providers=providers,
            offers=dict(zip(wanted, offers, strict=True)),
            servers=servers,
            groups=groups,
            ports=ports,
        )
        return understood(lambda: meaning.inventory(seen, policy))

    async def instances_on(self, node: str, policy: Migration) -> tuple[Instance, ...]:
        """Instances on the node now, in order of their ids."""
        return await self._client.run(lambda api: _instances_on(api, node, policy))

    async def instance(self, instance_id: str) -> Instance | None:
        """The instance now, judged by the default policy; None when it is gone or on no node."""
        return await self._client.run(lambda api: _instance(api, instance_id))

    async def node(self, node: str) -> Node:
        """The node now. Raises PermanentError (`CLD_NOT_FOUND`)."""
        return await self._client.run(lambda api: _node(api, node))

    async def unavailable(self) -> Mapping[str, ServiceState]:
        """The compute services that are down or disabled now, by node: one call."""
        return await self._client.run(services.unavailable)

    async def service(self, node: str) -> ServiceState:
        """State of the node's compute service."""
        return await self._client.run(lambda api: services.state(api, node))

    async def cordon(self, node: str, reason: str) -> None:
        """Keep new instances off the node. Raises PermanentError (`CLD_FOREIGN_CORDON`)."""
        await self._client.run(lambda api: services.cordon(api, node, reason))

    async def restore_service(self, node: str, found: ServiceState) -> None:
        """Put the service back to exactly what was found before."""
        await self._client.run(lambda api: services.restore(api, node, found))

    async def start_move(self, order: MoveOrder) -> None:
        """Ask for the move; nothing happens when it is under way or done."""
        await self._client.run(lambda api: moves.start(api, order))

    async def move_status(self, order: MoveOrder) -> MoveStatus:
        """Where the move stands, by both the instance and the migration's record."""
        return await self._client.run(lambda api: moves.status(api, order))

    async def confirm_move(self, order: MoveOrder) -> None:
        """End a cold move: the instance stays on the target."""
        await self._client.run(lambda api: moves.confirm(api, order))

    async def revert_move(self, order: MoveOrder) -> None:
        """Take a cold move back: the instance returns to the origin."""
        await self._client.run(lambda api: moves.revert(api, order))

    async def abort_move(self, order: MoveOrder) -> None:
        """Abort a live move that is under way; nothing happens when there is none."""
        await self._client.run(lambda api: moves.abort(api, order))

    async def stop(self, instance_id: str) -> None:
        """Ask the instance to stop."""
        await self._client.run(lambda api: power.stop(api, instance_id))

    async def start(self, instance_id: str) -> None:
        """Ask the instance to start."""
        await self._client.run(lambda api: power.start(api, instance_id))

    def by_hand(self, kind: str, node: str, object_id: str, found: Mapping[str, object]) -> tuple[str, ...]:
        """The commands with which a person puts back `kind` without Escalator."""
        return services.by_hand(kind, node, object_id, found)


def _of_hypervisors(providers: Sequence[Json], hypervisors: Sequence[Json]) -> list[str]:
    """Ids of the providers that are hypervisors, or stand in the tree of one."""
    roots = {row["id"] for row in hypervisors}
    return [row["uuid"] for row in providers if row["root_provider_uuid"] in roots]


def _instances_on(api: Api, node: str, policy: Migration) -> tuple[Instance, ...]:
    servers = [server for server in reading.servers(api, node) if server["OS-EXT-SRV-ATTR:host"] == node]
    servers = probe_vms.of_others(api, servers)
    if not servers:
        return ()
    ports = reading.bound_ports(api, [server["id"] for server in servers])
    return meaning.instances(servers, reading.groups(api), ports, policy)


def _instance(api: Api, instance_id: str) -> Instance | None:
    server: Json | None = reading.server(api, instance_id)
    if server is None:
        return None
    ports = reading.bound_ports(api, [instance_id])
    return next(iter(meaning.instances([server], reading.groups_of(api, server), ports, Migration())), None)


def _node(api: Api, node: str) -> Node:
    """One node with what its own providers offer."""
    service = reading.service(api, node)
    hypervisors = [row for row in reading.hypervisors(api, node) if row["service"]["host"] == node]
    providers = [row for hypervisor in hypervisors for row in reading.providers(api, tree=hypervisor["id"])]
    seen = meaning.Seen(
        services=[service],
        hypervisors=hypervisors,
        aggregates=reading.aggregates(api),
        providers=providers,
        offers={row["uuid"]: reading.offer(api, row["uuid"]) for row in providers},
        servers=(),
        groups=(),
        ports=(),
    )
    return meaning.inventory(seen, Migration()).nodes[0]
