"""Maintenance sessions as administrators of OpenStack Fenix start them: campaigns made from the operator's templates.

A session names hosts and a time, and by its workflow a template. Everything else, limits and policies above all, is the
template's: whoever may start a session decides when and where, not how.
"""

from __future__ import annotations

import copy
import glob
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

from pydantic import ConfigDict, Field, StringConstraints

from escalator.model.campaign import load_campaign
from escalator.model.codes import Code
from escalator.model.document import Model, load, parse, parse_json
from escalator.model.errors import (
    ConditionsError,
    ConflictError,
    EscalatorError,
    InputError,
    NotFoundError,
    PermanentError,
    Problem,
)
from escalator.model.progress import CampaignState, Event
from escalator.storage.port import CampaignRow
from escalator.upgrade_manager.drafts import NOT_STARTED, remove
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.named import METADATA as HOOK_METADATA
from escalator.upgrade_manager.engine.states import ACTIVE
from escalator.upgrade_manager.service import CampaignService
from escalator.upgrade_manager.session_actions import Action, add_hooks, read_actions
from escalator.vim_interface.fenix.events import session_id
from escalator.vim_interface.fenix.hints import METADATA, problem_of

PREFIX = "fenix-"
"""How the names of campaigns begin that are sessions."""
MEMO = "fenix-session"
"""What a campaign remembers of its session: whether it is `shown`, or `removed`."""
MAX_BYTES = 1024 * 1024
MAX_HOSTS = 20_000
HostName = Annotated[str, StringConstraints(min_length=1, max_length=255)]
NOTHING_IS_DOWNLOADED = (
    "nothing is downloaded: an address without a digest says what would run here as little as who wrote it;"
    " the template names a signed release, and the server's settings the command of each plug-in"
)
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


@dataclass(frozen=True, slots=True)
class Said:
    """The actions of a session, and what is said to the hooks that run for them, by `phase/position`."""

    actions: Sequence[Action]
    to: Mapping[str, str]


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
        """Make a campaign of it, plan and start it; the id of the session. What is refused leaves no campaign behind.

        Raises BusyError while another campaign runs, InputError with all problems, ConditionsError when it cannot be done
        smoothly, and what planning and starting raise.
        """
        given = load(SessionBody, parse_json(body.strip() or b"{}"), code=Code.API_BODY)
        document, said = self._document(given)
        if any(row.state in ACTIVE for row in await self._ctx.store.campaigns.list()):
            raise BusyError
        name = str(document["metadata"]["name"])
        try:
            row = await self._campaigns.create(json.dumps(document, default=str))
        except NotFoundError as error:
            raise _unusable(given.workflow, error.message) from error
        try:
            await self._begin(row, given, said)
        finally:
            # One that has started stays: it is shown, and it is for people to let it go on or to remove it.
            await self._withdraw(row.name)
        await self._tell(name, "started", said.actions)
        return session_id(name)

    async def _begin(self, row: CampaignRow, given: SessionBody, said: Said) -> None:
        """Plan and start the campaign of a session."""
        plan = await self._campaigns.plan(row.name)
        known = {upgrade.node for upgrade in plan.upgrades} | {left.node for left in plan.totals.not_upgraded}
        missing = sorted(set(given.hosts) - known)
        if missing:
            message = f"The template selects no host {missing[0]}" + (f" and {len(missing) - 1} more." if missing[1:] else ".")
            raise ConditionsError(Code.VIM_SESSION, message)
        if given.metadata:
            await self._ctx.store.tasks.remember(row.name, METADATA, dict(given.metadata))
        if said.to:
            await self._ctx.store.tasks.remember(row.name, HOOK_METADATA, dict(said.to))
        # Before it starts: what runs has to be seen, whatever becomes of this process.
        await self._ctx.store.tasks.remember(row.name, MEMO, "shown")
        try:
            await self._campaigns.start(row.name)
        except ConflictError as error:
            if error.code is Code.UPG_ONE_RUNNING:
                raise BusyError from error
            raise

    async def _withdraw(self, name: str) -> None:
        """Remove the campaign unless it has started."""
        if await self._ctx.store.campaigns.state(name) in NOT_STARTED:
            with suppress(ConflictError, NotFoundError):  # it has just started, or is gone
                await remove(self._ctx, name)

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
        await self._withdraw(row.name)
        await self._ctx.store.tasks.remember(row.name, MEMO, "removed")
        await self._tell(row.name, "removed")

    def _document(self, given: SessionBody) -> tuple[dict[str, Any], Said]:
        """The template with the session's name, hosts, time and actions; and what is said to those."""
        actions, wrong_actions = read_actions(given.actions, self._plugins)
        problems = [*_unsupported(given), *wrong_actions]
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
        said = Said(actions, add_hooks(document["spec"], actions, self._plugins))
        if given.hosts:
            select = document["spec"]["scope"]["select"]
            _require_within(given.hosts, select.get("names", ()))
            select["names"] = [glob.escape(host) for host in given.hosts]
        if starts is not None and starts.timestamp() > self._ctx.clock.now():
            document["spec"]["not_before"] = starts.isoformat()
        return document, said

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

    async def _tell(self, name: str, outcome: str, actions: Sequence[Action] = ()) -> None:
        """What became of the session, and which commands it has run in the place of plug-ins, with what is said to them."""
        now, session = self._ctx.clock.now(), session_id(name)
        events = [Event(at=now, action="fenix.session", campaign=name, object_id=session, outcome=outcome)]
        for action in actions:
            message = f"{action.kind}: the command {self._plugins[action.plugin]}"
            said = {"metadata": action.metadata} if action.metadata else {}
            event = Event(at=now, action="fenix.action", campaign=name, object_id=action.plugin, message=message, data=said)
            events.append(event)
        await self._ctx.store.events.append(events)


def _unsupported(given: SessionBody) -> list[Problem]:
    """What Fenix would do and Escalator does not: to leave it out without a word would be worse."""
    found = []
    if given.download:
        found.append(Problem("download", NOTHING_IS_DOWNLOADED))
    unreadable = problem_of(given.metadata)
    if unreadable is not None:
        found.append(unreadable)
    return found


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
