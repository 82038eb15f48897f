"""Replies come in here, whichever way they arrived: checked, judged, kept for audit, and counted once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from escalator.model.codes import Code
from escalator.model.document import Source, load, parse
from escalator.model.errors import ConflictError, InputError, NotFoundError, Problem, TemporaryError
from escalator.model.notice import Notice, NoticeState, Reply
from escalator.model.progress import Event
from escalator.settings import Vim as Limits
from escalator.storage.port import Store
from escalator.vim_interface.collected import Collected
from escalator.vim_interface.grace import Grace
from escalator.vim_interface.messages import occurrence
from escalator.vim_interface.negotiation import OPEN, Judgement, Verdict, is_deferred, judge
from escalator.vim_interface.outbox import Outbox
from escalator.vim_interface.parts import Part

MAX_REPLY_BYTES = 1024 * 1024
"""A reply about ten thousand instances is about 600 kB."""
MAX_KEPT = 100
"""Replies kept for audit per notice. Whoever holds an address can fill no more of the disk than that."""
MAX_REFUSALS = 10
"""Unreadable replies per notice that this process writes into the history, for the same reason."""
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,128}", re.ASCII)
_TRIES = 3
"""A state that changes between reading and writing is read again; it can change only a few times in its life."""

Allow = Callable[[Notice], Awaitable[None]]
"""Looks whether the caller may use the address of a notice; raises NotAllowedError when not."""

_log = structlog.get_logger()


class Inbox:
    """The one way in for replies. `base_url` is where VNF managers reach Escalator."""

    def __init__(self, store: Store, outbox: Outbox, limits: Limits, base_url: str, grace: Grace) -> None:
        self._store = store
        self._notices = store.notices
        self._outbox = outbox
        self._limits = limits
        self._base_url = base_url
        self._grace = grace
        self._collected = Collected(store.notices)
        self._refusals: Counter[str] = Counter()

    async def show(self, token: str, allow: Allow | None = None) -> dict[str, Any]:
        """Return the notice as it stands now; raises NotFoundError when nobody was given that address."""
        return occurrence(await self._find(token, allow), self._base_url)

    async def expect(self, token: str, allow: Allow | None = None) -> None:
        """Look whether a reply may come at that address, before any of it is read; raises as `show`."""
        await self._find(token, allow)

    async def receive(self, token: str, body: bytes | Reply | Part, now: float, allow: Allow | None = None) -> Verdict:
        """Take a reply; returns ACCEPTED or DUPLICATE, or PARTIAL for a part that leaves others to be awaited.

        Raises NotFoundError when nobody was given that address, InputError with all problems when the reply is not
        valid, ConflictError when it is late or differs from the one that counts; and what `allow` raises.
        """
        try:
            await self._grace.judge()
            return await self._receive(token, body, now, allow)
        except TemporaryError:
            self._grace.miss()
            raise

    async def _receive(self, token: str, body: bytes | Reply | Part, now: float, allow: Allow | None) -> Verdict:
        notice = await self._find(token, allow)
        if isinstance(body, Part):
            whole = await self._collected.hear(notice, body, len(notice.resources), now)
            if whole is None:
                return Verdict.PARTIAL
            body = whole
        reply = await self._read(notice, body, now)
        for _ in range(_TRIES):
            judgement = judge(notice, reply, now, max_defer_s=self._limits.max_defer_s)
            if judgement.verdict is not Verdict.ACCEPTED or await self._accept(notice, reply, now):
                break
            notice = await self._find(token)
        else:
            judgement = Judgement(Verdict.SUPERSEDED, "Another reply to this notice came at the same time.")
        if judgement.verdict is not Verdict.ACCEPTED:
            await self._keep(notice, reply, now, judgement.verdict)
        return _answer(judgement, notice)

    async def _find(self, token: str, allow: Allow | None = None) -> Notice:
        notice = await self._notices.by_token(token) if _TOKEN.fullmatch(token) else None
        if notice is None:
            raise NotFoundError(Code.VIM_NOT_FOUND, "There is no such reply address.")
        if allow is not None:
            await allow(notice)
        return notice

    async def _read(self, notice: Notice, body: bytes | Reply, now: float) -> Reply:
        try:
            return body if isinstance(body, Reply) else parse_reply(body)
        except InputError as error:
            await self._keep_refusal(notice, now, error)
            raise

    async def _accept(self, notice: Notice, reply: Reply, now: float) -> bool:
        """Make the reply the one that counts; False when the notice changed meanwhile."""
        if notice.state is NoticeState.ANSWERED and await reopen(self._store, notice) is None:
            return False
        row = await self._notices.answer(notice.id, OPEN, now, reply)
        if row is None:
            return False
        _log.info("notice.answered", object_id=row.id, vnfm=row.vnfm, campaign=row.campaign, node=row.node, result=reply.result)
        self._outbox.settled(row)
        return True

    async def _keep(self, notice: Notice, reply: Reply, now: float, verdict: Verdict) -> None:
        if len(await self._notices.replies(notice.id)) < MAX_KEPT:
            await self._notices.record_reply(notice.id, now, reply, verdict.value)

    async def _keep_refusal(self, notice: Notice, now: float, error: InputError) -> None:
        """A body that is no reply cannot be kept as one: what was wrong with it goes to the history."""
        code = error.code.value
        _log.warning("reply.invalid", object_id=notice.id, vnfm=notice.vnfm, code=code)
        self._refusals[notice.id] += 1
        if self._refusals[notice.id] > MAX_REFUSALS:
            return
        message = f"A reply of {notice.vnfm} is not valid: " + "; ".join(map(str, error.problems[:5]))
        event = Event(
            at=now,
            action="vnfm.reply-invalid",
            campaign=notice.campaign,
            node=notice.node,
            object_id=notice.id,
            code=code,
            message=message[:1000],
        )
        await self._store.events.append([event])


async def reopen(store: Store, notice: Notice, **changes: Any) -> Notice | None:  # noqa: ANN401 - fields of a notice
    """Open a deferred notice again; None when the DEFER is not the answer any more.

    A reply that came in between stays the answer. What was never delivered is to be delivered again: whose VNF manager is
    not reached by the deadline is undeliverable, not silent.
    """
    row = await store.notices.update(notice.id, (NoticeState.ANSWERED,), state=NoticeState.DELIVERED, **changes)
    if row is not None and not is_deferred(row):
        await store.notices.update(row.id, (NoticeState.DELIVERED,), state=NoticeState.ANSWERED)
        return None
    if row is not None and row.delivered_at is None:
        # Perhaps a person deferred it for a VNF manager that has not heard of it yet: it goes on being told.
        return await store.notices.update(row.id, (NoticeState.DELIVERED,), state=NoticeState.PENDING)
    return row


def parse_reply(body: bytes) -> Reply:
    """Read a reply, JSON of bounded size and depth; raises InputError with all problems."""
    if len(body) > MAX_REPLY_BYTES:
        raise InputError(Code.API_TOO_LARGE, f"A reply has {MAX_REPLY_BYTES} bytes at most.")
    text = body.strip()
    if not text.startswith(b"{"):
        raise InputError(Code.VIM_REPLY, "The reply is not valid.", problems=[Problem("", "a JSON object is expected")])
    try:
        source = parse(text)
    except InputError as error:
        problems = error.problems or (Problem("", error.message),)
        raise InputError(Code.VIM_REPLY, "The reply is not valid.", problems=problems) from error
    return load(Reply, Source(source.data), code=Code.VIM_REPLY)


def _answer(judgement: Judgement, notice: Notice) -> Verdict:
    match judgement.verdict:
        case Verdict.INVALID:
            raise InputError(Code.VIM_REPLY, judgement.message, problems=judgement.problems)
        case Verdict.LATE:
            raise ConflictError(Code.VIM_LATE, judgement.message, remedy=_next_step(notice))
        case Verdict.SUPERSEDED:
            undone = notice.state is NoticeState.CANCELLED or _refused(notice)
            raise ConflictError(Code.VIM_SUPERSEDED, judgement.message, remedy=_next_step(notice) if undone else _to_stop(notice))
        case verdict:
            return verdict


def _next_step(notice: Notice) -> str:
    """What a person can do who would have answered otherwise; nothing where no node is concerned."""
    if notice.node is None:
        return ""
    return (
        f"If the node is left out for it: escalator node retry {notice.campaign} {notice.node} gives it another turn as long as"
        " the campaign runs, and asks again; after its end another campaign of the same release takes up what was left out."
        f" escalator campaign show {notice.campaign} tells where it stands."
    )


def _to_stop(notice: Notice) -> str:
    """What a person can do who no longer wants what was agreed to; nothing where no node is concerned."""
    if notice.node is None:
        return ""
    return (
        f"The first answer stands. To stop the node before its next step: escalator node hold {notice.node} --reason TEXT; the"
        f" whole campaign: escalator campaign pause {notice.campaign}."
    )


def _refused(notice: Notice) -> bool:
    return notice.reply is not None and notice.reply.result == "NACK"
