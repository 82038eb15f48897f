"""Moves: ask for one, confirm, revert or abort it. Blocking; where a move stands is judged in `move_state`."""

from __future__ import annotations

from escalator.cloud_manager.openstack import move_state, reading
from escalator.cloud_manager.openstack.client import NOVA_SYNC, Api, Json
from escalator.cloud_manager.port import MoveOrder, MoveState, MoveStatus
from escalator.model.codes import Code
from escalator.model.errors import PermanentError, TemporaryError

_MOVABLE = {"live": ("active", "paused"), "cold": ("active", "stopped")}
_ABORTABLE = ("queued", "preparing", "running")
_ACTIONS = {"live": "live-migration", "cold": "migrate"}
_UNFIT = (Code.CLD_REFUSED, Code.CLD_NO_VALID_HOST)


def start(api: Api, order: MoveOrder, *, forced: bool = False) -> None:
    """Ask for the move unless it is under way or done; `forced` asks no scheduler whether the target may take it."""
    server = reading.server(api, order.instance)
    if server is None:
        raise PermanentError(Code.CLD_NOT_FOUND, f"Instance {order.instance} does not exist any more.")
    record = _newest_record(api, order.instance)
    standing = move_state.judge(order, server, record)
    if standing.state in (MoveState.RUNNING, MoveState.CONFIRM, MoveState.DONE):
        return
    _check_movable(order, server)
    if order.kind == "cold":
        _check_target(api, order)
    _ask(api, order, forced=forced)


def status(api: Api, order: MoveOrder) -> MoveStatus:
    """Where the move stands."""
    server = reading.server(api, order.instance)
    # Read after the server: a record that ends between the two reads is then seen as ended with the server not yet at rest.
    record = _newest_record(api, order.instance)
    found = move_state.judge(order, server, record)
    match found.state:
        case MoveState.RUNNING if order.kind == "live":
            return move_state.with_progress(found, _under_way(api, order))
        case MoveState.CONFIRM:
            return move_state.with_power(found, server or {}, _actions(api, order.instance))
        case MoveState.FAILED:
            return move_state.with_cause(found, _cause(api, order))
    return found


def confirm(api: Api, order: MoveOrder) -> None:
    """Keep the instance on the target; nothing happens when that is done or under way."""
    if _waits(api, order):
        api.compute.post(f"/servers/{order.instance}/action", f"confirm the move of {order.instance}", {"confirmResize": None})


def revert(api: Api, order: MoveOrder) -> None:
    """Take the instance back to the origin; nothing happens when that is done or under way."""
    if _waits(api, order):
        api.compute.post(f"/servers/{order.instance}/action", f"revert the move of {order.instance}", {"revertResize": None})


def abort(api: Api, order: MoveOrder) -> None:
    """Abort the live move that is under way. Raises TemporaryError while it is too early or too late for that."""
    row = _under_way(api, order)
    if row is None or order.kind != "live":
        return
    doing = f"abort the move of {order.instance}"
    if row["status"] not in _ABORTABLE:
        raise TemporaryError(Code.CLD_BUSY, f"Cannot {doing} now: the migration is {row['status']}.")
    try:
        api.compute.delete(f"/servers/{order.instance}/migrations/{row['id']}", doing)
    except PermanentError as error:
        # It ended or went on between the two calls: its status says how.
        if error.code not in (Code.CLD_REFUSED, Code.CLD_NOT_FOUND):
            raise
        raise TemporaryError(Code.CLD_BUSY, f"Cannot {doing} now: it has just changed its state.") from error


def _waits(api: Api, order: MoveOrder) -> bool:
    server = reading.server(api, order.instance)
    return move_state.judge(order, server, _newest_record(api, order.instance)).state is MoveState.CONFIRM


def _ask(api: Api, order: MoveOrder, *, forced: bool) -> None:
    path, doing = f"/servers/{order.instance}/action", f"move {order.instance} to {order.target}"
    try:
        if order.kind == "live":
            wish = {"host": order.target, "block_migration": "auto", **({"force": True} if forced else {})}
            api.compute.at(NOVA_SYNC).post(path, doing, {"os-migrateLive": wish})
        else:
            api.compute.post(path, doing, {"migrate": {"host": order.target}})
    except PermanentError as error:
        if error.code not in _UNFIT:
            raise
        raise PermanentError(Code.CLD_NO_VALID_HOST, error.message, remedy="Choose another target.") from error


def _check_movable(order: MoveOrder, server: Json) -> None:
    name, host = f"Instance {order.instance}", server["OS-EXT-SRV-ATTR:host"]
    task, vm_state = server["OS-EXT-STS:task_state"], server["OS-EXT-STS:vm_state"]
    if task is not None:
        raise TemporaryError(Code.CLD_BUSY, f"{name} is busy: {task}.")
    if host != order.origin:
        raise PermanentError(Code.CLD_REFUSED, f"{name} is on {host}, not on {order.origin}.")
    if vm_state not in _MOVABLE[order.kind]:
        raise PermanentError(Code.CLD_REFUSED, f"{name} is {vm_state}: no {order.kind} move.")


def _check_target(api: Api, order: MoveOrder) -> None:
    """A cold move to an unfit node is accepted and fails later without a reason, so the plain cases are told here."""
    try:
        why = _unfit(reading.service(api, order.target))
    except PermanentError as error:
        if error.code is not Code.CLD_NOT_FOUND:
            raise
        why = "it has no compute service"
    if why is not None:
        message = f"Node {order.target} cannot take instance {order.instance}: {why}."
        raise PermanentError(Code.CLD_NO_VALID_HOST, message, remedy="Choose another target.")


def _unfit(service: Json) -> str | None:
    if service["status"] != "enabled":
        return "it is disabled"
    return None if service["state"] == "up" and not service["forced_down"] else "it is down"


def _newest_record(api: Api, server_id: str) -> Json | None:
    doing = f"list the migrations of {server_id}"
    rows = api.compute.pages("/os-migrations", "migrations", doing, {"instance_uuid": server_id})
    return max(rows, key=lambda row: (row["created_at"], row["id"]), default=None)


def _under_way(api: Api, order: MoveOrder) -> Json | None:
    doing = f"read the migrations under way of {order.instance}"
    body = api.compute.find(f"/servers/{order.instance}/migrations", doing)
    rows = body["migrations"] if body is not None else []
    ours = (r for r in rows if r["source_compute"] == order.origin and r["dest_compute"] in (order.target, None))
    return next(ours, None)


def _actions(api: Api, server_id: str) -> list[Json]:
    """What was done with the server, newest first."""
    body = api.compute.find(f"/servers/{server_id}/os-instance-actions", f"read the history of {server_id}")
    return body["instanceActions"] if body is not None else []


def _cause(api: Api, order: MoveOrder) -> str:
    """What Nova wrote down about the failure of the newest such action."""
    row = next((a for a in _actions(api, order.instance) if a["action"] == _ACTIONS[order.kind]), None)
    if row is None:
        return ""
    doing = f"read the history of {order.instance}"
    body = api.compute.find(f"/servers/{order.instance}/os-instance-actions/{row['request_id']}", doing)
    events = body["instanceAction"]["events"] if body is not None else []
    return next((event["details"] for event in events if event.get("details")), "")
