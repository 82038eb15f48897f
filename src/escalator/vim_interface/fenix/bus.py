"""What Fenix says on OpenStack's message bus: events for projects and for administrators, in oslo.messaging's envelope.

Events for projects follow the notices to VNF managers made for Fenix; those for administrators, what orchestrators are told.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from escalator.model.notice import Notice, NoticeType, Vnfm
from escalator.model.progress import CampaignState
from escalator.vim_interface.fenix.events import EVENT_TYPE, payloads, session_id
from escalator.vim_interface.fenix.hints import Hint
from escalator.vim_interface.fenix.states import PLANNED, session_state
from escalator.vim_interface.notices import notice_id
from escalator.vim_interface.reports import PERCENT, told

HOST_EVENT = "maintenance.host"
SESSION_EVENT = "maintenance.session"
PUBLISHER = "fenix"
PRIORITY = "INFO"
OF = "of"
"""The detail of a notice to the bus that names the notice to a VNF manager which it repeats."""
_HOST_STATES = {NoticeType.CAPACITY_TAKEN: "IN_MAINTENANCE", NoticeType.CAPACITY_RETURNED: "MAINTENANCE_COMPLETE"}


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the bus. Said again it has the same id."""

    id: str
    body: bytes


def repeating(notices: Sequence[Notice], fenix: Collection[str], bus: str) -> list[Notice]:
    """Return the notices by which the bus hears what VNF managers made for Fenix (`fenix`, by name) are told."""
    return [
        Notice(
            id=notice_id("bus", notice.id),
            type=NoticeType.PROJECT_EVENT,
            vnfm=bus,
            campaign=notice.campaign,
            node=notice.node,
            created_at=notice.created_at,
            next_attempt_at=notice.next_attempt_at,
            details={OF: notice.id},
        )
        for notice in notices
        if notice.vnfm in fenix and notice.type is not NoticeType.NOTICE_CANCELLED
    ]


def for_projects(notice: Notice, vnfm: Vnfm, base_url: str, hint: Hint) -> list[Message]:
    """Return the messages for a notice to a VNF manager; raises PermanentError as its own events do."""
    return [_message(EVENT_TYPE, payload, notice) for payload in payloads(notice, vnfm, base_url, hint)]


def for_administrators(notice: Notice, project: str | None) -> list[Message]:
    """Return the messages for something that orchestrators are told; nothing for what Fenix has no word for."""
    owner = {} if project is None else {"project_id": project}
    return [_message(event, {"service": PUBLISHER, **payload, **owner}, notice) for event, payload in _administrative(notice)]


def _administrative(notice: Notice) -> Iterator[tuple[str, dict[str, Any]]]:
    session = session_id(notice.campaign)
    if notice.type in _HOST_STATES and notice.node is not None:
        yield HOST_EVENT, {"state": _HOST_STATES[notice.type], "session_id": session, "host": notice.node}
        percent = _percent(notice)
        if percent:
            yield SESSION_EVENT, {"state": PLANNED, "session_id": session, **percent}
    elif notice.type is NoticeType.CAMPAIGN_STATE:
        state = CampaignState((told(notice) or {})["campaignState"])
        yield SESSION_EVENT, {"state": session_state(state), "session_id": session, **_percent(notice)}


def _percent(notice: Notice) -> dict[str, int]:
    """How much of the session is over, where that is known."""
    found = (told(notice) or {}).get(PERCENT)
    return {} if found is None else {"percent_done": int(found)}


def _message(event_type: str, payload: Mapping[str, Any], notice: Notice) -> Message:
    made_at = datetime.fromtimestamp(notice.created_at, UTC).replace(tzinfo=None)
    identity = notice_id("bus message", notice.id, event_type, json.dumps(payload, sort_keys=True))
    inner = {
        "message_id": identity,
        # By this listeners of oslo.messaging know what they have heard already.
        "_unique_id": identity.replace("-", ""),
        "publisher_id": PUBLISHER,
        "event_type": event_type,
        "priority": PRIORITY,
        "payload": dict(payload),
        "timestamp": made_at.isoformat(sep=" ", timespec="microseconds"),
    }
    return Message(identity, json.dumps({"oslo.version": "2.0", "oslo.message": json.dumps(inner)}).encode())
