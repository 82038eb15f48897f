"""The whole block in real time: SQLite, the system's clock, HTTP both ways, VNF managers as processes."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from contextlib import AsyncExitStack
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

BEHAVIOURS = ("moves", "follows", "refuse", "twice", "silent", "error-500")


class Late:
    """The inbox of a VIM Interface that is made after its listener."""

    inbox: Inbox

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
        clock, late = SystemClock(), Late()
        base_url = await stack.enter_async_context(served(vnfm_app(late, clock)))  # type: ignore[arg-type]
        native = ViVnfm(Accounts(Credentials(tmp_path)), base_url, timeout_s=5.0)
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
        runner = asyncio.create_task(vim.run())
        reply_by = clock.now() + 4.0
        for task in woken:
            await vim.ask(_ask(task, reply_by))
        await asyncio.wait_for(asyncio.gather(*(event.wait() for event in refused.values())), 30)
        assert clock.now() < reply_by
        await asyncio.wait_for(asyncio.gather(*(event.wait() for event in woken.values())), 30)
        assert clock.now() >= reply_by
        for task in woken:
            await _check(vim, task)
        await vim.tell(NoticeType.CAMPAIGN_COMPLETED, "c1", vnfms=["moves"], key="end")
        await _until_heard(managers["moves"], nodes + 1)
        runner.cancel()
        await asyncio.gather(runner, return_exceptions=True)
        assert len(keys) == len(set(keys)) == 2 * nodes
        assert await _verdicts(store) == {"accepted": 4 * nodes, "duplicate": nodes, "superseded": nodes}


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


async def _until_heard(process: VnfmProcess, count: int) -> None:
    for _ in range(1000):
        if len(process.lines("notified")) >= count:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(process.lines())


async def _verdicts(store: Store) -> dict[str, int]:
    found: dict[str, int] = {}
    for notice in await store.notices.list():
        for row in await store.notices.replies(notice.id):
            found[row["verdict"]] = found.get(row["verdict"], 0) + 1
    return found
