"""Maintenance sessions as administrators of OpenStack Fenix start them: campaigns made from the operator's templates.

A session names hosts and a time, and by its workflow a template. Everything else, limits and policies above all, is the
template's: whoever may start a session decides when and where, not how.
"""

from __future__ import annotations

import copy
import glob
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

from pydantic import ConfigDict, Field, StringConstraints

from escalator.model.campaign import load_campaign
from escalator.model.codes import Code
from escalator.model.document import Model, load, parse
from escalator.model.errors import ConditionsError, EscalatorError, InputError, NotFoundError, PermanentError, Problem
from escalator.model.progress import CampaignState, Event
from escalator.storage.port import CampaignRow
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.states import ACTIVE
from escalator.upgrade_manager.service import CampaignService
from escalator.vim_interface.fenix.events import session_id
from escalator.vim_interface.fenix.hints import METADATA, problem_of

PREFIX = "fenix-"
"""How the names of campaigns begin that are sessions."""
MEMO = "fenix-session"
"""What a campaign remembers of its session: whether it is `shown`, or `removed`."""
MAX_BYTES = 1024 * 1024
MAX_HOSTS = 20_000
HostName = Annotated[str, StringConstraints(min_length=1, max_length=255)]
DUMMY = "dummy"
"""The one plug-in that came with Fenix; it does nothing."""
_ROLES = {"host": None, "compute": "compute", "controller": "control"}
"""Types of actions on hosts, with the one role that a template has to select so that each host is of that type."""
_STOPPABLE = (CampaignState.RUNNING, CampaignState.PAUSED, CampaignState.SUSPENDED)


class SessionBody(Model):
    """Body of `POST /maintenance`. `state` and keys that other clients add are taken and mean nothing."""

    model_config = ConfigDict(extra="ignore")

    hosts: Annotated[tuple[HostName, ...], Field(max_length=MAX_HOSTS)] = ()
    maintenance_at: Annotated[str, StringConstraints(max_length=64)] | None = None
    workflow: str = "default"
    metadata: Mapping[str, Any] = Field(default_factory=dict)
    """Hints at new capabilities, which the session's events say."""
    download: Annotated[tuple[str, ...], Field(max_length=100)] = ()
    actions: Annotated[tuple[Mapping[str, Any], ...], Field(max_length=100)] = ()
    """Of these each has `plugin`, `type` and perhaps `metadata`."""


class BusyError(Exception):
    """Another campaign runs on this cloud."""


class Sessions:
    """The use cases. `templates` are files of campaign documents by the workflow that names them.

    `plugins` are the operator's commands by the action plug-ins in whose place they run.
    """

    def __init__(
        self, ctx: Context, campaigns: CampaignService, templates: Mapping[str, str], plugins: Mapping[str, str] | None = None
    ) -> None:
        self._ctx = ctx
        self._campaigns = campaigns
        self._templates = templates
        self._plugins = plugins or {}

    async def create(self, body: bytes) -> str:
        """Make a campaign of it, plan and start it; the id of the session.

        Raises BusyError while another campaign runs, InputError with all problems, ConditionsError when it cannot be done
        smoothly, and what planning and starting raise.
        """
        given = load(SessionBody, parse(body.strip() or b"{}"), code=Code.API_BODY)
        document = self._document(given)
        if any(row.state in ACTIVE for row in await self._ctx.store.campaigns.list()):
            raise BusyError
        name = str(document["metadata"]["name"])
        try:
            row = await self._campaigns.create(json.dumps(document, default=str))
        except NotFoundError as error:
            raise _unusable(given.workflow, error.message) from error
        plan = await self._campaigns.plan(row.name)
        known = {upgrade.node for upgrade in plan.upgrades} | {left.node for left in plan.totals.not_upgraded}
        missing = sorted(set(given.hosts) - known)
        if missing:
            message = f"The template selects no host {missing[0]}" + (f" and {len(missing) - 1} more." if missing[1:] else ".")
            raise ConditionsError(Code.VIM_SESSION, message)
        if given.metadata:
            await self._ctx.store.tasks.remember(row.name, METADATA, dict(given.metadata))
        await self._campaigns.start(row.name)
        await self._ctx.store.tasks.remember(row.name, MEMO, "shown")
        await self._tell(name, "started")
        return session_id(name)

    async def list(self) -> Sequence[str]:
        """Ids of the sessions that were not removed."""
        rows = await self._ctx.store.campaigns.list()
        return [session_id(row.name) for row in rows if await self._memo(row) == "shown"]

    async def gone(self, session: str) -> bool:
        """Whether the session was removed, and its campaign is over: nobody is told of it any more."""
        row = await self._find(session)
        return row is not None and row.state not in ACTIVE and await self._memo(row) == "removed"

    async def update(self, session: str) -> None:
        """Let a session go on that waits for a person. Raises NotFoundError."""
        row = await self._shown(session)
        if row.state in (CampaignState.PAUSED, CampaignState.SUSPENDED):
            await self._campaigns.resume(row.name)
            await self._tell(row.name, "resumed")

    async def remove(self, session: str) -> None:
        """Abort it if it runs, which puts its hosts back, and show it no more. Raises NotFoundError."""
        row = await self._shown(session)
        if row.state in _STOPPABLE:
            await self._campaigns.abort(row.name, "its Fenix session was removed")
        await self._ctx.store.tasks.remember(row.name, MEMO, "removed")
        await self._tell(row.name, "removed")

    def _document(self, given: SessionBody) -> dict[str, Any]:
        """The template with the session's name, hosts and time."""
        problems = [*_unsupported(given), *_unknown_actions(given, self._plugins)]
        file = self._templates.get(given.workflow)
        if file is None:
            known = ", ".join(sorted(self._templates))
            problems.append(Problem("workflow", f"there is no template for it; there are {known}"))
        starts, wrong = _starts(given.maintenance_at)
        problems += wrong
        if file is None or problems:
            raise InputError(Code.API_BODY, "The session is not valid.", problems=problems)
        document = _template(given.workflow, Path(file))
        document["metadata"]["name"] = f"{PREFIX}{uuid4().hex[:12]}"
        _add_hooks(document["spec"], given, self._plugins)
        if given.hosts:
            select = document["spec"]["scope"]["select"]
            _require_within(given.hosts, select.get("names", ()))
            select["names"] = [glob.escape(host) for host in given.hosts]
        if starts is not None and starts.timestamp() > self._ctx.clock.now():
            document["spec"]["not_before"] = starts.isoformat()
        return document

    async def _find(self, session: str) -> CampaignRow | None:
        return next((row for row in await self._ctx.store.campaigns.list() if session_id(row.name) == session), None)

    async def _shown(self, session: str) -> CampaignRow:
        row = await self._find(session)
        if row is None or await self._memo(row) != "shown":
            raise NotFoundError(Code.VIM_NOT_FOUND, "Invalid session")
        return row

    async def _memo(self, row: CampaignRow) -> str:
        if not row.name.startswith(PREFIX):
            return ""
        return str((await self._ctx.store.tasks.memo(row.name)).get(MEMO, ""))

    async def _tell(self, name: str, outcome: str) -> None:
        event = Event(
            at=self._ctx.clock.now(), action="fenix.session", campaign=name, object_id=session_id(name), outcome=outcome
        )
        await self._ctx.store.events.append((event,))


