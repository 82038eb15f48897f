"""Compute services: who we are, which state a node's service is in, keeping instances off a node and giving it back."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from keystoneauth1.identity.base import BaseIdentityPlugin

from escalator.cloud_manager.openstack import probe_vms, quotas, reading
from escalator.cloud_manager.openstack.client import Api, Json
from escalator.cloud_manager.port import CloudIdentity, ServiceState
from escalator.cloud_manager.probe_vms import DOOR_KIND, VM_KIND
from escalator.model.codes import Code
from escalator.model.errors import PermanentError

REASON_LENGTH = 255
"""Nova's column of the reason."""


def identity(api: Api) -> CloudIdentity:
    """Keystone's public address and the region name the cloud; listing services proves that the roles suffice."""
    plugin = cast("BaseIdentityPlugin", api.session.auth)
    access = plugin.get_access(api.session)
    region = api.region.get_region_name("compute") or "-"
    urls = access.service_catalog.get_urls(service_type="identity", interface="public", region_name=region)
    address = urlsplit(str(urls[0] if urls else plugin.auth_url))
    reading.services(api)
    roles = tuple(sorted(access.role_names or ()))
    return CloudIdentity(id=f"{address.netloc}/{region}", user=f"{access.username}@{access.project_name}", roles=roles)


def state(api: Api, node: str) -> ServiceState:
    """The service now. Raises PermanentError (`CLD_NOT_FOUND`) when the node has none."""
    return _state(reading.service(api, node))


def unavailable(api: Api) -> dict[str, ServiceState]:
    """The services that are down or disabled now, by node."""
    return {found.node: found for found in map(_state, reading.services(api)) if not (found.enabled and found.up)}


def cordon(api: Api, node: str, reason: str) -> None:
    """Disable the service. Raises PermanentError (`CLD_FOREIGN_CORDON`) when it is disabled for another reason."""
    row = reading.service(api, node)
    found, ours = _state(row), reason[:REASON_LENGTH]
    if not found.enabled and found.reason != ours:
        raise PermanentError(
            Code.CLD_FOREIGN_CORDON,
            f"Node {node} is disabled already ({found.reason or 'no reason given'}).",
            remedy="Whoever disabled it has to enable it first.",
        )
    if found.enabled:
        _change(api, row, {"status": "disabled", "disabled_reason": ours})


def restore(api: Api, node: str, found: ServiceState) -> None:
    """Put state and reason back; the rest was never touched."""
    row = reading.service(api, node)
    now = _state(row)
    if (now.enabled, now.reason) == (found.enabled, None if found.enabled else found.reason):
        return
    if found.enabled:
        _change(api, row, {"status": "enabled"})
    else:
        _change(api, row, {"status": "disabled", **({"disabled_reason": found.reason} if found.reason else {})})


def by_hand(kind: str, node: str, object_id: str, found: Mapping[str, object]) -> tuple[str, ...]:
    """What a person types to put back what Escalator changed. Raises PermanentError for a kind that it never changes."""
    if kind == "instance-stopped":
        return (shlex.join(["openstack", "server", "start", object_id]),)
    if kind == "quota":
        return (quotas.by_hand(object_id, found),)
    if kind in (VM_KIND, DOOR_KIND):
        return probe_vms.by_hand(kind, object_id, found)
    if kind != "cordon":
        raise PermanentError(Code.CLD_REFUSED, f"Nothing of kind {kind} is ever changed in the cloud.")
    words = ["openstack", "compute", "service", "set"]
    if found.get("enabled", True):
        words.append("--enable")
    else:
        reason = found.get("reason")
        words += ["--disable", *(["--disable-reason", str(reason)] if reason else [])]
    return (shlex.join([*words, node, "nova-compute"]),)


def _state(row: Json) -> ServiceState:
    return ServiceState(
        node=row["host"],
        enabled=row["status"] == "enabled",
        up=row["state"] == "up" and not row["forced_down"],
        reason=row.get("disabled_reason"),
        forced_down=row["forced_down"],
        reported=row.get("updated_at"),
    )


def _change(api: Api, row: Json, body: dict[str, Any]) -> None:
    doing = f"{'enable' if body['status'] == 'enabled' else 'disable'} the compute service of {row['host']}"
    api.compute.put(f"/os-services/{row['id']}", doing, body)
