"""One notice's whole life, in whatever order deliveries fail, replies come, time passes, and the manager dies and comes back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from beds.vnfm.clocks import START, SteppedClock, quiet
from escalator.model.codes import Code
from escalator.model.errors import ConflictError, InputError, NotFoundError, PermanentError, TemporaryError
from escalator.model.inventory import Instance
from escalator.model.notice import Notice, NoticeState, Vnfm, VnfmSpec
from escalator.settings import Vim as Limits
from escalator.storage.memory import memory_store
from escalator.vim_interface.credentials import Credentials
from escalator.vim_interface.negotiation import is_deferred
from escalator.vim_interface.port import Ask
from escalator.vim_interface.times import from_rfc3339, to_rfc3339
from escalator.vim_interface.vim import Parts, Vim

TASK = "c/a/1"
REPLY_S = 300.0
LIMITS = Limits(max_defer_s=600.0, delivery_attempts=50)
LAST_S = START + REPLY_S + LIMITS.max_defer_s + 5
"""After this nothing can be open where the manager does not die: the longest deferral, and the grace after it."""
BODIES = (
    b'{"result": "ACK", "instances": {"v": "MOVED"}}',
    b'{"result": "ACK"}',
    b'{"result": "NACK", "reason": "not now"}',
    b'{"result": "ACK", "instances": {"other": "MOVED"}}',
    b'{"result": "MAYBE"}',
    b'{"result": "ACK", "until": "2030-01-01T00:00:00Z"}',
    b"[]",
    b"\xff",
    b"",
)
STATES = ("up", "up", "down", "lost", "refuses")
SELDOM = (False,) * 9 + (True,)
SETTLED = (NoticeState.SILENT, NoticeState.UNDELIVERABLE, NoticeState.CANCELLED)
T = TypeVar("T")


class Link:
    """A dialect whose line is up, fails for now, or refuses for good."""

    def __init__(self) -> None:
        self.state = "up"
        self.delivered: list[str] = []

    async def deliver(self, _vnfm: Vnfm, notice: Notice) -> None:
        if self.state == "down":
            raise TemporaryError(Code.VIM_UNREACHABLE, "down")
        if self.state == "refuses":
            raise PermanentError(Code.VIM_CREDENTIALS, "refused")
        self.delivered.append(notice.id)
        if self.state == "lost":
            raise TemporaryError(Code.VIM_UNREACHABLE, "what it said was lost")

    async def test(self, _vnfm: Vnfm) -> None:
        return


class Negotiation(RuleBasedStateMachine):
    """The VIM Interface with one VNF manager and one question to it."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = SteppedClock()
        self.store = memory_store()
        self.link = Link()
        self.woken: list[dict[str, str]] = []
        self.accepted: list[tuple[float, str]] = []
        self.final: dict[str, Any] | None = None
        self.ended: NoticeState | None = None
        self.withdrawn = False
        self.runner: asyncio.Task[None] | None = None
        self.last_s = LAST_S
        """After this nothing can be open: who is not told yet at a start of the manager has the whole time from then on."""

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        async def then_quiet() -> T:
            try:
                return await work
            finally:
                await quiet(30)

        return self.loop.run_until_complete(then_quiet())

    @initialize(state=st.sampled_from(STATES))
    def begin(self, state: str) -> None:
        self.link.state = state
        spec = VnfmSpec(callback_uri="http://here", projects=("p",))
        self.do(self.store.vnfms.add(Vnfm(name="m", spec=spec)))
        self.do(self.start())
        self.do(self.ask())

    async def start(self) -> None:
        async def wake(_task: str, _topic: str, payload: dict[str, str]) -> None:
            # A workflow acts on what it finds when it is woken.
            notices = await self.store.notices.for_task(TASK)
            assert all(n.state not in (NoticeState.PENDING, NoticeState.DELIVERED) for n in notices)
            self.woken.append(payload)

        self.vim = Vim(
            Parts(
                store=self.store,
                dialects={"vi-vnfm": self.link},
                clock=self.clock,
                credentials=Credentials(None),  # type: ignore[arg-type]  # none are read
                wake=wake,
                new_token=lambda: "t" * 43,
                limits=LIMITS,
            )
        )
        self.last_s = max(self.last_s, self.clock.now() + max(REPLY_S, LIMITS.restart_grace_s) + 5)
        self.runner = asyncio.create_task(self.vim.run())

    async def ask(self) -> None:
        instance = Instance(id="v", project="p", node="a")
        await self.vim.ask(
            Ask(
                task=TASK,
                campaign="c",
                node="a",
                instances=(instance,),
                planned={"v": "live"},
                reply_by=START + REPLY_S,
                action_at=START + REPLY_S + 1,
            )
        )

    async def stop(self) -> None:
        assert self.runner is not None
        self.runner.cancel()
        await asyncio.gather(self.runner, return_exceptions=True)

    def notice(self) -> Notice:
        (found,) = self.do(self.store.notices.for_task(TASK))
        return found

    @rule(state=st.sampled_from(STATES))
    def the_line_becomes(self, state: str) -> None:
        self.link.state = state

    @rule(seconds=st.sampled_from((0.5, 2.0, 5.0, 20.0, 59.0, 120.0, 301.0)))
    def time_passes(self, seconds: float) -> None:
        self.do(self.clock.advance(seconds))

    @rule(seconds=st.sampled_from((0.0, 10.0, 301.0)))
    def the_manager_dies_and_comes_back(self, seconds: float) -> None:
        self.do(self.stop())
        self.do(self.clock.advance(seconds))
        self.do(self.start())

    @rule()
    def the_engine_asks_again(self) -> None:
        self.do(self.ask())

    @rule()
    def the_engine_accepts_a_deferral(self) -> None:
        (answer,) = self.do(self.vim.answers(TASK))
        if answer.result == "DEFER" and answer.until is not None:
            if answer.until <= self.clock.now():  # the campaign rested meanwhile
                self.last_s = max(self.last_s, self.clock.now() + LIMITS.restart_grace_s)
            self.do(self.vim.defer(TASK, "m", answer.until))

    @rule(so=st.sampled_from(SELDOM))
    def the_engine_withdraws_it(self, so: bool) -> None:
        if not so:
            return
        self.withdrawn = True
        self.do(self.vim.cancel(TASK))

    @rule(body=st.sampled_from(BODIES[:3]))
    def an_answer_comes(self, body: bytes) -> None:
        self._reply(body)

    @rule(body=st.sampled_from(BODIES[3:]))
    def something_else_comes(self, body: bytes) -> None:
        before = self.notice().reply
        self._reply(body)
        assert self.notice().reply == before

    @rule(seconds=st.sampled_from((-10.0, 1.0, 200.0, 880.0, 901.0)))
    def a_deferral_comes(self, seconds: float) -> None:
        self._reply(json.dumps({"result": "DEFER", "until": to_rfc3339(START + seconds)}).encode())

    def _reply(self, body: bytes) -> None:
        before, now = self.notice(), self.clock.now()
        try:
            verdict = self.do(self.vim.inbox.receive("t" * 43, body, now))
        except (InputError, ConflictError):
            assert self.notice().reply == before.reply
            return
        reply = self.notice().reply
        assert reply is not None
        if verdict.value == "duplicate":
            assert reply == before.reply
            return
        assert before.state not in SETTLED
        assert now < self.last_s or (before.state is NoticeState.ANSWERED and is_deferred(before))  # nobody has taken that up
        assert self.final is None
        if reply.result != "DEFER":
            self.final = reply.model_dump()
        else:
            assert reply.until is not None
            assert now < from_rfc3339(reply.until) <= START + REPLY_S + LIMITS.max_defer_s

    @rule(token=st.sampled_from(("u" * 43, "t" * 42, "", "../t", "t" * 200)))
    def a_forged_reply_comes(self, token: str) -> None:
        before = self.do(self.store.notices.replies(self.notice().id))
        try:
            self.do(self.vim.inbox.receive(token, BODIES[0], self.clock.now()))
        except NotFoundError:
            assert self.do(self.store.notices.replies(self.notice().id)) == before
            return
        raise AssertionError("a forged reply was taken")

    @invariant()
    def what_is_settled_stays_so(self) -> None:
        if self.runner is None:
            return
        notice = self.notice()
        if self.final is not None and not self.withdrawn:
            assert notice.state is NoticeState.ANSWERED
            assert notice.reply is not None
            assert notice.reply.model_dump() == self.final
        if self.ended is not None:
            assert notice.state in (self.ended, NoticeState.CANCELLED if self.withdrawn else self.ended)
        if notice.state in SETTLED:
            self.ended = notice.state
        if notice.state is NoticeState.SILENT:
            # Only who was told can be silent, and only when the time was over.
            assert notice.id in self.link.delivered
            assert notice.reply_by is not None
            assert self.clock.now() >= notice.reply_by - 0.01
        if notice.state is NoticeState.UNDELIVERABLE:
            assert notice.error_code
            assert notice.delivered_at is None

    def teardown(self) -> None:
        try:
            if self.runner is not None:
                self._has_ended()
        finally:
            if self.runner is not None:
                self.do(self.stop())
            self.loop.close()

    def _has_ended(self) -> None:
        # Deferrals that nobody accepts are an answer, too: what is left open has an end.
        self.do(self.clock.advance_to(self.last_s + 100))
        self.what_is_settled_stays_so()
        notice = self.notice()
        assert notice.state in (*SETTLED, NoticeState.ANSWERED)
        assert self.final is not None or notice.state in SETTLED or is_deferred(notice)
        assert self.woken or self.withdrawn
        said = [event for event in self.do(self.store.events.read()) if event.action == "notice.undeliverable"]
        lost = [event for event in said if event.object_id == notice.id]
        assert len(lost) <= 1
        assert len(lost) == 1 or self.ended is not NoticeState.UNDELIVERABLE


Negotiation.TestCase.settings = settings(max_examples=100, stateful_step_count=20, deadline=None)
TestNegotiation = Negotiation.TestCase
