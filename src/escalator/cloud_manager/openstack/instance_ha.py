"""Masakari, OpenStack's instance high availability: a host that is upgraded is not one that died.

API reference: https://docs.openstack.org/api-ref/instance-ha/ (hosts of segments, `on_maintenance`).
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Protocol, TypeVar

from escalator.cloud_manager.openstack.client import Api, Client, Json, Rest, instance_ha_service
from escalator.model.codes import Code
from escalator.model.errors import PermanentError, TemporaryError
from escalator.model.neighbour_settings import Masakari as Settings
from escalator.settings import Cloud

MAX_PAGES = 1000
"""A loop in what the service answers ends here."""

T = TypeVar("T")


class Host(Protocol):
    """A host in its turn."""

    @property
    def node(self) -> str:
        """Its name, the same as of its compute service."""
        ...


class Masakari:
    """Sets `on_maintenance` of a host in every segment that it is in, and back. A host of no segment is not watched."""

    name = "masakari"

    def __init__(self, settings: Settings, cloud: Cloud) -> None:
        self.required = settings.required
        self._client = Client(cloud)

    async def in_maintenance(self, host: Host) -> bool:
        """Whether it stands there as `on_maintenance` in every segment that it is in; false where it is in none."""
        found = await self._run(lambda api: _hosts(instance_ha_service(api), host.node))
        return bool(found) and all(row["on_maintenance"] for row in found)

    async def enter(self, host: Host) -> None:
        """Set it. Raises TemporaryError while Masakari recovers something in that segment."""
        await self._run(lambda api: _set(api, host.node, on_maintenance=True))

    async def leave(self, host: Host) -> None:
        """Take it back."""
        await self._run(lambda api: _set(api, host.node, on_maintenance=False))

    async def _run(self, job: Callable[[Api], T]) -> T:
        try:
            return await self._client.run(job)
        except TemporaryError as error:
            raise TemporaryError(Code.VIM_NEIGHBOUR, error.message, remedy=error.remedy) from error
        except PermanentError as error:
            raise PermanentError(Code.VIM_NEIGHBOUR, error.message, remedy=error.remedy) from error

    def close(self) -> None:
        """End the connection."""
        self._client.close()

    def by_hand(self, host: Host) -> tuple[str, ...]:
        """Return a command that takes it back in every segment."""
        node = shlex.quote(host.node)
        segments = "openstack segment list -f value -c uuid"
        there = f'openstack segment host list "$segment" -f value -c name | grep -qxF -- {node}'
        back = f'openstack segment host update --on_maintenance False "$segment" {node}'
        return (f"for segment in $({segments}); do if {there}; then {back}; fi; done",)


def _set(api: Api, node: str, *, on_maintenance: bool) -> None:
    service = instance_ha_service(api)
    doing = f"{'set' if on_maintenance else 'take back'} on_maintenance of {node} in Masakari"
    for row in _hosts(service, node):
        if row["on_maintenance"] == on_maintenance:
            continue
        path = f"/segments/{row['failover_segment_id']}/hosts/{row['uuid']}"
        try:
            service.put(path, doing, {"host": {"on_maintenance": on_maintenance}})
        except PermanentError as error:
            if error.code is Code.CLD_NOT_FOUND:
                continue  # taken out of the segment meanwhile: it is not watched
            raise


def _hosts(service: Rest, node: str) -> list[Json]:
    """The host's row in each segment."""
    found: list[Json] = []
    for segment in _all(service, "/segments", "segments", "list the segments of Masakari"):
        rows = _all(service, f"/segments/{segment['uuid']}/hosts", "hosts", "list the hosts of a segment of Masakari")
        found += [row for row in rows if row["name"] == node]
    return found


def _all(service: Rest, path: str, key: str, doing: str) -> list[Json]:
    """Every item of a list. The service names no next page and may cut a list anywhere; its markers are rows' `id`."""
    found: list[Json] = []
    for _ in range(MAX_PAGES):
        rows = service.get(path, doing, {"marker": str(found[-1]["id"])} if found else None)[key]
        if not rows:
            return found
        found += rows
    raise PermanentError(Code.CLD_REFUSED, f"Cannot {doing}: the list does not end.")
