"""A Fenix session as administrators look into it: how far it is, with each host and each instance that was asked about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from escalator.model.notice import AffectedResource, Notice, NoticeState, NoticeType
from escalator.model.progress import NodeTask, TaskState, percent_ended
from escalator.vim_interface.fenix.events import DONE, asked_as, fenix_time, session_id
from escalator.vim_interface.fenix.hints import Hint

_MOVED = frozenset({TaskState.DONE, TaskState.SKIPPED})


def detail(state: str, hint: Hint, campaign: str, tasks: Sequence[NodeTask], asked: Sequence[Notice]) -> dict[str, Any]:
    """Return what is shown; `asked` are the notices that ask its VNF managers, the newest first."""
    begins = {} if hint.begins_at is None else {"maintenance_at": fenix_time(hint.begins_at)}
    return {
        "session_id": session_id(campaign),
        "state": state,
        "percent_done": percent_ended(tasks),
        **begins,
        "metadata": dict(hint.metadata),
        "hosts": [_host(task) for task in tasks],
        "instances": list(_instances(asked, {task.node: task for task in tasks}).values()),
    }


def _host(task: NodeTask) -> dict[str, Any]:
    return {
        "hostname": task.node,
        "maintained": task.state is TaskState.DONE,
        "disabled": task.state in (TaskState.RUNNING, TaskState.HELD),
        "details": task.message,
    }


def _instances(asked: Sequence[Notice], tasks: Mapping[str, NodeTask]) -> dict[str, dict[str, Any]]:
    """By their ids; of what was asked about twice, the newest question counts."""
    found: dict[str, dict[str, Any]] = {}
    for notice in asked:
        if notice.type is NoticeType.HOST_MAINTENANCE_UPCOMING:
            turn = tasks.get(notice.node or "")
            over = turn is not None and turn.state in _MOVED
            for resource in notice.resources:
                found.setdefault(resource.resource_id, _instance(notice, resource, over=over))
    return found


def _instance(notice: Notice, resource: AffectedResource, *, over: bool) -> dict[str, Any]:
    return {
        "instance_id": resource.resource_id,
        "instance_name": resource.resource_name,
        "project_id": resource.project_id,
        "host": notice.node,
        "action": notice.reply.instances.get(resource.resource_id) if notice.reply is not None else None,
        "project_state": DONE if over else _said(notice, resource),
        "action_done": over,
    }


def _said(notice: Notice, resource: AffectedResource) -> str:
    """The last word: the reply, or what was asked while there is none."""
    state = asked_as(resource)
    if notice.state is NoticeState.ANSWERED and notice.reply is not None:
        return f"{'NACK' if notice.reply.result == 'NACK' else 'ACK'}_{state}"
    return state
