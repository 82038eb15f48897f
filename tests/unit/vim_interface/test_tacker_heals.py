"""Whatever Tacker and the cloud do in whatever order: an answer is given when, and only when, it was earned."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from beds.vnfm.clocks import START, SteppedClock, quiet
from escalator.model.alarm import Alarm
from escalator.model.notice import AffectedResource, Notice, NoticeState, NoticeType
from escalator.storage.memory import memory_store
from escalator.storage.port import Alarms
from escalator.vim_interface.tacker.heals import LOOK_S, MARGIN_S, Heals, turn_of

VMS = ("vm-1", "vm-2")
REPLY_BY = START + 60.0
NOTICE = Notice(
    id="n1",
    type=NoticeType.HOST_MAINTENANCE_UPCOMING,
    vnfm="core",
    campaign="c1",
    node="cn-1",
    task="c1/cn-1/1~2",
    resources=tuple(AffectedResource(resource_id=vm, project_id="p1", planned_action="live") for vm in VMS),
    created_at=START,
    reply_by=REPLY_BY,
    state=NoticeState.DELIVERED,
    reply_token="token",
)
Event = tuple[str, str]
BEGIN: list[Event] = [(what, vm) for what in ("registered", "told") for vm in VMS]
HEALING: list[Event] = [(what, vm) for what in ("ended", "left") for vm in VMS]
EVENTS = st.tuples(st.sampled_from(["registered", "told", "ended", "left", "restarted", "time passes"]), st.sampled_from(VMS))


@dataclass
class Told:
    """What is true of the VMs, kept beside what is tested."""

    live: set[str] = field(default_factory=set)
    told: set[str] = field(default_factory=set)
    released: set[str] = field(default_factory=set)
    here: set[str] = field(default_factory=lambda: set(VMS))


@dataclass
class Play:
    alarms: Alarms
    clock: SteppedClock
    truth: Told = field(default_factory=Told)
    wrong: list[str] = field(default_factory=list)

    def start(self) -> Heals:
        heals = Heals(self.alarms, self.clock, self.present, self.known)
        heals.on_reply = self.check
        return heals

    async def present(self, node: str) -> set[str]:
        assert node == "cn-1"
        return set(self.truth.here)

    async def known(self, vm: str) -> str | None:
        return vm if vm in self.truth.here else None

    def check(self) -> None:
        now, truth = self.clock.now(), self.truth
        if not truth.here <= truth.released or truth.told | truth.released != set(VMS):
            self.wrong.append(f"answered with {self.truth}")
        if self.truth.here and now < REPLY_BY - MARGIN_S:
            self.wrong.append(f"answered {REPLY_BY - now} s before the deadline with {self.truth.here} there")

    async def do(self, heals: Heals, event: Event) -> Heals:
        what, vm = event
        truth = self.truth
        match what:
            case "registered":
                alarm = Alarm(id=vm, project="p1", server=vm, fault_action="", fault_ids=("1111",), registered_at=0.0)
                await self.alarms.put(alarm, per_server=9, per_project=9)
                truth.live.add(vm)
                truth.told.discard(vm)
                truth.released.discard(vm)
            case "told":
                if await self.alarms.mark(vm, notice=NOTICE.id, turn=turn_of(NOTICE), told_at=self.clock.now()) is not None:
                    truth.told.add(vm)
                    await heals.look_at(NOTICE)
            case "ended":
                if await self.alarms.end(vm, self.clock.now()) is not None:
                    truth.live.discard(vm)
                    truth.released |= {vm} & truth.told
                    await heals.look_at(NOTICE)
            case "left":
                truth.here.discard(vm)
            case "restarted":
                await heals.close()
                heals = self.start()
                await heals.look_at(NOTICE)
            case _:
                await self.clock.advance(LOOK_S)
        await quiet(20)
        return heals


async def play(events: Sequence[Event]) -> None:
    run = Play(memory_store().alarms, SteppedClock())
    heals = run.start()
    for event in events:
        heals = await run.do(heals, event)
    truth, now = run.truth, run.clock.now()
    gone = not truth.here and truth.told | truth.released == set(VMS) and now < REPLY_BY - MARGIN_S - LOOK_S
    ready = truth.released == set(VMS) or gone
    await run.clock.advance_to(REPLY_BY - MARGIN_S if truth.here or gone else now + LOOK_S)
    await quiet()
    answered = {reply.reference: dict(reply.body.instances) for reply in heals.replies()}
    await heals.close()
    assert run.wrong == []
    if ready and run.clock.now() < REPLY_BY:
        assert answered == {NOTICE.id: dict.fromkeys(VMS, "OWN_ACTION")}


@settings(max_examples=150, deadline=None)
@given(begun=st.booleans(), events=st.lists(EVENTS, max_size=14))
def test_an_answer_is_given_when_it_is_earned_and_never_before(begun: bool, events: list[Event]) -> None:
    asyncio.run(play([*(BEGIN if begun else ()), *events]))


@settings(max_examples=150, deadline=None)
@given(order=st.permutations([*HEALING, ("registered", "vm-1"), ("time passes", "")]), count=st.integers(0, 6))
def test_in_whatever_order_vms_leave_and_alarms_end(order: list[Event], count: int) -> None:
    asyncio.run(play([*BEGIN, *order[:count]]))
