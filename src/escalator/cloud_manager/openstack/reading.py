"""What is asked of the cloud for inventories: one function for each list. Blocking."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

from escalator.cloud_manager.openstack.client import MAX_PAGES, Api, Json
from escalator.cloud_manager.openstack.inventory import Offer
from escalator.cloud_manager.openstack.migration_kind import BOUND_VNIC_TYPES
from escalator.cloud_manager.openstack.refusals import unreachable
from escalator.model.codes import Code
from escalator.model.errors import PermanentError

IDS_A_QUESTION = 100
"""Ids of 36 characters: a query of about 5 kB, below what web servers refuse."""
LEAST_PAGE = 100
"""Server groups are paged by offset; no cloud has a smaller largest page, so a shorter one is the last."""
SHOWN = 3
"""Objects of a cell that is down that are named."""
_COMPUTE = "nova-compute"
_PORT_FIELDS = ("id", "device_id", "binding:vnic_type")


def services(api: Api) -> list[Json]:
    """Every nova-compute service. Raises TemporaryError when a cell is down: nothing is known of what is in it."""
    doing = "list the compute services"
    found: list[Json] = api.compute.get("/os-services", doing, {"binary": _COMPUTE})["services"]
    return _whole(found, "state", "host", doing)


def service(api: Api, node: str) -> Json:
    """The nova-compute service of one node. Raises PermanentError (`CLD_NOT_FOUND`), TemporaryError when its cell is down."""
    row = _service(api, node)
    if row is None:
        raise PermanentError(Code.CLD_NOT_FOUND, f"The cloud has no compute service on node {node}.")
    return row


def _service(api: Api, node: str) -> Json | None:
    doing = f"read the compute service of {node}"
    rows: list[Json] = api.compute.get("/os-services", doing, {"binary": _COMPUTE, "host": node})["services"]
    return next(iter(_whole([row for row in rows if row["host"] == node], "state", "host", doing)), None)


def hypervisors(api: Api, node: str | None = None) -> list[Json]:
    """Every hypervisor with its version, or those that may be the node's."""
    path, doing = "/os-hypervisors/detail", "list the hypervisors"
    if node is not None:
        # Most are named after their host; where none is, all are looked through.
        body = api.compute.find(f"{path}?{urlencode({'hypervisor_hostname_pattern': node})}", doing)
        if body is not None and any(row["service"]["host"] == node for row in body["hypervisors"]):
            found: list[Json] = body["hypervisors"]
            return found
    return api.compute.pages(path, "hypervisors", doing)


def aggregates(api: Api) -> list[Json]:
    """Every host aggregate."""
    found: list[Json] = api.compute.get("/os-aggregates", "list the aggregates")["aggregates"]
    return found


def server(api: Api, server_id: str) -> Json | None:
    """The server now; None when it is gone. Raises TemporaryError when its cell is down."""
    doing = f"read server {server_id}"
    found = api.servers.find(f"/servers/{server_id}", doing)
    return None if found is None else _whole([found["server"]], "OS-EXT-STS:vm_state", "id", doing)[0]


def servers(api: Api, node: str | None = None) -> list[Json]:
    """Every project's servers, or those on one node. Raises TemporaryError when a cell, or that of the node, is down."""
    doing, query = "list the servers", {"all_tenants": "1", **({"host": node} if node is not None else {})}
    found = _whole(api.servers.pages("/servers/detail", "servers", doing, query), "OS-EXT-STS:vm_state", "id", doing)
    if node is not None:
        # Of a cell that is down Nova leaves out what it is asked for by host, and the node would seem to be empty.
        _service(api, node)
    return found


def groups(api: Api) -> list[Json]:
    """Every project's server groups."""
    found: list[Json] = []
    doing = "list the server groups"
    for _ in range(MAX_PAGES):
        query = {"all_projects": "True", "limit": "1000", "offset": str(len(found))}
        page = api.compute.get("/os-server-groups", doing, query)["server_groups"]
        found += page
        if len(page) < LEAST_PAGE:
            return found
    raise PermanentError(Code.CLD_REFUSED, f"Cannot {doing}: the list does not end.")


def bound_ports(api: Api, server_ids: Sequence[str] | None = None) -> list[Json]:
    """Ports that bind their instance to its node, of all servers or of these."""
    base = {"binding:vnic_type": BOUND_VNIC_TYPES, "fields": _PORT_FIELDS}
    doing = "list the ports of servers"
    if server_ids is None:
        found = api.network.pages("/ports", "ports", doing, base)
    else:
        parts = [server_ids[i : i + IDS_A_QUESTION] for i in range(0, len(server_ids), IDS_A_QUESTION)]
        found = [port for part in parts for port in api.network.pages("/ports", "ports", doing, {**base, "device_id": part})]
    # A plug-in that does not know the filter answers with all ports.
    return [port for port in found if port.get("binding:vnic_type") in BOUND_VNIC_TYPES]


def providers(api: Api, tree: str | None = None) -> list[Json]:
    """Every resource provider with the root of its tree, or those of one tree."""
    query = {} if tree is None else {"in_tree": tree}
    found: list[Json] = api.placement.get("/resource_providers", "list the resource providers", query)["resource_providers"]
    return found


def offer(api: Api, provider: str) -> Offer:
    """What one provider offers; nothing when it went away meanwhile."""
    doing = f"read what provider {provider} offers"
    inventories = api.placement.find(f"/resource_providers/{provider}/inventories", doing)
    traits = api.placement.find(f"/resource_providers/{provider}/traits", doing)
    if inventories is None or traits is None:
        return Offer()
    return Offer(inventories=inventories["inventories"], traits=tuple(traits["traits"]))


def _whole(rows: list[Json], needed: str, name: str, doing: str) -> list[Json]:
    """The rows, when Nova knows more of each than that it exists: since 2.69 it lists what is in a cell that is down as well."""
    partly = [str(row[name]) for row in rows if needed not in row]
    if partly:
        more = f" and {len(partly) - SHOWN} more" if len(partly) > SHOWN else ""
        raise unreachable(doing, f"the Nova cell of {', '.join(partly[:SHOWN])}{more} does not answer")
    return rows


def groups_of(api: Api, server: Json) -> list[Json]:
    """The groups that one server names."""
    doing = f"read the groups of server {server['id']}"
    found = (api.compute.find(f"/os-server-groups/{group}", doing) for group in server.get("server_groups", ()))
    return [row["server_group"] for row in found if row is not None]
