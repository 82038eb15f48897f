"""Escalator as VNF managers of OpenStack Fenix see it: sessions, replies, constraints."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from escalator.model.clock import Clock
from escalator.model.codes import Code
from escalator.model.constraint import Constraint, ConstraintKind, owned
from escalator.model.errors import ConflictError, InputError, NotAllowedError, NotFoundError, Problem
from escalator.model.notice import Notice, NoticeState, NoticeType
from escalator.model.progress import Event
from escalator.storage.holder import holder
from escalator.storage.port import CampaignRow, Store
from escalator.vim_interface.collected import Collected
from escalator.vim_interface.fenix.access import Access
from escalator.vim_interface.fenix.constraints import group_constraint, instance_constraint
from escalator.vim_interface.fenix.detail import detail
from escalator.vim_interface.fenix.events import session_id
from escalator.vim_interface.fenix.hints import Hints
from escalator.vim_interface.fenix.instances import ProjectInstances
from escalator.vim_interface.fenix.replies import ASKED, FenixReply, parse_reply, part_of
from escalator.vim_interface.fenix.states import SCALE_IN, state_now
from escalator.vim_interface.inbox import Inbox
from escalator.vim_interface.negotiation import OPEN
from escalator.vim_interface.parts import Part

MAX_GROUPS = 1000
"""Groups that one project may declare: ids of groups are the client's, and nothing else bounds them."""
RECENT = 5000
"""Newest notices of a campaign that are looked at; more than these are never open at once."""
FEW = 20
"""Instances that a reply names and that are looked for one by one; beyond, all that its project was asked is read."""
NEWEST = 500
"""Those that tell the state of a session: clients may ask for that every few seconds."""

NOTED = 10_000
"""Replies that are remembered as written down."""


