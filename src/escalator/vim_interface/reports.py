"""What orchestrators are told, as it goes over the wire: facts become notices of the outbox, and those become messages.

The element of a changed resource is that of ETSI GS NFV-IFA 005 (`VirtualisedResourceChangeNotification`); that document has no
REST binding, so that everything else is a profile of our own in the style of the NFV-SOL interfaces.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from escalator.model.notice import Notice, NoticeType
from escalator.vim_interface.facts import (
    CapacityReturned,
    CapacityTaken,
    Fact,
    Moved,
    PlannedWindow,
    StateChange,
    Switched,
    Windows,
)
from escalator.vim_interface.notices import notice_id
from escalator.vim_interface.times import to_rfc3339

API_VERSION = "1.0.0"
"""Sent as the `Version` header with every message."""
SUBSCRIPTIONS = "/or-vi/v1/subscriptions"
REPORT = "report"
"""The detail of a notice that holds what is told, as JSON."""
PERCENT = "percentDone"
"""The member of a report that says which share of the campaign's nodes had its turn."""
MIGRATED, STOPPED, STARTED = "MIGRATED", "STOPPED", "STARTED"
"""Every `changeType` that there is."""
_MIGRATIONS = {"live": "live_migration", "cold": "offline_migration"}
"""Words of `NfviMaintenanceInfo` (ETSI GS NFV-SOL 001): orchestrators know them from VNF descriptors."""


class Report(NamedTuple):
    """A fact in the words of the wire; `key` tells two of a kind about one node apart."""

    kind: NoticeType
    campaign: str
    node: str | None
    key: str
    content: Mapping[str, Any]


def report_of(fact: Fact) -> Report:
    """Put a fact into words."""
    match fact:
        case Windows():
            windows = [_window(window) for window in fact.windows]
            return Report(NoticeType.WINDOWS, fact.campaign, None, fact.plan, {"planId": fact.plan, "windows": windows})
        case CapacityTaken():
            return Report(NoticeType.CAPACITY_TAKEN, fact.campaign, fact.node, fact.hold, _capacity(fact))
        case CapacityReturned():
            return Report(NoticeType.CAPACITY_RETURNED, fact.campaign, fact.node, fact.hold, _returned(fact))
        case Moved():
            return Report(NoticeType.RESOURCE_CHANGE, fact.campaign, fact.origin, fact.move, _moved(fact))
        case Switched():
            key = f"{fact.stop}/{STARTED if fact.running else STOPPED}"
            return Report(NoticeType.RESOURCE_CHANGE, fact.campaign, fact.node, key, _switched(fact, key))
        case StateChange():
            return _state(fact)


def before(fact: Fact) -> Report | None:
    """Return what has to have been told before: the beginning of what the fact is the end of; None where it is no end."""
    match fact:
        case CapacityReturned():
            return report_of(CapacityTaken(campaign=fact.campaign, node=fact.node, hold=fact.hold))
        case Switched(running=True):
            return report_of(replace(fact, running=False))
        case _:
            return None


def id_of(report: Report, orchestrator: str) -> str:
    """Return the id of the notice to one orchestrator: the same whenever the same fact is told again."""
    return notice_id("report", report.kind.value, report.campaign, report.node or "", report.key, orchestrator)


def noticed(report: Report, orchestrators: Sequence[str], made_at: float, due_at: float) -> tuple[Notice, ...]:
    """Make one notice for each orchestrator."""
    text = json.dumps(report.content, separators=(",", ":"))
    return tuple(
        Notice(
            id=id_of(report, name),
            type=report.kind,
            vnfm=name,
            campaign=report.campaign,
            node=report.node,
            created_at=made_at,
            next_attempt_at=due_at,
            details={REPORT: text},
        )
        for name in orchestrators
    )


def message(notice: Notice, vim_id: str, base_url: str) -> dict[str, Any]:
    """Return the message of a notice. `vim_id` names the cloud; `base_url` is where orchestrators reach Escalator."""
    return {
        "id": notice.id,
        "notificationType": notice.type.value,
        "subscriptionId": notice.vnfm,
        "timeStamp": to_rfc3339(notice.created_at),
        "vimId": vim_id,
        "campaignId": notice.campaign,
        **(told(notice) or {}),
        "_links": {"subscription": {"href": subscription_uri(base_url, notice.vnfm)}},
    }


def told(notice: Notice) -> dict[str, Any] | None:
    """Return what a notice tells an orchestrator; None when it is for a VNF manager."""
    text = notice.details.get(REPORT)
    found: dict[str, Any] | None = None if text is None else json.loads(text)
    return found


def subscription_uri(base_url: str, orchestrator: str) -> str:
    """Where an orchestrator sees that it is registered."""
    return f"{base_url}{SUBSCRIPTIONS}/{orchestrator}"


def _window(window: PlannedWindow) -> dict[str, Any]:
    nodes = [
        {"hostId": planned.node, "plannedStart": to_rfc3339(planned.start), "plannedEnd": to_rfc3339(planned.end)}
        for planned in window.nodes
    ]
    end = {} if window.end is None else {"endTime": to_rfc3339(window.end)}
    return {"startTime": to_rfc3339(window.start), **end, "hosts": nodes}


def _capacity(fact: CapacityTaken | CapacityReturned) -> dict[str, Any]:
    zone = {} if fact.zone is None else {"zoneId": fact.zone}
    return {"occurrenceId": fact.hold, "hostId": fact.node, **zone, "capacity": dict(fact.capacity)}


def _returned(fact: CapacityReturned) -> dict[str, Any]:
    known = {} if fact.upgraded is None else {"upgraded": fact.upgraded}
    versions = {"versions": dict(fact.versions)} if fact.versions else {}
    reason = {"reason": fact.reason} if fact.reason else {}
    return {**_capacity(fact), "inService": fact.in_service, **known, **versions, **reason, **_percent(fact)}


def _percent(fact: CapacityReturned | StateChange) -> dict[str, Any]:
    return {} if fact.percent is None else {PERCENT: fact.percent}


def _moved(fact: Moved) -> dict[str, Any]:
    data = {
        "previousHostId": fact.origin,
        "hostId": fact.target,
        "migrationType": _MIGRATIONS[fact.kind],
        "operational": fact.healthy,
    }
    return _change(fact.move, fact.instance, MIGRATED, data)


def _switched(fact: Switched, key: str) -> dict[str, Any]:
    data = {"hostId": fact.node, "operational": fact.running}
    return _change(key, fact.instance, STARTED if fact.running else STOPPED, data)


def _change(key: str, instance: str, kind: str, data: Mapping[str, Any]) -> dict[str, Any]:
    # To whichever orchestrator: it is the same change.
    change = notice_id("change", key)
    return {"changeId": change, "virtualisedResourceId": instance, "changeType": kind, "changedResourceData": dict(data)}


def _state(fact: StateChange) -> Report:
    reason = {"reason": fact.reason} if fact.reason else {}
    key = f"{fact.number}/{fact.state}"
    return Report(NoticeType.CAMPAIGN_STATE, fact.campaign, None, key, {"campaignState": fact.state, **reason, **_percent(fact)})
