"""Making notices: pure functions from what the Upgrade Manager says to rows of the outbox.

Ids follow from what a notice is about, so that saying the same thing twice makes the same notice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal
from uuid import UUID, uuid5

from escalator.model.codes import Code
from escalator.model.inventory import Instance
from escalator.model.notice import AffectedResource, Disposition, Notice, NoticeState, NoticeType
from escalator.vim_interface.parts import Part
from escalator.vim_interface.port import Answer, Ask

_IDS = UUID("6f1c2f7e-5a0b-4f0e-9d53-5b8f4a1c9e10")
"""Name space of notice ids. A different one would make every notice anew."""


_STATES: Mapping[NoticeState, Literal["open", "answered", "silent", "undeliverable", "cancelled"]] = {
    NoticeState.PENDING: "open",
    NoticeState.DELIVERED: "open",
    NoticeState.ANSWERED: "answered",
    NoticeState.SILENT: "silent",
    NoticeState.UNDELIVERABLE: "undeliverable",
    NoticeState.CANCELLED: "cancelled",
}


def notice_id(*parts: str) -> str:
    """Return the id of a notice about these things; no two lists of parts share one."""
    return str(uuid5(_IDS, "\n".join(f"{len(part)}:{part}" for part in parts)))


def asking(ask: Ask, owners: Mapping[str, str], now: float, new_token: Callable[[], str]) -> tuple[Notice, ...]:
    """Make one notice per VNF manager that owns instances of the ask, in order of name."""
    by_vnfm: dict[str, list[Instance]] = {}
    for instance in ask.instances:
        if instance.id in owners:
            by_vnfm.setdefault(owners[instance.id], []).append(instance)
    return tuple(_asking_one(ask, vnfm, by_vnfm[vnfm], now, new_token()) for vnfm in sorted(by_vnfm))


def _asking_one(ask: Ask, vnfm: str, instances: Sequence[Instance], now: float, token: str) -> Notice:
    resources = tuple(_resource(ask, instance) for instance in instances)
    return Notice(
        id=notice_id("ask", ask.task, vnfm),
        type=ask.kind,
        vnfm=vnfm,
        campaign=ask.campaign,
        node=ask.node,
        task=ask.task,
        resources=resources,
        allowed_actions=_allowed(instances) if ask.kind is NoticeType.HOST_MAINTENANCE_UPCOMING else (),
        created_at=now,
        reply_by=ask.reply_by,
        action_at=_action_at(ask, instances, now),
        next_attempt_at=now,
        reply_token=token,
        details=ask.details,
    )


def _action_at(ask: Ask, instances: Sequence[Instance], now: float) -> float:
    """Nothing happens to an instance before its lead time has passed."""
    if ask.kind is not NoticeType.HOST_MAINTENANCE_UPCOMING:
        return ask.action_at
    return max(ask.action_at, now + max(instance.lead_s for instance in instances))


def _allowed(instances: Sequence[Instance]) -> tuple[Disposition, ...]:
    """What the VNF manager may ask for: a migration only where at least one of its instances is able to."""
    kinds = {instance.migration for instance in instances}
    cold: tuple[Disposition, ...] = ("MIGRATE",) if kinds - {"none"} else ()
    live: tuple[Disposition, ...] = ("LIVE_MIGRATE",) if "live" in kinds else ()
    return ("MOVED", "KEEP", "OWN_ACTION", *cold, *live)


def affected(instance: Instance, planned_action: str) -> AffectedResource:
    """Return the entry of an instance in a notice."""
    return AffectedResource(
        resource_id=instance.id,
        resource_name=instance.name,
        project_id=instance.project,
        vnf_instance_id=instance.vnf,
        group_ids=instance.groups,
        planned_action=planned_action,
    )


def _resource(ask: Ask, instance: Instance) -> AffectedResource:
    expected_s = ask.interruptions.get(instance.id) if instance.max_interruption_s is not None else None
    more = {
        "expected_interruption": expected_s,
        "impact": None if expected_s is None else instance.notices(expected_s),
        "interim": True if instance.id in ask.interim else None,
    }
    return affected(instance, ask.planned.get(instance.id, "in-place")).model_copy(update=more)


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What is said without asking; `key` tells two of a kind apart."""

    kind: NoticeType
    campaign: str
    node: str | None
    key: str
    resources: Mapping[str, Sequence[AffectedResource]]
    """Instances that it is about, by VNF manager."""
    details: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """More about it in words, by VNF manager."""


def telling(what: Telling, vnfm: str, now: float) -> Notice:
    """Make a notice that needs no answer."""
    return Notice(
        id=notice_id("tell", what.kind.value, what.campaign, what.node or "", what.key, vnfm),
        type=what.kind,
        vnfm=vnfm,
        campaign=what.campaign,
        node=what.node,
        created_at=now,
        next_attempt_at=now,
        resources=tuple(what.resources.get(vnfm, ())),
        details=what.details.get(vnfm, {}),
    )


def cancelling(notice: Notice, now: float) -> Notice:
    """Make the notice that withdraws `notice`."""
    return Notice(
        id=notice_id("cancel", notice.id),
        type=NoticeType.NOTICE_CANCELLED,
        vnfm=notice.vnfm,
        campaign=notice.campaign,
        node=notice.node,
        resources=notice.resources,
        created_at=now,
        next_attempt_at=now,
        details={"notice": notice.id},
    )


def answer_of(notice: Notice, until: float | None, parts: Mapping[str, Part] = MappingProxyType({})) -> Answer:
    """Show where the answer to an asking notice stands. What was said before a deferral no longer counts.

    `parts` are what was said about single instances of a notice that ended without an answer about all.
    """
    reply = notice.reply if notice.state is NoticeState.ANSWERED else None
    said = {about: part.action for about, part in parts.items() if part.action is not None}
    instances = tuple(resource.resource_id for resource in notice.resources)
    # One that was withdrawn with its VNF manager's registration is one that reaches nobody.
    gone = notice.error_code == Code.VIM_NOT_FOUND.value and notice.state in (NoticeState.UNDELIVERABLE, NoticeState.CANCELLED)
    return Answer(
        vnfm=notice.vnfm,
        notice=notice.id,
        state="undeliverable" if gone else _STATES[notice.state],
        result=reply.result if reply else None,
        until=until if reply else None,
        reason=(reply.reason or "") if reply else "",
        instances=instances,
        asked_at=notice.created_at,
        action_at=notice.action_at,
        dispositions=dict(reply.instances) if reply else said,
        heard=tuple(i for i in instances if i in parts),
        error=f"{notice.error_code}: {notice.error}" if notice.error_code else "",
        gone=gone,
    )
