"""Escalator as Tacker sees it: its Server Notifier, where alarms are registered and taken back."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

import structlog

from escalator.model.alarm import Alarm
from escalator.model.clock import Clock
from escalator.model.codes import Code
from escalator.model.errors import ConflictError, EscalatorError, InputError, NotAllowedError, NotFoundError, Problem
from escalator.model.notice import Vnfm
from escalator.storage.port import Store
from escalator.vim_interface.credentials import Credentials
from escalator.vim_interface.fenix.access import Access, ProjectOf
from escalator.vim_interface.notices import notice_id
from escalator.vim_interface.tacker.heals import Heals
from escalator.vim_interface.tacker.messages import is_below, parse_alarm

OwnerOf = Callable[[str], Awaitable[str | None]]
"""Project of an instance, from the cloud; None when it is not known there."""
MAX_PER_SERVER = 4
"""Alarms of one instance: Tacker has one, and one more for each address that it had before."""
MAX_PER_PROJECT = 10_000
"""Alarms of one project, as many as there are instances in one reply."""
KEPT_S = 7 * 86400.0
"""How long it is kept that an alarm was taken back: longer than any turn of a node lasts."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: in whose name it may speak."""

    projects: tuple[str, ...] | None
    """None = callers are not told apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """How callers are let in. Without `access` only those with a key in their address are."""

    access: Access | None
    name_of: ProjectOf
    """Name of the project that a token is bound to: Tacker may put it where an id is expected."""
    credentials: Credentials


class Face:
    """The use cases behind `/tacker`. `per_project` is how many alarms a project may have."""

    def __init__(
        self,
        store: Store,
        heals: Heals,
        clock: Clock,
        doors: Doors,
        owner_of: OwnerOf,
        per_project: int = MAX_PER_PROJECT,
    ) -> None:
        self._store = store
        self._heals = heals
        self._clock = clock
        self._doors = doors
        self._owner_of = owner_of
        self._per_project = per_project

    async def by_token(self, token: str | None, tenant: str) -> Caller:
        """Who holds a token that is bound to the tenant; raises NotAllowedError for anybody else."""
        if self._doors.access is None:
            raise NotAllowedError(Code.API_TOKEN, "A key is expected in the address.")
        project = await self._doors.access.project(token)
        if project is None:
            return Caller(None)
        if tenant not in (project, await self._doors.name_of(token or "")):
            raise NotAllowedError(Code.VIM_FOREIGN, "The token is bound to another project.")
        return Caller((project,))

    async def by_key(self, key: str) -> Caller:
        """Who calls at the address of one VNF manager; raises NotAllowedError when no address has that key."""
        for vnfm in await self._tackers():
            if vnfm.spec.key is not None and hmac.compare_digest(self._key(vnfm.spec.key).encode(), key.encode()):
                return Caller(vnfm.spec.projects)
        raise NotAllowedError(Code.API_TOKEN, "The key in the address is not known.")

    async def register(self, caller: Caller, tenant: str, server: str, body: bytes) -> Alarm:
        """Keep an alarm; the same one again keeps its id.

        Raises InputError (`VIM_ALARM`) with all problems, NotAllowedError (`VIM_FOREIGN`) for another project's instance,
        NotFoundError for one that cannot be placed, ConflictError (`VIM_ALARM`) when there are too many.
        """
        wanted = parse_alarm(body)
        project = await self._project(caller, tenant, server)
        vnfm = next((vnfm for vnfm in await self._tackers() if project in vnfm.spec.projects), None)
        if vnfm is None:
            raise NotAllowedError(Code.VIM_FOREIGN, "No VNF manager of the dialect tacker is registered for the project.")
        if not is_below(wanted.fault_action, vnfm.spec.callback_uri):
            problem = Problem("fault_action", f"an address below the one that is registered for {vnfm.name} is expected")
            raise InputError(Code.VIM_ALARM, "The alarm is not valid.", problems=[problem])
        now = self._clock.now()
        alarm = Alarm(
            id=notice_id("tacker alarm", project, server, wanted.fault_action),
            project=project,
            server=server,
            fault_action=wanted.fault_action,
            fault_ids=wanted.fault_id,
            registered_at=now,
        )
        known = await self._store.alarms.get(alarm.id)
        if known is not None and known.ended_at is None:
            # Said twice: what it was told for stays told.
            alarm = replace(known, fault_ids=wanted.fault_id, registered_at=now)
        await self._store.alarms.forget(now - KEPT_S)
        if not await self._store.alarms.put(alarm, per_server=MAX_PER_SERVER, per_project=self._per_project):
            message = f"The instance has {MAX_PER_SERVER} alarms, or its project {self._per_project}; no more are kept."
            raise ConflictError(Code.VIM_ALARM, message, remedy="Take back those that are not needed any more.")
        _log.info("alarm.registered", object_id=alarm.id, vnfm=vnfm.name, instance=server)
        return alarm

    async def take_back(self, caller: Caller, server: str, alarm_id: str) -> None:
        """End an alarm. Nothing happens when the caller has none of that id for the instance."""
        alarm = await self._store.alarms.get(alarm_id)
        if alarm is None or alarm.server != server or (caller.projects is not None and alarm.project not in caller.projects):
            return
        ended = await self._store.alarms.end(alarm_id, self._clock.now())
        if ended is None:
            return
        _log.info("alarm.ended", object_id=alarm_id, instance=server, notice=ended.notice)
        notice = await self._store.notices.get(ended.notice) if ended.notice is not None else None
        if notice is not None:
            await self._heals.look_at(notice)

    async def _project(self, caller: Caller, tenant: str, server: str) -> str:
        """Project of an instance: by the cloud's word, else by the caller's."""
        known = await self._owner_of(server)
        if known is not None and caller.projects is not None and known not in caller.projects:
            raise NotAllowedError(Code.VIM_FOREIGN, "The instance belongs to another project.")
        if known is not None or caller.projects is None or tenant in caller.projects:
            return known or tenant
        if len(caller.projects) == 1:
            return caller.projects[0]
        raise NotFoundError(Code.VIM_NOT_FOUND, f"The cloud has no instance {server}, and {tenant} is no id of a project.")

    async def _tackers(self) -> Sequence[Vnfm]:
        return [vnfm for vnfm in await self._store.vnfms.list() if vnfm.spec.dialect == "tacker"]

    def _key(self, name: str) -> str:
        """The key in that file; nothing that could be matched when it cannot be read."""
        try:
            return self._doors.credentials.read(name)
        except EscalatorError as error:
            _log.error("alarm.key-unreadable", code=error.code.value, message=error.message)
            return "\n"
