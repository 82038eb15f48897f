"""Block 2 as one object: the verbs of the port on top of registry, outbox and inbox."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from escalator.model.clock import Clock
from escalator.model.codes import Code
from escalator.model.errors import ConflictError, EscalatorError, InputError, NotFoundError, PermanentError
from escalator.model.inventory import Instance
from escalator.model.notice import Notice, NoticeState, NoticeType, Reply, Vnfm
from escalator.model.progress import Event
from escalator.settings import Vim as Limits
from escalator.storage.port import Store
from escalator.vim_interface.agenda import Agenda
from escalator.vim_interface.announced import Announced
from escalator.vim_interface.credentials import Credentials
from escalator.vim_interface.dialect import Dialect, TellsTest
from escalator.vim_interface.finished import Finished, Resources
from escalator.vim_interface.grace import Grace, extended
from escalator.vim_interface.inbox import Inbox, reopen
from escalator.vim_interface.negotiation import DEFERRED_UNTIL, FIRST_REPLY_BY, Verdict, is_deferred, reply_until
from escalator.vim_interface.notices import Telling, answer_of, asking, cancelling, telling
from escalator.vim_interface.operations.port import Operation, OperationsSource
from escalator.vim_interface.operations.watch import Operations
from escalator.vim_interface.orchestrators import Orchestrators
from escalator.vim_interface.outbox import TOPIC, Outbox, Wake, wake_key
from escalator.vim_interface.parts import heard
from escalator.vim_interface.port import Answer, Ask, Reachability
from escalator.vim_interface.registry import Registry
from escalator.vim_interface.unregistered import Unregistered

DEFER_GRACE_S = 5.0
"""A VNF manager that waits until a time answers just after it: clocks differ, and the way takes time."""
TESTS_AT_ONCE = 32
"""A thousand VNF managers that do not answer are known within minutes."""
_UNANSWERED = (NoticeState.SILENT, NoticeState.UNDELIVERABLE)
"""States of a notice that ended without an answer; about some of its instances there may be one."""
_WITHDRAWN = (NoticeState.PENDING, NoticeState.DELIVERED, NoticeState.ANSWERED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the VIM Interface is made of. `base_url` is where VNF managers reach Escalator."""

    store: Store
    dialects: Mapping[str, Dialect]
    clock: Clock
    credentials: Credentials
    wake: Wake
    new_token: Callable[[], str]
    """Makes the unguessable part of a reply address: 128 random bits at least, URL-safe."""
    limits: Limits = field(default_factory=Limits)
    base_url: str = "http://127.0.0.1:8472"
    operations: Sequence[OperationsSource] = ()
    """Ways to see what VNF managers are at work on."""
    commands: Collection[str] | None = None
    """Names of the commands that registrations may name; null where that is not known."""
    people_told: bool = True
    """Whether the settings have a command that tells people."""


HANDED_OVER = "a test that asks for nothing was handed over"


