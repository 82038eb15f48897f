"""Probe VMs in OpenStack: servers of our own project, booted onto a node whose compute service stays disabled.

Two things keep instances off such a node: Nova's scheduler leaves disabled services out (ComputeFilter), and Placement does not
offer a provider with the trait COMPUTE_STATUS_DISABLED (a mandatory pre-filter). A server that an administrator forces onto a
host (`availability_zone` `:HOST`) passes by the first, not by the second. So the trait is the door: while it is away, the
scheduler still leaves the node out for everybody who does not force a host. nova-compute puts the trait back by itself, later.
A live migration that is forced (up to microversion 2.67) asks the scheduler nothing at all.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from escalator.cloud_manager.openstack import moves, reading
from escalator.cloud_manager.openstack.client import Api, Client, Json, image_service
from escalator.cloud_manager.openstack.refusals import shorten
from escalator.cloud_manager.openstack.resources import demand
from escalator.cloud_manager.port import MoveOrder
from escalator.cloud_manager.probe_vms import DOOR_KIND, ProbeState, ProbeVm
from escalator.model.codes import Code
from escalator.model.errors import PermanentError
from escalator.model.probe_vm_settings import ProbeVmSettings

DOOR = "COMPUTE_STATUS_DISABLED"
MARK = "escalator-probe"
"""Key of the metadata by which a server of our own project is known as a probe."""
_TRAITS_VERSION = "1.6"
"""Of Placement's interface, for who sets the traits by hand."""


class OpenStackProbeVms:
    """The port's verbs. Each raises TemporaryError or PermanentError (`CLD_*`)."""

    def __init__(self, client: Client, settings: ProbeVmSettings | None) -> None:
        self._client = client
        self._settings = settings

    async def size(self) -> Mapping[str, float]:
        """What one takes of a node; with it, whether everything that the settings name is there."""
        settings = self._named()
        return await self._client.run(lambda api: size(api, settings))

    async def door(self, node: str) -> Mapping[str, object] | None:
        """The provider with its traits, when they keep probes off."""
        return await self._client.run(lambda api: door(api, node))

    async def open_door(self, node: str) -> None:
        """Take the trait away."""
        await self._client.run(lambda api: open_door(api, node))

    async def shut_door(self, node: str) -> None:
        """Give the trait back, unless the service is enabled."""
        await self._client.run(lambda api: shut_door(api, node))

    async def boot(self, name: str, node: str) -> None:
        """Ask for a server on exactly that node."""
        settings = self._named()
        await self._client.run(lambda api: boot(api, settings, name, node))

    async def find(self, name: str) -> ProbeVm | None:
        """The server of that name in our project, if it is a probe."""
        return await self._client.run(lambda api: find(api, name))

    async def start_move(self, order: MoveOrder) -> None:
        """Ask for its live migration, forced where the target is out of service."""
        await self._client.run(lambda api: start_move(api, order))

    async def delete(self, name: str) -> None:
        """Ask for its end."""
        await self._client.run(lambda api: delete(api, name))

    def _named(self) -> ProbeVmSettings:
        if self._settings is None:
            raise PermanentError(Code.CLD_PROBE_SETUP, "No probe VM is set up.", remedy="Set cloud.probe_vm in the settings.")
        return self._settings


def size(api: Api, settings: ProbeVmSettings) -> Mapping[str, float]:
    """Of the flavor; image and network are looked up, too."""
    _image(api, settings.image)
    _networks(api, settings.network)
    return demand(_flavor(api, settings.flavor), from_volume=False)


def door(api: Api, node: str) -> Mapping[str, object] | None:
    """Provider and traits of the node, when the trait is there."""
    for provider in _providers(api, node):
        traits = _traits(api, provider)["traits"]
        if DOOR in traits:
            return {"provider": provider, "traits": sorted(traits)}
    return None


def open_door(api: Api, node: str) -> None:
    """Without the trait on any provider of the node."""
    for provider in _providers(api, node):
        found = _traits(api, provider)
        if DOOR in found["traits"]:
            _put_traits(api, provider, found, [trait for trait in found["traits"] if trait != DOOR])


def shut_door(api: Api, node: str) -> None:
    """With the trait, where the service is disabled: on an enabled one it would keep everybody off for some time."""
    for provider in _providers(api, node):
        found = _traits(api, provider)
        if DOOR not in found["traits"] and not _enabled(api, node):
            _put_traits(api, provider, found, [*found["traits"], DOOR])
    if _enabled(api, node):
        open_door(api, node)  # somebody enabled it in between; Nova takes the trait away then, and ours came after


def boot(api: Api, settings: ProbeVmSettings, name: str, node: str) -> None:
    """Create the server, unless there is one of the name already."""
    if _servers(api, name):
        return
    body = {
        "name": name,
        "imageRef": _image(api, settings.image),
        "flavorRef": _flavor(api, settings.flavor)["id"],
        "networks": _networks(api, settings.network),
        "availability_zone": f":{node}",
        "metadata": {MARK: node},
    }
    api.compute.post("/servers", f"boot a probe VM on {node}", {"server": body})


