"""Where a move stands, from the server and the newest record of its migrations: pure.

Neither is enough alone. A live-migrated server is active on the target while its record still says `running`; a record may
be the one of an earlier move.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from escalator.cloud_manager.openstack.refusals import shorten
from escalator.cloud_manager.port import MoveOrder, MoveState, MoveStatus

Json = Mapping[str, Any]

_KINDS = {"live": ("live-migration",), "cold": ("migration",)}
_TASKS = {"live": ("migrating",), "cold": ("resize_prep", "resize_migrating", "resize_migrated", "resize_finish")}
_BROKEN = ("failed", "error", "cancelled")
_ENDED = (*_BROKEN, "completed", "confirmed", "reverted", "done")
_POWER_ACTIONS = ("create", "start", "stop", "reboot", "rebuild", "unshelve", "resume", "restore", "evacuate")
_RUNNING, _SHUTDOWN = 1, 4
"""Nova's numbers of power states."""


def judge(order: MoveOrder, server: Json | None, record: Json | None) -> MoveStatus:
    """State, place and health of the move."""
    if server is None:
        return MoveStatus(MoveState.LOST, None, healthy=False, message="the instance does not exist any more")
    if record is None or not _belongs(record, order):
        return _without_record(order, server, others=record is not None and record["status"] not in _ENDED)
    return _live(order, server, record) if order.kind == "live" else _cold(order, server, record)


def _belongs(record: Json, order: MoveOrder) -> bool:
    # A move that the scheduler refused has a record without a destination.
    return (
        record["migration_type"] in _KINDS[order.kind]
        and record["source_compute"] == order.origin
        and record["dest_compute"] in (order.target, None)
    )


def _without_record(order: MoveOrder, server: Json, *, others: bool) -> MoveStatus:
    host, task = server["OS-EXT-SRV-ATTR:host"], server["OS-EXT-STS:task_state"]
    # The task is set before the record is made; with someone else's move under way it is theirs.
    if task in _TASKS[order.kind] and not others:
        return MoveStatus(MoveState.RUNNING, host)
    at_rest = task is None and server["OS-EXT-STS:vm_state"] != "resized"
    if host == order.target and at_rest:
        return MoveStatus(MoveState.DONE, host, healthy=_sound(server))
    return MoveStatus(MoveState.NONE, host, healthy=_sound(server))


def _live(order: MoveOrder, server: Json, record: Json) -> MoveStatus:
    host, task = server["OS-EXT-SRV-ATTR:host"], server["OS-EXT-STS:task_state"]
    status, healthy = record["status"], _sound(server)
    if status in _BROKEN and task is None:
        if host == order.target:
            return MoveStatus(MoveState.DONE, host, healthy=False, message=f"it arrived, but the migration is {status}")
        return MoveStatus(MoveState.FAILED, host, healthy, f"the migration is {status}")
    if status == "completed" and task is None:
        return MoveStatus(
            MoveState.DONE if host == order.target else MoveState.NONE, host, healthy, "" if healthy else _fault(server)
        )
    if server["OS-EXT-STS:vm_state"] == "error" and task is None:
        # The server may break before its record ends: where it is decides, so the answer does not change when the record does.
        state = MoveState.DONE if host == order.target else MoveState.FAILED
        return MoveStatus(state, host, healthy=False, message=_fault(server))
    return MoveStatus(MoveState.RUNNING, host, healthy, _silence(server))


def _cold(order: MoveOrder, server: Json, record: Json) -> MoveStatus:  # noqa: PLR0911 -- a table of cases
    host, task = server["OS-EXT-SRV-ATTR:host"], server["OS-EXT-STS:task_state"]
    status, vm_state, healthy = record["status"], server["OS-EXT-STS:vm_state"], _sound(server)
    if task is not None:
        return MoveStatus(MoveState.RUNNING, host, healthy, _silence(server))
    if vm_state == "error":
        return MoveStatus(MoveState.FAILED, host, healthy=False, message=_fault(server))
    if status == "finished" and vm_state == "resized":
        return MoveStatus(MoveState.CONFIRM, host)
    # The record ends before the server does.
    if status == "confirmed" and vm_state != "resized":
        return MoveStatus(MoveState.DONE if host == order.target else MoveState.NONE, host, healthy)
    if status == "reverted" and vm_state != "resized":
        return MoveStatus(MoveState.FAILED, host, healthy, "the move was reverted")
    if status in _BROKEN:
        return MoveStatus(MoveState.FAILED, host, healthy, f"the migration is {status}")
    return MoveStatus(MoveState.RUNNING, host, healthy, _silence(server))


def with_progress(found: MoveStatus, under_way: Json | None) -> MoveStatus:
    """With the share of memory that is copied, percent."""
    total = (under_way or {}).get("memory_total_bytes")
    if not total or under_way is None:
        return found
    return replace(found, progress=round(100.0 * (under_way.get("memory_processed_bytes") or 0) / total, 1))


def with_power(found: MoveStatus, server: Json, actions: Sequence[Json]) -> MoveStatus:
    """With the health of an instance that waits for confirm: it runs, or is off because it was stopped before."""
    last = next((action["action"] for action in actions if action["action"] in _POWER_ACTIONS), "create")
    wanted = _SHUTDOWN if last == "stop" else _RUNNING
    if server.get("OS-EXT-STS:power_state") == wanted:
        return found
    return replace(found, healthy=False, message="on the target its power state is not what it was on the origin")


def with_cause(found: MoveStatus, cause: str) -> MoveStatus:
    """With what the cloud wrote down about a failure."""
    return replace(found, message=f"{found.message}: {shorten(cause)}") if cause else found


def _sound(server: Json) -> bool:
    return server["OS-EXT-STS:vm_state"] in ("active", "paused", "stopped", "resized")


def _fault(server: Json) -> str:
    text = (server.get("fault") or {}).get("message", "")
    state = f"the instance is in state {server['OS-EXT-STS:vm_state']}"
    return f"{state}: {shorten(text)}" if text else state


def _silence(server: Json) -> str:
    silent = server.get("host_status") in ("DOWN", "UNKNOWN")
    return f"the compute service of {server['OS-EXT-SRV-ATTR:host']} is silent" if silent else ""
