"""Values with something in every field, and texts that are awkward to store."""

from __future__ import annotations

from typing import Any

from escalator.model.backup import NodeBackup
from escalator.model.notice import AffectedResource, Notice, NoticeState, NoticeType, Reply
from escalator.model.progress import Condition, Event, NodeTask, Restoration, Rung, TaskState
from escalator.storage.port import CampaignRow, ImpactRow, NodeSlot, PlanRow

AWKWARD = "naïve 漢字 🚀 \u2028 \"double\" 'single' \\ % :name ? \n\t{}"
JSON: dict[str, Any] = {
    "text": AWKWARD,
    "none": None,
    "true": True,
    "int": -(2**53),
    "float": 0.1,
    "list": [1, [2, None], {}],
    "nested": {"": "", "å": [False]},
}


def campaign(name: str = "c1", **fields: Any) -> CampaignRow:
    return CampaignRow(**{"name": name, "document": JSON, "created_at": 1.5, **fields})


def plan(plan_id: str = "p1", **fields: Any) -> PlanRow:
    given = {
        "id": plan_id,
        "campaign": "c1",
        "parent": None,
        "digest": "d",
        "document": "{}",
        "inventory": "{}",
        "created_at": 1.0,
    }
    return PlanRow(**{**given, **fields})


def backup(backup_id: str = "bk-1", **fields: Any) -> NodeBackup:
    given = {
        "id": backup_id,
        "campaign": "c1",
        "node": "cn-1",
        "operation": "c1/cn-1/1/backup/p",
        "driver": "packages",
        "release": "r/1.0.0",
        "taken_at": 1.0,
        "scope": ("versions", "state"),
        "size_bytes": 2**40,
        "digest": "sha256:0",
        "location": "/var/lib/escalator/backups/x",
        "versions": {"p": "1"},
        "missing": ("q=1",),
        "content": JSON,
        "message": AWKWARD,
    }
    return NodeBackup(**{**given, **fields})


def event(action: str = "node.cordon", **fields: Any) -> Event:
    return Event(**{"at": 1.25, "action": action, **fields})


FULL_EVENT = event(
    campaign="c1",
    node="n1",
    object_id="vm-1",
    step="cordon",
    outcome="failed",
    code="ESC-CLD-001",
    message=AWKWARD,
    duration_s=0.125,
    data=JSON,
    by="anna",
)


def task(node: str = "n1", **fields: Any) -> NodeTask:
    return NodeTask(**{"campaign": "c1", "node": node, **fields})


FULL_TASK = task(
    attempt=2,
    wave=3,
    state=TaskState.FAILED,
    step="upgrade",
    ladder=(Condition(Rung.STAGED, True, 1.5, "because", AWKWARD), Condition(Rung.CORDONED, False, 2.5)),
    code="ESC-SYS-006",
    message=AWKWARD,
    updated_at=1234567890.123456,
)


def slot(node: str = "n1", **fields: Any) -> NodeSlot:
    return NodeSlot(**{"campaign": "c1", "node": node, "task": f"c1/{node}/1", "since": 1.0, **fields})


def impact(row_id: str = "i1", **fields: Any) -> ImpactRow:
    return ImpactRow(**{"id": row_id, "campaign": "c1", "node": "n1", "instance": "vm-1", "kind": "live", **fields})


def restoration(row_id: str = "r1", **fields: Any) -> Restoration:
    given = {
        "id": row_id,
        "campaign": "c1",
        "kind": "cordon",
        "object_id": "n1",
        "node": "n1",
        "found": JSON,
        "commands": ("openstack compute service set --enable n1 nova-compute", AWKWARD),
        "created_at": 1.0,
    }
    return Restoration(**{**given, **fields})


def notice(notice_id: str = "m1", **fields: Any) -> Notice:
    given = {
        "id": notice_id,
        "type": NoticeType.HOST_MAINTENANCE_UPCOMING,
        "vnfm": "v1",
        "campaign": "c1",
        "created_at": 1.0,
    }
    return Notice(**{**given, **fields})


REPLY = Reply(result="DEFER", until="2026-01-01T00:00:00Z", instances={"vm-1": "KEEP"}, reason=AWKWARD)
FULL_NOTICE = notice(
    node="n1",
    task="c1/n1/1",
    resources=(
        AffectedResource(
            resource_id="vm-1",
            resource_name=AWKWARD,
            project_id="p1",
            vnf_instance_id="amf-7",
            group_ids=("g1", "g2"),
            planned_action="live",
        ),
    ),
    allowed_actions=("MOVED", "KEEP"),
    reply_by=100.5,
    action_at=200.5,
    state=NoticeState.ANSWERED,
    attempts=2,
    next_attempt_at=3.5,
    delivered_at=4.5,
    answered_at=5.5,
    reply=REPLY,
    reply_token="unguessable",
    error_code="ESC-VIM-003",
    error=AWKWARD,
    details={"window": AWKWARD},
)