def find(api: Api, name: str) -> ProbeVm | None:
    """How the server stands, judged as a probe."""
    servers = _servers(api, name)
    return _seen(servers[0]) if servers else None


def start_move(api: Api, order: MoveOrder) -> None:
    """As any live migration is asked for, except that a disabled target is told to take it."""
    service = reading.service(api, order.target)
    moves.start(api, order, forced=service["status"] != "enabled")


def delete(api: Api, name: str) -> None:
    """Every probe of that name: there is more than one where an answer was lost in a bad moment."""
    for server in _servers(api, name):
        try:
            api.compute.delete(f"/servers/{server['id']}", f"delete the probe VM {name}")
        except PermanentError as error:
            if error.code is not Code.CLD_NOT_FOUND:
                raise


def of_others(api: Api, servers: Sequence[Json]) -> list[Json]:
    """The servers without our probes. The mark counts in our own project alone: tenants could set it, too."""
    if not any(MARK in server.get("metadata", {}) for server in servers):
        return list(servers)
    own = api.session.get_project_id()
    return [server for server in servers if not (MARK in server.get("metadata", {}) and server["tenant_id"] == own)]


def by_hand(kind: str, object_id: str, found: Mapping[str, Any]) -> tuple[str, ...]:
    """What a person types to put back what a probe changed."""
    if kind == DOOR_KIND:
        words = ["openstack", "--os-placement-api-version", _TRAITS_VERSION, "resource", "provider", "trait", "set"]
        traits = [word for trait in found["traits"] for word in ("--trait", str(trait))]
        return (shlex.join([*words, *traits, str(found["provider"])]),)
    return (shlex.join(["openstack", "server", "delete", object_id]),)


def _seen(server: Json) -> ProbeVm:
    state, host = server["OS-EXT-STS:vm_state"], server.get("OS-EXT-SRV-ATTR:host")
    message = shorten((server.get("fault") or {}).get("message", ""))
    addresses = [row["addr"] for rows in server.get("addresses", {}).values() for row in rows]
    found = {"active": ProbeState.ACTIVE, "building": ProbeState.BUILDING}.get(state, ProbeState.FAILED)
    if found is ProbeState.FAILED and not message:
        message = f"it is in state {state}"
    no_host = found is ProbeState.FAILED and host is None and "valid host" in message.lower()
    return ProbeVm(server["id"], found, host, next(iter(addresses), None), message, no_host)


def _servers(api: Api, name: str) -> list[Json]:
    """Probes of exactly that name in our project. Raises TemporaryError when there is none and a cell is down."""
    query = {"name": f"^{re.escape(name)}$"}
    found = api.servers.pages("/servers/detail", "servers", f"look for the probe VM {name}", query)
    ours = [server for server in found if server["name"] == name and MARK in server["metadata"]]
    if not ours:
        reading.services(api)  # of a cell that is down Nova leaves out what it is asked for by name
    return ours


def _enabled(api: Api, node: str) -> bool:
    return bool(reading.service(api, node)["status"] == "enabled")


def _providers(api: Api, node: str) -> list[str]:
    """Providers of the node's compute nodes: each has the hypervisor's id."""
    return [row["id"] for row in reading.hypervisors(api, node) if row["service"]["host"] == node]


def _traits(api: Api, provider: str) -> Json:
    return api.placement.get(f"/resource_providers/{provider}/traits", f"read the traits of provider {provider}")


def _put_traits(api: Api, provider: str, found: Json, traits: Sequence[str]) -> None:
    """Set the traits, if nobody has changed the provider since they were read; else TemporaryError (`CLD_BUSY`)."""
    body = {"resource_provider_generation": found["resource_provider_generation"], "traits": list(traits)}
    api.placement.put(f"/resource_providers/{provider}/traits", f"set the traits of provider {provider}", body)


def _flavor(api: Api, wanted: str) -> Json:
    rows = api.compute.pages("/flavors/detail", "flavors", "list the flavors", {"is_public": "None"})
    return _one(rows, wanted, "flavor")


def _image(api: Api, wanted: str) -> str:
    rows = image_service(api).get("/images", "look for the probe's image", {"name": wanted})["images"]
    if not rows:
        found = image_service(api).find(f"/images/{wanted}", "read the probe's image")
        rows = [] if found is None else [found]
    return str(_one(rows, wanted, "image")["id"])


def _networks(api: Api, wanted: str | None) -> str | list[dict[str, str]]:
    if wanted is None:
        return "none"
    rows = api.network.pages("/networks", "networks", "list the networks")
    return [{"uuid": str(_one(rows, wanted, "network")["id"])}]


def _one(rows: Sequence[Json], wanted: str, what: str) -> Json:
    for row in [row for row in rows if row["id"] == wanted] + [row for row in rows if row["name"] == wanted]:
        return row
    message = f"The cloud has no {what} {wanted!r} for probe VMs that we may use."
    raise PermanentError(Code.CLD_PROBE_SETUP, message, remedy=f"Correct cloud.probe_vm.{what} in the settings.")