class Vim:
    """The VIM Interface. `run` has to run for notices to go out and answers to be reported."""

    def __init__(self, parts: Parts) -> None:
        self._store = parts.store
        self._dialects = parts.dialects
        self._clock = parts.clock
        self._wake = parts.wake
        self._new_token = parts.new_token
        agenda = Agenda(parts.clock)
        self._grace_s = parts.limits.restart_grace_s
        self.grace = Grace(parts.store, parts.clock, parts.limits.restart_grace_s)
        self._outbox = Outbox(parts.store, parts.dialects, agenda, parts.clock, parts.limits, parts.wake)
        self._operations = Operations(parts.store.vnfms, parts.operations, parts.clock)
        self.registry = Registry(
            parts.store.vnfms, parts.credentials, parts.store.subscriptions, parts.commands, people_told=parts.people_told
        )
        self.orchestrators = Orchestrators(self.registry, parts.store, self._outbox, parts.clock, parts.base_url)
        self.finished = Finished(self.registry, parts.store, parts.clock, self._add)
        self.announced = Announced(self.registry, parts.clock, self._add)
        self.unregistered = Unregistered(self.registry, parts.store, self._outbox, parts.clock)
        self.inbox = Inbox(parts.store, self._outbox, parts.limits, parts.base_url, self.grace)

    async def run(self, sweep_s: float | None = None) -> None:
        """Work until cancelled. `sweep_s`: how often to look for notices that another replica left in storage."""
        await self.unregistered.withdraw_left()
        await self.grace.give()
        async with asyncio.TaskGroup() as beside:
            if sweep_s is not None:
                beside.create_task(self.grace.watch())
            await self._outbox.run(self.inbox.receive, self.grace.judge, sweep_s)

    def look(self, dialect: str) -> None:
        """Fetch soon the replies that a dialect has: for one that hears of them by itself."""
        self._outbox.look(dialect)

    async def owners(self, instances: Sequence[Instance]) -> Mapping[str, str]:
        """Name of the VNF manager of each instance that has one: by instance, else by VNF, else by project."""
        return await self.registry.owners(instances)

    async def operations(self, instances: Sequence[Instance]) -> Sequence[Operation]:
        """Lifecycle operations under way at the VNFs of these instances; what cannot be told counts as under way."""
        return await self._operations.concerning(instances)

    async def ask(self, ask: Ask) -> tuple[str, ...]:
        """Put one notice per VNF manager concerned into the outbox; ids of the task's notices, old or new."""
        notices = await self._store.notices.for_task(ask.task)
        if not notices:
            owners = await self.registry.owners(ask.instances)
            notices = asking(ask, owners, self._clock.now(), self._new_token)
            if ask.kind is not NoticeType.HOST_MAINTENANCE_UPCOMING:
                notices = tuple(await self.registry.wanted(notices))
            await self._add(notices)
        else:
            self._outbox.schedule(notices)
            self._outbox.check(ask.task)
        if not notices:
            await self._wake(ask.task, TOPIC, {"key": wake_key(ask.task, ())})
        return tuple(notice.id for notice in notices)

    async def answers(self, task: str) -> tuple[Answer, ...]:
        """Where the answers to the task's notices stand now."""
        notices = self._store.notices
        found = await notices.for_task(task)
        parts = {n.id: heard(await notices.replies(n.id)) for n in found if n.state in _UNANSWERED}
        return tuple(answer_of(notice, reply_until(notice.reply), parts.get(notice.id, {})) for notice in found)

    async def defer(self, task: str, vnfm: str, until: float) -> None:
        """Accept a DEFER: the notice is open again until then, and a few seconds more.

        Where that time is over, as the campaign rested meanwhile, the VNF manager is heard once more, as after a start of the
        server: `vim.restart_grace_s` from now on. Nothing happens when the DEFER is not the answer any more, or was accepted
        before. Raises NotFoundError when the task has no notice to that VNF manager.
        """
        notice = next((n for n in await self._store.notices.for_task(task) if n.vnfm == vnfm), None)
        if notice is None:
            raise NotFoundError(Code.VIM_NOT_FOUND, f"{task} has no notice to {vnfm}.")
        accepted_before = float(notice.details.get(DEFERRED_UNTIL, 0.0))
        if notice.state is not NoticeState.ANSWERED or not is_deferred(notice) or until <= accepted_before:
            return
        now, grace_s = self._clock.now(), self._grace_s
        rested = until <= now
        row = await reopen(self._store, notice, **_deferred(notice, until, now + grace_s if rested else until + DEFER_GRACE_S))
        if row is not None:
            self._outbox.schedule([row])
        if row is not None and rested:
            why = "its campaign rested when the time that it had asked for was over"
            await self._store.events.append([extended(row, now, why)])

    async def tell(
        self, kind: NoticeType, campaign: str, *, node: str | None = None, vnfms: Sequence[str] = (), key: str, task: str = ""
    ) -> None:
        """Put a notice that needs no answer into the outbox.

        It goes to the VNF managers named; without names to all when it is about the campaign, to nobody when it is
        about a node: what happens to a node is no business of a VNF manager without instances there. With `task` it names
        the instances that the VNF manager was asked about for that task.
        """
        names = vnfms or (await self.registry.names() if node is None else ())
        about: Resources = {n.vnfm: n.resources for n in await self._store.notices.for_task(task)} if task else {}
        if kind is NoticeType.HOST_AVAILABLE:
            about = await self.finished.rest(campaign, node, task, about)
        what = Telling(kind=kind, campaign=campaign, node=node, key=key, resources=about)
        now = self._clock.now()
        await self._add(await self.registry.wanted(telling(what, vnfm, now) for vnfm in sorted(set(names))))

    async def cancel(self, task: str) -> None:
        """Withdraw the task's notices and tell the VNF managers that got them, or may have."""
        notices = await self._store.notices.for_task(task)
        now = self._clock.now()
        withdrawals = [cancelling(notice, now) for notice in notices if _may_have_arrived(notice)]
        await self._outbox.add(await self.registry.wanted(withdrawals))
        for notice in notices:
            if await self._store.notices.update(notice.id, _WITHDRAWN, state=NoticeState.CANCELLED):
                self._outbox.forget(notice)

    async def reply(self, notice_id: str, reply: Reply, by: str | None = None) -> Verdict:
        """Take an answer that a person gives at Escalator: for themselves, or for a VNF manager that cannot.

        It counts, and is refused, by the rules for every reply; the history says that it came this way, and `by` whom. Raises
        NotFoundError without such a notice, ConflictError when it takes no answer or this one is late or differs,
        InputError with all problems when it does not fit the notice.
        """
        notice = await self._store.notices.get(notice_id)
        if notice is None:
            raise NotFoundError(Code.VIM_NOT_FOUND, f"There is no notice {notice_id!r}.", remedy="escalator notice list")
        if notice.reply_token is None:
            raise ConflictError(Code.VIM_SUPERSEDED, f"The notice {notice_id} only tells something; it takes no answer.")
        now = self._clock.now()
        said = f"{by or 'a person'} answered {reply.result} for {notice.vnfm}"
        event = Event(at=now, action="notice.reply", campaign=notice.campaign, node=notice.node, object_id=notice.id, by=by)
        try:
            verdict = await self.inbox.receive(notice.reply_token, reply, now)
        except (ConflictError, InputError) as error:
            # The inbox keeps it all the same; who gave it is known from here alone.
            refused = replace(event, outcome="refused", code=error.code.value, message=f"{said}: {error.message}")
            await self._store.events.append([refused])
            raise
        outcome = reply.result if verdict is Verdict.ACCEPTED else verdict.value
        await self._store.events.append([replace(event, outcome=outcome, message=said)])
        return verdict

    async def reach(self, names: Sequence[str]) -> tuple[Reachability, ...]:
        """Ask the address of each of these VNF managers whether it would take notices; in the same order."""
        lanes = asyncio.Semaphore(TESTS_AT_ONCE)

        async def one(name: str) -> Reachability:
            async with lanes:
                vnfm = await self._store.vnfms.get(name)
                if vnfm is None:
                    return Reachability(name, ok=False, code=Code.VIM_NOT_FOUND.value, message="It is not registered any more.")
                return await self.test(vnfm)

        return tuple(await asyncio.gather(*map(one, names)))

    async def test(self, vnfm: Vnfm, *, notice: bool = False) -> Reachability:
        """Ask the VNF manager's address whether it would take notices.

        With `notice` its people get one that is a test and asks for nothing; where its dialect has none, nothing is sent.
        """
        dialect = self._dialects.get(vnfm.spec.dialect)
        if dialect is None:
            message = f"The dialect {vnfm.spec.dialect} is not available here."
            return Reachability(vnfm.name, ok=False, code=Code.VIM_REGISTRATION.value, message=message)
        try:
            await (_send_test(dialect, vnfm) if notice else dialect.test(vnfm))
        except EscalatorError as error:
            return Reachability(vnfm.name, ok=False, code=error.code.value, message=error.message, remedy=error.remedy)
        return Reachability(vnfm.name, ok=True, message=HANDED_OVER if notice else "")

    async def _add(self, notices: Sequence[Notice]) -> None:
        """Put notices into the outbox, and in the same transaction what the message bus is told with them."""
        await self._outbox.add([*notices, *await self.orchestrators.repeated(notices)])


