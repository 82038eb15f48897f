"""The whole block: SQLite, the system's clock, HTTP both ways, VNF managers as processes."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest

from beds.vnfm.listener import served
from beds.vnfm.processes import VnfmProcess, vnfm_process
from escalator.api.vnfm import vnfm_app
from escalator.clocks import SystemClock
from escalator.model.inventory import Instance
from escalator.model.notice import NoticeType, Vnfm, VnfmSpec
from escalator.settings import Vim as Limits
from escalator.storage.opening import open_sqlite
from escalator.storage.port import Store
from escalator.vim_interface.accounts import Accounts
from escalator.vim_interface.credentials import Credentials
from escalator.vim_interface.dialects.vi_vnfm import ViVnfm
from escalator.vim_interface.inbox import Inbox
from escalator.vim_interface.port import Ask
from escalator.vim_interface.vim import Parts, Vim

REPLY_TIMEOUT_S = 600.0
"""Long enough for every answer that comes, however busy the machine is; nobody waits for its end."""
PATIENCE_S = 60.0
BEHAVIOURS = ("moves", "follows", "refuse", "twice", "silent", "error-500")


class LeapingClock:
    """The system's clock, and ahead of it by what was leapt over: whoever sleeps until then wakes at once."""

    def __init__(self) -> None:
        self._system = SystemClock()
        self._ahead_s = 0.0
        self._leapt = asyncio.Event()

    def now(self) -> float:
        return self._system.now() + self._ahead_s

    async def sleep(self, seconds: float) -> None:
        end = self.now() + seconds
        while (left_s := end - self.now()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._leapt.wait(), left_s)

    def leap_to(self, when: float) -> None:
        self._ahead_s += max(0.0, when - self.now())
        leapt, self._leapt = self._leapt, asyncio.Event()
        leapt.set()


class Late:
    """The inbox of a VIM Interface that is made after its listener."""

    inbox: Inbox

    async def expect(self, *arguments: object) -> None:
        await self.inbox.expect(*arguments)  # type: ignore[arg-type]

    async def receive(self, *arguments: object) -> object:
        return await self.inbox.receive(*arguments)  # type: ignore[arg-type]

    async def show(self, token: str) -> object:
        return await self.inbox.show(token)


@pytest.mark.parametrize("nodes", [5])
async def test_answers_of_all_kinds_arrive_over_http_and_each_task_is_woken_by_a_refusal_and_by_the_last(
    tmp_path: Path, nodes: int
):
    refused: dict[str, asyncio.Event] = {f"c1/cn-{n}/1": asyncio.Event() for n in range(nodes)}
    woken = {task: asyncio.Event() for task in refused}
    keys: list[str] = []

    async def wake(task: str, topic: str, payload: Mapping[str, str]) -> None:
        assert topic == "answers"
        keys.append(payload["key"])
        (woken if refused[task].is_set() else refused)[task].set()

    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_sqlite(tmp_path / "escalator.sqlite"))
        clock, late = LeapingClock(), Late()
        base_url = await stack.enter_async_context(served(vnfm_app(late, clock)))  # type: ignore[arg-type]
        native = ViVnfm(Accounts(Credentials(tmp_path)), base_url, timeout_s=PATIENCE_S)
        stack.push_async_callback(native.close)
        limits = Limits(delivery_attempts=3, retry_s=0.1)
        vim = Vim(
            Parts(
                store=store,
                dialects={"vi-vnfm": native},
                clock=clock,
                credentials=Credentials(tmp_path),
                wake=wake,
                new_token=lambda: secrets.token_urlsafe(24),
                limits=limits,
                base_url=base_url,
            )
        )
        late.inbox = vim.inbox
        managers = {b: await _manager(stack, vim, tmp_path, b) for b in BEHAVIOURS}
        await vim.grace.give()  # before anything is asked, as a server does when it starts
        await stack.enter_async_context(running(vim))
        reply_by = clock.now() + REPLY_TIMEOUT_S
        for task in woken:
            await vim.ask(_ask(task, reply_by))
        await asyncio.wait_for(asyncio.gather(*(event.wait() for event in refused.values())), PATIENCE_S)
        await _until_answered(store, [*woken])
        assert clock.now() < reply_by
        assert not any(event.is_set() for event in woken.values())  # the silent one may still answer
        clock.leap_to(reply_by)
        await asyncio.wait_for(asyncio.gather(*(event.wait() for event in woken.values())), PATIENCE_S)
        for task in woken:
            await _check(vim, task)
        await vim.tell(NoticeType.CAMPAIGN_COMPLETED, "c1", vnfms=["moves"], key="end")
        await _until_heard(managers["moves"], nodes + 1)
        assert len(keys) == len(set(keys)) == 2 * nodes
        wanted = {"accepted": 4 * nodes, "duplicate": nodes, "superseded": nodes}
        async with asyncio.timeout(PATIENCE_S):
            while sum((found := await _verdicts(store)).values()) < sum(wanted.values()):  # noqa: ASYNC110 - storage tells nobody
                await asyncio.sleep(0.02)
        assert found == wanted


@asynccontextmanager
async def running(vim: Vim) -> AsyncIterator[None]:
    """Let it work, and have it ended before its connections are closed, also where the test fails: later it would open others."""
    runner = asyncio.create_task(vim.run())
    try:
        yield
    finally:
        runner.cancel()
        await asyncio.gather(runner, return_exceptions=True)


async def _manager(stack: AsyncExitStack, vim: Vim, folder: Path, behaviour: str) -> VnfmProcess:
    process = stack.enter_context(vnfm_process(folder / f"{behaviour}.jsonl", "--behaviour", behaviour))
    await vim.registry.add(Vnfm(name=behaviour, spec=VnfmSpec(callback_uri=process.callback_uri, projects=(behaviour,))))
    return process


def _ask(task: str, reply_by: float) -> Ask:
    node = task.split("/")[1]
    instances = tuple(Instance(id=f"{behaviour}-{node}", project=behaviour, node=node) for behaviour in BEHAVIOURS)
    planned = {i.id: "live" for i in instances}
    return Ask(
        task=task, campaign="c1", node=node, instances=instances, planned=planned, reply_by=reply_by, action_at=reply_by + 1
    )


async def _check(vim: Vim, task: str) -> None:
    answers = {a.vnfm: a for a in await vim.answers(task)}
    assert {name: (a.state, a.result) for name, a in answers.items()} == {
        "moves": ("answered", "ACK"),
        "follows": ("answered", "ACK"),
        "refuse": ("answered", "NACK"),
        "twice": ("answered", "ACK"),
        "silent": ("silent", None),
        "error-500": ("undeliverable", None),
    }
    assert set(answers["follows"].dispositions.values()) == {"MIGRATE"}


async def _until_answered(store: Store, tasks: Sequence[str]) -> None:
    """Wait until nothing is open but what the silent one has and does not answer."""
    settled = {(name, "answered") for name in BEHAVIOURS} | {("error-500", "undeliverable"), ("silent", "delivered")}
    async with asyncio.timeout(PATIENCE_S):
        while not {(n.vnfm, n.state.value) for task in tasks for n in await store.notices.for_task(task)} <= settled:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.02)


async def _until_heard(process: VnfmProcess, count: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while len(process.lines("notified")) < count:  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.01)


async def _verdicts(store: Store) -> dict[str, int]:
    found: dict[str, int] = {}
    for notice in await store.notices.list():
        for row in await store.notices.replies(notice.id):
            found[row["verdict"]] = found.get(row["verdict"], 0) + 1
    return found
