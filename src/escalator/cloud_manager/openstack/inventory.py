"""Nodes, instances and groups from the raw answers of Nova, Placement and Neutron: pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from escalator.cloud_manager.openstack.migration_kind import Facts, judge
from escalator.cloud_manager.openstack.resources import capacity, demand, required_traits, version_text
from escalator.model.campaign import Migration
from escalator.model.inventory import Group, Instance, Inventory, Node, Requires

Json = Mapping[str, Any]

_Policy = Literal["anti-affinity", "soft-anti-affinity", "affinity", "soft-affinity"]
_LIMITED = "max_server_per_host"
_AZ_OF_NODES_WITHOUT = "nova"


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What Placement says of one provider: inventories by resource class, and traits."""

    inventories: Json = field(default_factory=dict)
    traits: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Everything that was read for one inventory."""

    services: Sequence[Json]
    hypervisors: Sequence[Json]
    aggregates: Sequence[Json]
    providers: Sequence[Json]
    offers: Mapping[str, Offer]
    """By the provider's id."""
    servers: Sequence[Json]
    groups: Sequence[Json]
    ports: Sequence[Json]


def inventory(seen: Seen, policy: Migration) -> Inventory:
    """The cloud in the model's words. A host that has instances but no service is a node that is down."""
    found = instances(seen.servers, seen.groups, seen.ports, policy)
    known = {service["host"] for service in seen.services}
    lost = sorted({instance.node for instance in found} - known)
    nodes = [*_nodes(seen), *(Node(id=host, state="down", maintenance=True, maintenance_reason=_NO_SERVICE) for host in lost)]
    return Inventory(nodes=tuple(sorted(nodes, key=lambda node: node.id)), instances=found, groups=groups(seen.groups, found))


_NO_SERVICE = "instances are on it but it has no compute service"


def _nodes(seen: Seen) -> Iterable[Node]:
    hypervisors = {row["service"]["host"]: row for row in seen.hypervisors if row["hypervisor_type"] != "ironic"}
    trees: defaultdict[str, list[str]] = defaultdict(list)
    for provider in seen.providers:
        trees[provider["root_provider_uuid"]].append(provider["uuid"])
    for service in seen.services:
        hypervisor = hypervisors.get(service["host"])
        tree = trees[hypervisor["id"]] if hypervisor is not None else []
        yield _node(service, hypervisor, [seen.offers[uuid] for uuid in tree if uuid in seen.offers], seen.aggregates)


def _node(service: Json, hypervisor: Json | None, offers: Sequence[Offer], aggregates: Sequence[Json]) -> Node:
    member_of = [aggregate for aggregate in aggregates if service["host"] in aggregate["hosts"]]
    enabled = service["status"] == "enabled"
    labels = _labels(member_of)
    return Node(
        id=service["host"],
        az=service.get("zone") or _AZ_OF_NODES_WITHOUT,
        rack=labels.get("rack"),
        aggregates=tuple(sorted(aggregate["name"] for aggregate in member_of)),
        labels=labels,
        traits=tuple(sorted({trait for offer in offers for trait in offer.traits})),
        state="up" if service["state"] == "up" and not service["forced_down"] else "down",
        maintenance=not enabled,
        maintenance_reason=None if enabled else service.get("disabled_reason"),
        versions={} if hypervisor is None else {"hypervisor": version_text(hypervisor["hypervisor_version"])},
        numa=(capacity(offer.inventories for offer in offers),),
    )


def _labels(aggregates: Sequence[Json]) -> dict[str, str]:
    """Metadata of the node's aggregates; several values of one key stand side by side, as Nova takes them."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for aggregate in aggregates:
        for key, value in aggregate["metadata"].items():
            if key != "availability_zone":
                found[key].add(str(value))
    return {key: ",".join(sorted(values)) for key, values in sorted(found.items())}


def instances(servers: Sequence[Json], groups: Sequence[Json], ports: Sequence[Json], policy: Migration) -> tuple[Instance, ...]:
    """Instances that are on a node, in order of their ids. Shelved and unplaced servers are on none."""
    member_of: defaultdict[str, list[Json]] = defaultdict(list)
    for group in groups:
        for member in group["members"]:
            member_of[member].append(group)
    vnic_types: defaultdict[str, set[str]] = defaultdict(set)
    for port in ports:
        vnic_types[port["device_id"]].add(port["binding:vnic_type"])
    placed = (server for server in servers if server.get("OS-EXT-SRV-ATTR:host"))
    found = (_instance(s, member_of[s["id"]], frozenset(vnic_types[s["id"]]), policy) for s in placed)
    return tuple(sorted(found, key=lambda instance: instance.id))


def _instance(server: Json, groups: Sequence[Json], vnic_types: frozenset[str], policy: Migration) -> Instance:
    flavor = server["flavor"]
    image = server.get("image") or {}
    extra_specs, properties = flavor.get("extra_specs", {}), image.get("properties", {})
    verdict = judge(
        Facts(
            id=server["id"],
            vm_state=server["OS-EXT-STS:vm_state"],
            task_state=server["OS-EXT-STS:task_state"],
            locked=server.get("locked", False),
            locked_reason=server.get("locked_reason"),
            extra_specs=extra_specs,
            image_properties=properties,
            vnic_types=vnic_types,
            affinity_group=next((g["id"] for g in groups if g["policy"] == "affinity" and len(g["members"]) > 1), None),
        ),
        policy,
    )
    return Instance(
        id=server["id"],
        name=server["name"],
        project=server["tenant_id"],
        vnf=server["metadata"].get("vnf"),
        state=server["OS-EXT-STS:vm_state"],
        task_state=server["OS-EXT-STS:task_state"],
        blocked=verdict.blocked,
        node=server["OS-EXT-SRV-ATTR:host"],
        demand=demand(flavor, from_volume=not image),
        groups=tuple(sorted(group["id"] for group in groups)),
        migration=verdict.kind,
        migration_reason=verdict.reason,
        requires=Requires(az=server.get("pinned_availability_zone"), traits=required_traits(extra_specs, properties)),
    )


def groups(rows: Sequence[Json], found: Sequence[Instance]) -> tuple[Group, ...]:
    """Groups that have an instance on a node."""
    used = Counter(group for instance in found for group in instance.groups)
    return tuple(_group(row) for row in sorted(rows, key=lambda r: r["id"]) if used[row["id"]])


def _group(row: Json) -> Group:
    most = int((row.get("rules") or {}).get(_LIMITED, 1))
    if row["policy"] == "anti-affinity" and most > 1:
        # Nova puts so many members on one node and no more; the fewer they are the better.
        return Group(id=row["id"], policy="soft-anti-affinity", max_per_node=most)
    return Group(id=row["id"], policy=cast("_Policy", row["policy"]))
