"""What a VNF manager of OpenStack Fenix is sent: the event `maintenance.scheduled`, in AODH's body and without AODH.

Lists and mappings stand in traits as text that Python and YAML read alike, and no trait has more than 255 characters:
clients evaluate the one, and AODH has taught them to expect the other.

A client made for Fenix's workflow `vnf` is asked about each instance by itself, one for `default` about all that a project has on
the node.

An instance is asked about with `PLANNED_MAINTENANCE`; with `PREPARE_MAINTENANCE`, and without `OWN_ACTION`, where it is to go to
a host that is still to be maintained itself: there it finds nothing new, and will have to move once more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from escalator.model.codes import Code
from escalator.model.errors import PermanentError
from escalator.model.notice import AffectedResource, Notice, NoticeType, Vnfm
from escalator.vim_interface.fenix.hints import MAX_CHARACTERS, Hint, literal
from escalator.vim_interface.fenix.states import PLANNED, PREPARE, SCALE_IN
from escalator.vim_interface.notices import notice_id

PATH = "/fenix/v1"
EVENT_TYPE = "maintenance.scheduled"
ACTIONS = ("MIGRATE", "LIVE_MIGRATE", "OWN_ACTION")
DONE = "INSTANCE_ACTION_DONE"
_TEXT, _TIME = 1, 4
"""AODH's types of traits."""


def session_id(campaign: str) -> str:
    """Return the id under which Fenix clients know a campaign: a UUID, always the same."""
    return notice_id("fenix session", campaign)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    state: str
    project: str
    reply_url: str
    instances: str | tuple[str, ...]
    """A list, or the address of one."""
    actions: Sequence[str] = ()


def bodies(notice: Notice, vnfm: Vnfm, base_url: str, hint: Hint) -> list[dict[str, Any]]:
    """Return what is posted for a notice, one after the other; nothing for what Fenix has no word for.

    Raises PermanentError when an address becomes longer than clients can read.
    """
    return [_body(notice, said, hint) for said in _said(notice, vnfm, base_url)]


def payloads(notice: Notice, vnfm: Vnfm, base_url: str, hint: Hint) -> list[dict[str, Any]]:
    """Return the same events as Fenix itself puts them on the message bus."""
    return [_payload(notice, said, hint) for said in _said(notice, vnfm, base_url)]


def asked_as(resource: AffectedResource) -> str:
    """Return the state by which an instance is asked about."""
    return PREPARE if resource.interim else PLANNED


def _times(notice: Notice, hint: Hint) -> dict[str, str]:
    """Until when there is time to reply, and when something happens: of a session as a whole, when it begins."""
    found = {"reply_at": notice.reply_by, "actions_at": notice.action_at}
    if notice.type is NoticeType.MAINTENANCE_PLANNED:
        found = {"reply_at": hint.begins_at, "actions_at": hint.begins_at}
    return {name: fenix_time(seconds) for name, seconds in found.items() if seconds is not None}


def _payload(notice: Notice, said: _Said, hint: Hint) -> dict[str, Any]:
    return {
        "service": "fenix",
        "allowed_actions": list(said.actions),
        "instance_ids": said.instances if isinstance(said.instances, str) else list(said.instances),
        "reply_url": said.reply_url,
        "state": said.state,
        "session_id": session_id(notice.campaign),
        "project_id": said.project,
        **_times(notice, hint),
        "metadata": dict(hint.metadata),
    }


def _said(notice: Notice, vnfm: Vnfm, base_url: str) -> Iterator[_Said]:
    session = f"{base_url}{PATH}/maintenance/{session_id(notice.campaign)}"
    match notice.type:
        case NoticeType.MAINTENANCE_PLANNED:
            yield from _to_projects("MAINTENANCE", vnfm, session)
        case NoticeType.SCALE_IN_REQUESTED:
            yield from _to_projects(SCALE_IN, vnfm, session)
        case NoticeType.CAMPAIGN_COMPLETED | NoticeType.CAMPAIGN_ABORTED | NoticeType.SCALE_OUT_POSSIBLE:
            yield from _to_projects("MAINTENANCE_COMPLETE", vnfm, session)
        case NoticeType.HOST_MAINTENANCE_UPCOMING:
            yield from _together(notice, session) if vnfm.spec.workflow == "default" else _one_by_one(notice, session)
        case NoticeType.RESOURCE_ACTION_DONE | NoticeType.HOST_AVAILABLE:
            for resource in notice.resources:
                url = f"{session}/{resource.project_id}"
                yield _Said(state=DONE, project=resource.project_id, reply_url=url, instances=(resource.resource_id,))


def _one_by_one(notice: Notice, session: str) -> Iterator[_Said]:
    for resource in notice.resources:
        state, project = asked_as(resource), resource.project_id
        url = f"{session}/{project}/{resource.resource_id}/{notice.reply_token}"
        one = (resource.resource_id,)
        yield _Said(state=state, project=project, reply_url=url, instances=one, actions=_allowed(notice, state))


def _together(notice: Notice, session: str) -> Iterator[_Said]:
    """One event for each project: with one instance that goes to a host still to be maintained, it is about making room."""
    for project in dict.fromkeys(resource.project_id for resource in notice.resources):
        states = {asked_as(resource) for resource in notice.resources if resource.project_id == project}
        state = PREPARE if PREPARE in states else PLANNED
        url = f"{session}/{project}/{notice.reply_token}"
        yield _Said(state=state, project=project, reply_url=url, instances=url, actions=_allowed(notice, state))


def _allowed(notice: Notice, state: str) -> list[str]:
    return [a for a in ACTIONS if a in notice.allowed_actions and (state == PLANNED or a != "OWN_ACTION")]


def _to_projects(state: str, vnfm: Vnfm, session: str) -> Iterator[_Said]:
    for project in vnfm.spec.projects:
        yield _Said(state=state, project=project, reply_url=f"{session}/{project}", instances=f"{session}/{project}")


def _body(notice: Notice, said: _Said, hint: Hint) -> dict[str, Any]:
    instances = said.instances if isinstance(said.instances, str) else literal(said.instances)
    traits = [
        ["project_id", _TEXT, said.project],
        ["allowed_actions", _TEXT, literal(said.actions)],
        ["instance_ids", _TEXT, instances],
        ["reply_url", _TEXT, said.reply_url],
        ["state", _TEXT, said.state],
        ["session_id", _TEXT, session_id(notice.campaign)],
        ["metadata", _TEXT, literal(hint.metadata)],
        *([name, _TIME, moment] for name, moment in _times(notice, hint).items()),
    ]
    for name, _, value in traits:
        if len(str(value)) > MAX_CHARACTERS:
            message = f"The {name} of the event would have {len(str(value))} characters; {MAX_CHARACTERS} can be read."
            raise PermanentError(Code.VIM_REGISTRATION, message, remedy="Set a shorter vnfm.public_url.")
    event = {
        "message_id": notice_id("fenix event", notice.id, instances, said.state),
        "event_type": EVENT_TYPE,
        "generated": fenix_time(notice.created_at),
        "traits": traits,
        "raw": {},
    }
    return {
        "alarm_name": f"escalator_{said.project}",
        "alarm_id": notice.id,
        "severity": "low",
        "previous": "insufficient data",
        "current": "alarm",
        "reason": f"Event {EVENT_TYPE} of campaign {notice.campaign}",
        "reason_data": {"type": "event", "event": event},
    }


def fenix_time(seconds: float) -> str:
    """Return UTC without a zone, as Fenix writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