class Face:
    """The use cases behind `/fenix/v1`."""

    def __init__(self, store: Store, inbox: Inbox, clock: Clock, access: Access, instances: ProjectInstances) -> None:
        self._store = store
        self._inbox = inbox
        self._clock = clock
        self._instances = instances
        self._collected = Collected(store.notices)
        self._hints = Hints(store)
        self.access = access
        self._noted: set[tuple[str, str, str]] = set()
        """Replies about sessions that are written down: clients say the same again, and the history need not."""
        self.gone: Callable[[str], Awaitable[bool]] = _never
        """Whether a session was removed and is over."""

    async def state(self, session: str) -> str:
        """State of a session. Raises NotFoundError."""
        row = await self._campaign(session)
        if await self.gone(session):
            raise NotFoundError(Code.VIM_NOT_FOUND, "There is no such session.")
        asked = await self._asked(row, NEWEST)
        return state_now(row.state, await self._store.tasks.list(row.name, ladders=False), asked)

    async def detail(self, session: str, token: str | None) -> dict[str, Any]:
        """All about a session, for administrators. Raises NotFoundError, NotAllowedError."""
        await self.access.administrator(token)
        row = await self._campaign(session)
        tasks, asked = await self._store.tasks.list(row.name, ladders=False), await self._asked(row)
        return detail(state_now(row.state, tasks, asked), await self._hints.of(row.name), row.name, tasks, asked)

    async def instances(self, session: str, project: str) -> Sequence[str]:
        """The project's instances that are asked about now; all it has, while none is. Raises NotFoundError."""
        campaign = await self._campaign(session)
        asked = [
            resource.resource_id
            for notice in await self._asked(campaign, about=(project,))
            if notice.state in OPEN
            for resource in notice.resources
            if resource.project_id == project
        ]
        return asked or await self._instances.of(project)

    async def reply_about(self, session: str, project: str, instance: str, token: str, body: bytes) -> FenixReply:
        """Take a reply about one instance of a project, at the address that its event named.

        Raises NotFoundError when nobody was given that address, InputError when the reply is not valid, ConflictError when
        it is late or another one counts.
        """
        notice, ids = await self._at(session, project, token)
        if instance not in ids:
            raise _no_address()
        reply = parse_reply(body)
        if reply.about in ASKED:
            await self._hear(notice, part_of(reply, notice, instance))
        return reply

    async def instances_at(self, session: str, project: str, token: str) -> Sequence[str]:
        """The project's instances that the event with that address is about. Raises NotFoundError."""
        return (await self._at(session, project, token))[1]

    async def reply_at(self, session: str, project: str, token: str, body: bytes) -> FenixReply:
        """Take a reply about all of a project's instances on a node, or those that it names; raises as `reply_about` does."""
        notice, ids = await self._at(session, project, token)
        reply = parse_reply(body)
        named = [i for i in ids if i in reply.instance_actions]
        if reply.about in ASKED:
            for instance in named or (() if reply.instance_actions else ids):
                await self._hear(notice, part_of(reply, notice, instance))
        return reply

    async def _at(self, session: str, project: str, token: str) -> tuple[Notice, Sequence[str]]:
        """The notice of a reply address, and the project's instances in it. Raises NotFoundError when nobody was given it."""
        campaign = await self._campaign(session)
        notice = await self._store.notices.by_token(token)
        if notice is None or notice.campaign != campaign.name or notice.vnfm not in await self._made_for_fenix():
            raise _no_address()
        ids = [resource.resource_id for resource in notice.resources if resource.project_id == project]
        if not ids:
            raise _no_address()
        return notice, ids

    async def reply(self, session: str, project: str, body: bytes) -> FenixReply:
        """Take a project's reply: about the session as a whole, or about those of its instances that it names."""
        campaign = await self._campaign(session)
        reply = parse_reply(body)
        if reply.about in ASKED:
            await self._hear_all(campaign, project, reply)
        elif reply.about == SCALE_IN:
            await self._hear_of_room(campaign, project, reply)
        elif reply.about != "INSTANCE_ACTION_DONE" and (campaign.name, project, reply.state) not in self._noted:
            now = self._clock.now()
            event = Event(at=now, action="fenix.reply", campaign=campaign.name, object_id=project, outcome=reply.state)
            await self._store.events.append((event,))
            if len(self._noted) >= NOTED:
                self._noted.clear()
            self._noted.add((campaign.name, project, reply.state))
        return reply

    async def declare(self, kind: ConstraintKind, object_id: str, body: bytes, token: str | None) -> None:
        """Keep what a VNF manager declares for an instance or a group of its project.

        Raises InputError with all problems, also beyond the number of groups that a project may have, NotFoundError for an
        instance that the cloud does not know, NotAllowedError (`VIM_FOREIGN`) for another project's.
        """
        make = instance_constraint if kind == "instance" else group_constraint
        constraint = make(object_id, body)
        await self.access.within(token, constraint.spec.declared_by or "")
        found = await self._own(kind, object_id, constraint.spec.declared_by)
        if found == constraint:
            return  # clients say the same again, and the history need not
        await self._check(constraint, new=found is None)
        await self._store.constraints.put(constraint)
        await self._write_down("constraint.set", constraint)

    async def withdraw(self, kind: ConstraintKind, object_id: str, token: str | None) -> None:
        """Forget what a VNF manager declared; nothing happens when there is nothing. Raises as `declare` does."""
        project = await self.access.project(token)
        found = await self._own(kind, object_id, project)
        if found is not None:
            await self._store.constraints.remove(kind, found.id)
            await self._write_down("constraint.remove", found)

    async def _check(self, constraint: Constraint, *, new: bool) -> None:
        """Whose instance it is, and how much a project declares, is nothing to be believed."""
        declared_by = constraint.spec.declared_by
        if constraint.kind == "instance":
            project = await self._instances.project_of(constraint.id)
            if project is None:
                raise NotFoundError(Code.VIM_NOT_FOUND, f"The cloud knows no instance {constraint.id}.")
            if project != declared_by:
                raise NotAllowedError(Code.VIM_FOREIGN, f"Instance {constraint.id} belongs to another project.")
        elif new:
            known = [c for c in await self._store.constraints.list() if (c.kind, c.spec.declared_by) == ("group", declared_by)]
            if len(known) >= MAX_GROUPS:
                problem = Problem("group_id", f"a project may declare {MAX_GROUPS} groups")
                raise InputError(Code.API_BODY, "No more groups can be declared.", problems=[problem])

    async def _own(self, kind: ConstraintKind, object_id: str, project: str | None) -> Constraint | None:
        found = await self._store.constraints.get(kind, object_id)
        if found is not None and found.spec.declared_by is None:
            raise NotAllowedError(Code.VIM_FOREIGN, f"The operator's own word stands for {kind} {object_id}.")
        if kind == "group":
            found = await self._own_group(object_id, project)
        if found is not None and project not in (None, found.spec.declared_by):
            raise NotAllowedError(Code.VIM_FOREIGN, f"Another project's word stands for {kind} {object_id}.")
        return found

    async def _own_group(self, name: str, project: str | None) -> Constraint | None:
        """What the project says of a group of that name; of whichever project, when callers are not told apart."""
        if project is not None:
            return await self._store.constraints.get("group", owned(name, project))
        words = (c for c in await self._store.constraints.list() if c.kind == "group" and c.spec.declared_by is not None)
        return next((c for c in words if c.id == owned(name, c.spec.declared_by)), None)

    async def _write_down(self, action: str, constraint: Constraint) -> None:
        about = f"{constraint.kind} {constraint.id}"
        message = f"by project {constraint.spec.declared_by}"
        now, campaign = self._clock.now(), await holder(self._store.campaigns)
        event = Event(at=now, action=action, campaign=campaign, object_id=about, outcome="done", message=message)
        await self._store.events.append((event,))

    async def _campaign(self, session: str) -> CampaignRow:
        for row in await self._store.campaigns.list():
            if session_id(row.name) == session:
                return row
        raise NotFoundError(Code.VIM_NOT_FOUND, "There is no such session.")

    async def _made_for_fenix(self) -> set[str]:
        """Names of the VNF managers that a project's token speaks for; those of other dialects have addresses of their own."""
        return {vnfm.name for vnfm in await self._store.vnfms.list() if vnfm.spec.dialect == "fenix"}

    async def _asked(self, campaign: CampaignRow, limit: int = RECENT, about: Sequence[str] = ()) -> Sequence[Notice]:
        """Notices that ask VNF managers made for Fenix, the newest first; with `about` those about such instances or projects."""
        ours = await self._made_for_fenix()
        recent = await self._store.notices.list(campaign.name, limit, about=about)
        return [notice for notice in recent if notice.reply_token is not None and notice.vnfm in ours]

    async def _hear_all(self, campaign: CampaignRow, project: str, reply: FenixReply) -> None:
        """Without names a reply is about all of the project's instances that are asked about."""
        names = tuple(reply.instance_actions)
        for notice in await self._asked(campaign, about=names if 0 < len(names) <= FEW else (project,)):
            if notice.state not in (*OPEN, NoticeState.ANSWERED) or notice.type is NoticeType.SCALE_IN_REQUESTED:
                continue
            ids = [r.resource_id for r in notice.resources if r.project_id == project]
            named = [i for i in ids if i in reply.instance_actions]
            # What was answered before is looked at again only when it is named: other nodes' notices stay as they are.
            for instance in named or (ids if notice.state in OPEN and not reply.instance_actions else ()):
                await self._hear(notice, part_of(reply, notice, instance))

    async def _hear_of_room(self, campaign: CampaignRow, project: str, reply: FenixReply) -> None:
        """The newest request for room that was made of the project is what it answers."""
        asked = [n for n in await self._asked(campaign) if n.type is NoticeType.SCALE_IN_REQUESTED]
        speakers = {vnfm.name: vnfm.spec.projects for vnfm in await self._store.vnfms.list()}
        notice = next((n for n in asked if project in speakers.get(n.vnfm, ())), None)
        if notice is None:
            raise ConflictError(Code.VIM_SUPERSEDED, "This project is not asked to scale in.")
        # Every project of the registration got the event, also one without an instance here.
        await self._hear(notice, Part(project, reply.refused, None), len(speakers[notice.vnfm]))

    async def _hear(self, notice: Notice, part: Part, of: int | None = None) -> None:
        every = len(notice.resources) if of is None else of
        answer = await self._collected.hear(notice, part, every, self._clock.now())
        if answer is not None and notice.reply_token is not None:
            await self._inbox.receive(notice.reply_token, answer, self._clock.now())


async def _never(_: str) -> bool:
    return False


def _no_address() -> NotFoundError:
    return NotFoundError(Code.VIM_NOT_FOUND, "There is no such reply address.")
