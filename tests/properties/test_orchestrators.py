"""Whatever happens on the way to an orchestrator, it hears everything in order, or the history says what it does not hear."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from beds.vnfm.clocks import SteppedClock, quiet
from escalator.model.notice import NoticeState
from escalator.settings import Vim as Limits
from escalator.storage.memory import memory_store
from escalator.vim_interface.credentials import Credentials
from escalator.vim_interface.dialects.simulated import SimulatedOrchestrators
from escalator.vim_interface.facts import StateChange
from escalator.vim_interface.vim import Parts, Vim
from escalator.world.records import VnfmRow
from escalator.world.rules import Fault
from escalator.world.world import World

NAMES = ("nfvo-1", "nfvo-2")
ACTIONS = st.one_of(
    st.tuples(st.just("tell"), st.integers(1, 3)),
    st.tuples(st.just("again"), st.integers(0, 5)),
    st.tuples(st.just("pass"), st.sampled_from((0.0, 4.0, 30.0, 3600.0))),
    st.tuples(st.sampled_from(("down", "up")), st.sampled_from(NAMES)),
    st.tuples(st.just("fault"), st.sampled_from(("fail", "retry", "lost"))),
    st.tuples(st.just("restart"), st.just(0)),
)


class Life:
    """Two orchestrators, and a VIM Interface that dies now and then."""

    def __init__(self) -> None:
        self.clock = SteppedClock()
        self.world = World.in_memory(self.clock)
        self.store = memory_store()
        self.facts: list[StateChange] = []
        self.runner: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        for name in NAMES:
            row = VnfmRow(name=name, behaviour="silent", orchestrator=True)
            self.world.vnfms.put(row)
            await self.store.vnfms.add(row.registration())
        self.start()

    def start(self) -> None:
        async def wake(*_: object) -> None:
            raise AssertionError("nobody waits for an orchestrator")

        parts = Parts(
            store=self.store,
            dialects={"or-vi": SimulatedOrchestrators(self.world.vnfms)},
            clock=self.clock,
            credentials=Credentials(None),  # type: ignore[arg-type]  # none are read
            wake=wake,
            new_token=lambda: "token",
            limits=Limits(),
        )
        self.vim = Vim(parts)
        self.runner = asyncio.create_task(self.vim.run())

    async def stop(self) -> None:
        assert self.runner is not None
        self.runner.cancel()
        await asyncio.gather(self.runner, return_exceptions=True)

    async def act(self, what: str, how: object) -> None:
        match what:
            case "tell":
                for _ in range(int(str(how))):
                    self.facts.append(StateChange(campaign="c", number=len(self.facts), state="paused"))
                    await self.vim.orchestrators.tell(self.facts[-1])
            case "again" if self.facts:
                await self.vim.orchestrators.tell(self.facts[int(str(how)) % len(self.facts)])
            case "pass":
                await self.clock.advance(float(str(how)))
            case "down" | "up":
                self.world.vnfms.behave(str(how), "unreachable" if what == "down" else "silent")
            case "fault":
                self.world.faults.add(Fault(kind="delivery", effect=how, first=1))  # type: ignore[arg-type]  # one of its words
            case "restart":
                await self.stop()
                self.start()
        await quiet(20)

    async def end(self) -> None:
        """All trouble is over, and time passes."""
        self.world.faults.clear()
        for name in NAMES:
            self.world.vnfms.behave(name, "silent")
        await self.clock.advance(200.0)
        await self.stop()


async def play(actions: list[tuple[str, object]]) -> None:
    life = Life()
    await life.begin()
    for what, how in actions:
        await life.act(what, how)
    await life.end()
    events = [event for event in await life.store.events.read() if event.action == "notice.undeliverable"]
    given_up = {event.object_id for event in events}
    assert len(given_up) == len(events)
    for name in NAMES:
        notices = [notice for notice in reversed(await life.store.notices.list()) if notice.vnfm == name]
        assert len(notices) == len(life.facts)
        assert [n.created_at for n in notices] == sorted({n.created_at for n in notices})
        heard = [one.notice for one in life.world.vnfms.heard(name)]
        # Whose answer was lost may refuse the same thing when it comes again: it heard, and it is given up all the same.
        assert heard == [notice.id for notice in notices if notice.id in heard]
        assert {notice.id for notice in notices} == {*heard, *given_up} & {notice.id for notice in notices}
        assert all((n.state is NoticeState.UNDELIVERABLE) == (n.id in given_up) for n in notices)
        assert all(n.state in (NoticeState.UNDELIVERABLE, NoticeState.DELIVERED) for n in notices)


@settings(max_examples=60, deadline=None)
@given(st.lists(ACTIONS, max_size=25))
def test_an_orchestrator_hears_everything_in_order_whatever_happens_on_the_way(actions: list[tuple[str, object]]) -> None:
    asyncio.run(play(actions))
