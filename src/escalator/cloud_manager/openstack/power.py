"""Stopping and starting instances: ask only. Blocking."""

from __future__ import annotations

from escalator.cloud_manager.openstack import reading
from escalator.cloud_manager.openstack.client import Api
from escalator.model.codes import Code
from escalator.model.errors import PermanentError


def stop(api: Api, server_id: str) -> None:
    """Ask the instance to stop; nothing happens when it is stopped or about to be."""
    _switch(api, server_id, "os-stop", "stopped", "powering-off")


def start(api: Api, server_id: str) -> None:
    """Ask the instance to start; nothing happens when it runs or is about to."""
    _switch(api, server_id, "os-start", "active", "powering-on")


def _switch(api: Api, server_id: str, action: str, wanted: str, under_way: str) -> None:
    server = reading.server(api, server_id)
    if server is None:
        raise PermanentError(Code.CLD_NOT_FOUND, f"Instance {server_id} does not exist any more.")
    if server["OS-EXT-STS:vm_state"] == wanted or server["OS-EXT-STS:task_state"] == under_way:
        return
    api.compute.post(f"/servers/{server_id}/action", f"{action.removeprefix('os-')} instance {server_id}", {action: None})