def _unsupported(given: SessionBody) -> list[Problem]:
    """What Fenix would do and Escalator does not: to leave it out without a word would be worse."""
    found = []
    if given.download:
        found.append(Problem("download", "nothing is downloaded; the template names a release"))
    unreadable = problem_of(given.metadata)
    if unreadable is not None:
        found.append(unreadable)
    return found


def _unknown_actions(given: SessionBody, plugins: Mapping[str, str]) -> Iterator[Problem]:
    """Actions for which the operator has set up no command, or that a command cannot stand for."""
    for number, action in enumerate(given.actions):
        plugin, kind, path = str(action.get("plugin", DUMMY)), str(action.get("type", "host")), f"actions[{number}]"
        if plugin == DUMMY:
            continue
        if plugin not in plugins:
            yield Problem(path, f"there is no plug-in {plugin!r} here; the template says what else is done on a host")
        elif kind not in _ROLES:
            yield Problem(path, f"actions of type {kind!r} are not supported yet; there are {', '.join(_ROLES)}")
        elif action.get("metadata"):
            yield Problem(path, "metadata for a plug-in is not supported yet")


def _add_hooks(spec: dict[str, Any], given: SessionBody, plugins: Mapping[str, str]) -> None:
    """Let the session's actions run in each host's turn: in Fenix's order, those of hosts at large before those of a type."""
    known = ((str(action.get("type", "host")), str(action.get("plugin", DUMMY))) for action in given.actions)
    named = [(kind, plugin) for kind, plugin in known if plugin != DUMMY]
    role = spec["scope"]["select"].get("role")
    strangers = [kind for kind, _ in named if _ROLES[kind] not in (None, role)]
    if strangers:
        message = f"the template does not select hosts of type {strangers[0]!r} alone"
        raise InputError(Code.API_BODY, "The session is not valid.", problems=[Problem("actions", message)])
    names = [plugins[plugin] for _, plugin in sorted(named, key=lambda one: (one[0] != "host", one[1]))]
    if names:
        hooks = spec.setdefault("node", {}).setdefault("hooks", {})
        hooks["maintenance"] = [*hooks.get("maintenance", ()), *names]


def _starts(text: str | None) -> tuple[datetime | None, list[Problem]]:
    """The moment before which nothing begins: UTC where no zone is given."""
    if not text:
        return None, []
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None, [Problem("maintenance_at", "a time such as 2027-03-01 01:00:00 is expected")]
    return (found.replace(tzinfo=UTC) if found.tzinfo is None else found), []


def _require_within(hosts: Sequence[str], patterns: Sequence[str]) -> None:
    beyond = [host for host in hosts if patterns and not any(fnmatchcase(host, pattern) for pattern in patterns)]
    if beyond:
        problem = Problem("hosts", f"{beyond[0]} is none that the template may select")
        raise InputError(Code.API_BODY, "The session is not valid.", problems=[problem])


def _template(workflow: str, file: Path) -> dict[str, Any]:
    """Read a template; what is wrong with it is the operator's business, not the caller's."""
    try:
        found = parse(file.read_bytes())
        load_campaign(found)
    except (OSError, EscalatorError) as error:
        raise _unusable(workflow, type(error).__name__) from error
    return copy.deepcopy(dict(found.data))


def _unusable(workflow: str, why: str) -> PermanentError:
    message = f"The template of workflow {workflow} cannot be used: {why.rstrip('.')}."
    return PermanentError(Code.VIM_SESSION, message, remedy="escalator campaign validate FILE")