async def _send_test(dialect: Dialect, vnfm: Vnfm) -> None:
    if not isinstance(dialect, TellsTest):
        message = f"The dialect {vnfm.spec.dialect} has no notice that asks for nothing: nothing was sent."
        remedy = f"escalator vnfm test {vnfm.name} asks its address."
        raise PermanentError(Code.VIM_REGISTRATION, message, remedy=remedy)
    await dialect.tell_test(vnfm)


def _may_have_arrived(notice: Notice) -> bool:
    if notice.error_code == Code.VIM_NOT_FOUND.value:
        return False  # whoever it was is not registered any more
    return notice.delivered_at is not None or notice.answered_at is not None or notice.attempts > 0


def _deferred(notice: Notice, until: float, deadline: float) -> dict[str, object]:
    """What changes when a DEFER is accepted: it never takes away time that was given.

    The first deadline is kept: all DEFERs together are bounded from there.
    """
    first = notice.details.get(FIRST_REPLY_BY, str(notice.reply_by))
    reply_by = max(deadline, notice.reply_by or 0.0)
    return {
        "reply_by": reply_by,
        "action_at": max(notice.action_at or reply_by, reply_by),
        "details": {**notice.details, FIRST_REPLY_BY: first, DEFERRED_UNTIL: str(until)},
    }
