"""The VIM Interface with its VNF managers, over each dialect: processes behind HTTP, and the simulated world."""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from beds.vnfm.clocks import SteppedClock, quiet
from beds.vnfm.listener import served
from beds.vnfm.processes import VnfmProcess, vnfm_process
from escalator.api.fenix_sessions import sessions_router
from escalator.api.vnfm import vnfm_app
from escalator.api.vnfm_throttle import Throttled
from escalator.model.codes import Code
from escalator.model.errors import TemporaryError
from escalator.model.inventory import Instance
from escalator.model.notice import Notice, Vnfm, VnfmSpec
from escalator.settings import ClientCertificate
from escalator.settings import Vim as Limits
from escalator.storage.memory import memory_store
from escalator.storage.port import Store
from escalator.upgrade_manager.sessions import Sessions
from escalator.vim_interface.accounts import Accounts, Subscribed
from escalator.vim_interface.credentials import Credentials
from escalator.vim_interface.dialect import Dialect
from escalator.vim_interface.dialects.fenix import Fenix
from escalator.vim_interface.dialects.http import Http
from escalator.vim_interface.dialects.simulated import Simulated
from escalator.vim_interface.dialects.tacker import Tacker
from escalator.vim_interface.dialects.vi_vnfm import ViVnfm
from escalator.vim_interface.fenix.access import Access
from escalator.vim_interface.fenix.face import Face
from escalator.vim_interface.fenix.hints import Hints
from escalator.vim_interface.fenix.instances import ProjectInstances
from escalator.vim_interface.port import Answer, Ask
from escalator.vim_interface.subscriptions import Subscribing
from escalator.vim_interface.tacker.face import Doors
from escalator.vim_interface.tacker.face import Face as TackerFace
from escalator.vim_interface.tacker.heals import Heals
from escalator.vim_interface.throttle import Throttle
from escalator.vim_interface.vault import KEY_FILE, open_vault
from escalator.vim_interface.vim import Parts, Vim
from escalator.world.records import VnfmRow
from escalator.world.world import World

TASK = "c1/cn-1/1"
INSTANCES = (
    Instance(id="vm-1", project="p1", node="cn-1"),
    Instance(id="vm-2", project="p2", node="cn-1"),
    Instance(id="vm-3", project="free", node="cn-1"),
)
REPLY_TIMEOUT_S = 300.0
TURNS = 12_000
"""How often is looked for what is waited for. Real VNF managers are given a minute: a busy machine takes its time."""
ALARMS = 5
"""Alarms that a project may have, of the dialect tacker."""


@dataclass
class Bed:
    """One VIM Interface over one dialect. Time stands still unless the test lets it pass."""

    name: str
    clock: SteppedClock
    folder: Path
    store: Store = field(default_factory=memory_store)
    woken: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    processes: dict[str, VnfmProcess] = field(default_factory=dict)
    dialects: dict[str, Dialect] = field(default_factory=dict)
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    base_url: str = ""
    tokens: dict[str, str] = field(default_factory=dict)
    """Keystone's tokens with their projects, for the dialects fenix and tacker."""
    roles: dict[str, set[str]] = field(default_factory=dict)
    """Roles that tokens carry."""
    sessions: Sessions | None = None
    """Sessions that administrators start, for the dialect fenix."""
    looks: int = 0
    """How often the cloud was asked for everything."""
    cloud: tuple[Instance, ...] = INSTANCES
    """What the cloud knows, apart from servers that a VNF manager deleted; for the dialect tacker."""
    fault_id: str | None = None
    """The word that notifications of the dialect tacker carry."""
    blind: str = ""
    """Why the cloud does not say who is where: it `refuses`, or `hangs`."""
    most_wrong: int = 1_000_000
    """Wrong credentials that the listener hears in a minute."""
    http: Http = field(init=False, repr=False)
    heals: Heals = field(init=False, repr=False)
    vim: Vim = field(init=False, repr=False)
    subscribing: Subscribing = field(init=False, repr=False)
    runner: asyncio.Task[None] | None = None
    world: World = field(init=False, repr=False)

    def build(self) -> None:
        if self.name == "tacker":
            self.heals = Heals(self.store.alarms, self.clock, self.present, self.known)
            self.dialects["tacker"] = Tacker(self.http, self.store.alarms, self.heals, self.clock, self.fault_id)
        self.vim = self.another()
        if self.name == "tacker":
            self.heals.on_reply = partial(self.vim.look, "tacker")

    async def present(self, node: str) -> set[str]:
        """Instances on a node now: a server that a VNF manager deleted is on none."""
        if self.blind == "hangs":
            await asyncio.Event().wait()
        if self.blind:
            raise TemporaryError(Code.CLD_UNREACHABLE, "The cloud does not answer.")
        await asyncio.sleep(0.01)
        return {i.id for i in self.cloud if i.node == node} - self._deleted()

    async def known(self, instance: str) -> Instance | None:
        """What the cloud knows of an instance."""
        return next((i for i in self.cloud if i.id == instance and instance not in self._deleted()), None)

    def _deleted(self) -> set[str]:
        return {line["server"] for process in self.processes.values() for line in process.lines("deleted")}

    def another(self) -> Vim:
        """A VIM Interface on the same storage, as a second replica has it."""

        async def wake(task: str, topic: str, payload: dict[str, str]) -> None:
            self.woken.append((task, topic, dict(payload)))

        return Vim(
            Parts(
                store=self.store,
                dialects=self.dialects,
                clock=self.clock,
                credentials=Credentials(self.folder),
                wake=wake,
                new_token=lambda: secrets.token_urlsafe(32),
                limits=Limits(),
                base_url=self.base_url,
            )
        )

    def start(self, sweep_s: float | None = None) -> None:
        self.runner = asyncio.create_task(self.vim.run(sweep_s))

    async def stop(self) -> None:
        if self.runner is not None:
            self.runner.cancel()
            await asyncio.gather(self.runner, return_exceptions=True)
            self.runner = None
        if self.name == "tacker":
            await self.heals.close()

    async def restart(self) -> None:
        """What a crash of the manager does: everything but storage is gone."""
        await self.stop()
        self.build()
        self.start()

    async def vnfm(self, name: str, behaviour: str, project: str) -> None:
        """Register a VNF manager that owns a project and behaves in one way."""
        if self.name == "simulated":
            row = VnfmRow(name=name, behaviour=behaviour, delay_s=20.0, defer_s=60.0, projects=(project,))  # type: ignore[arg-type]
            self.world.vnfms.put(row)
            await self.vim.registry.add(row.registration())
            return
        if behaviour == "unreachable":
            uri = f"http://127.0.0.1:{_closed_port()}/notices"
        else:
            hold = ("--hold",) if behaviour == "late" else ()
            behaviour = {"late": "moves"}.get(behaviour, behaviour)
            log = self.folder / f"{name}.jsonl"
            process = self.stack.enter_context(vnfm_process(log, "--behaviour", behaviour, "--defer", "60", *hold))
            self.processes[name] = process
            uri = process.callback_uri
        await self.vim.registry.add(Vnfm(name=name, spec=VnfmSpec(callback_uri=uri, projects=(project,))))

    async def go_on(self, name: str) -> None:
        """Let a reply that waits, or comes later, arrive."""
        if self.name == "simulated":
            await self.clock.advance(60.0)
        else:
            self.processes[name].control(release=True)

    async def ask(self, task: str = TASK, vim: Vim | None = None) -> tuple[str, ...]:
        now = self.clock.now()
        return await (vim or self.vim).ask(
            Ask(
                task=task,
                campaign="c1",
                node="cn-1",
                instances=INSTANCES,
                planned={i.id: "live" for i in INSTANCES},
                reply_by=now + REPLY_TIMEOUT_S,
                action_at=now + REPLY_TIMEOUT_S + 1,
            )
        )

    async def until(self, condition: Callable[[], bool], *, passing: bool = False) -> None:
        """Go on until the condition holds. Simulated replies need time that passes; real ones come by themselves."""
        for _ in range(TURNS):
            await quiet()
            if condition():
                return
            if self.name == "simulated" or passing:
                await self.clock.advance(1.0)
            if self.name != "simulated":
                await asyncio.sleep(0.005)
        raise AssertionError("this did not happen")

    async def until_woken(self, times: int = 1, *, passing: bool = False) -> None:
        await self.until(lambda: len(self.woken) >= times, passing=passing)
        await quiet()
        assert len(self.woken) == times

    async def answer(self, vnfm: str, task: str = TASK) -> Answer:
        return next(a for a in await self.vim.answers(task) if a.vnfm == vnfm)

    async def notice(self, vnfm: str, task: str = TASK) -> Notice:
        return next(n for n in await self.store.notices.for_task(task) if n.vnfm == vnfm)

    async def until_state(self, vnfm: str, state: str, task: str = TASK) -> None:
        for _ in range(TURNS):
            await quiet()
            if (await self.notice(vnfm, task)).state.value == state:
                return
            await asyncio.sleep(0 if self.name == "simulated" else 0.005)
        raise AssertionError(f"{vnfm} is {(await self.notice(vnfm, task)).state}")

    async def until_failed_once(self, vnfm: str) -> None:
        """Wait until a delivery was tried and failed."""
        for _ in range(TURNS):
            await quiet()
            if (await self.notice(vnfm)).attempts > 0:
                return
            await asyncio.sleep(0.005)
        raise AssertionError(f"{vnfm} is {(await self.notice(vnfm)).state}")

    async def until_verdict(self, vnfm: str, *verdicts: str) -> None:
        """Wait until these replies stand in the inbox."""
        notice = (await self.notice(vnfm)).id
        for _ in range(TURNS):
            await quiet()
            found = [row["verdict"] for row in await self.store.notices.replies(notice)]
            if len(found) >= len(verdicts):
                break
            if self.name == "simulated":
                await self.clock.advance(1.0)
            else:
                await asyncio.sleep(0.005)
        assert tuple(found) == verdicts

    def heard(self, vnfm: str) -> list[tuple[str, str]]:
        """Type and id of what the VNF manager got, each delivery."""
        if self.name == "simulated":
            return [(h.type, h.notice) for h in self.world.vnfms.heard(vnfm) for _ in range(h.times)]
        lines = self.processes[vnfm].lines("notified")
        return [(line["body"]["notificationType"], line["body"]["id"]) for line in lines]


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _listener(bed: Bed) -> AbstractAsyncContextManager[str]:
    """The VNF managers' listener; it serves whatever inbox the bed has now."""

    class Current:
        async def expect(self, *arguments: object) -> None:
            await bed.vim.inbox.expect(*arguments)  # type: ignore[arg-type]

        async def receive(self, *arguments: object) -> object:
            return await bed.vim.inbox.receive(*arguments)  # type: ignore[arg-type]

        async def show(self, *arguments: object) -> object:
            return await bed.vim.inbox.show(*arguments)  # type: ignore[arg-type]

    async def everything() -> tuple[Instance, ...]:
        bed.looks += 1
        return INSTANCES

    async def one(instance: str) -> Instance | None:
        return next((i for i in INSTANCES if i.id == instance), None)

    class CurrentSubscribing:
        def __getattr__(self, name: str) -> object:
            return getattr(bed.subscribing, name)

    class Above:
        async def subscription(self, name: str) -> object:
            return await bed.vim.orchestrators.subscription(name)

    async def project_of(token: str) -> str | None:
        return bed.tokens.get(token)

    class CurrentHeals:
        async def look_at(self, notice: Notice) -> None:
            if bed.name == "tacker":
                await bed.heals.look_at(notice)

    async def name_of(token: str) -> str | None:
        return f"name-of-{bed.tokens[token]}" if token in bed.tokens else None

    async def owner_of(instance: str) -> str | None:
        return next((i.project for i in bed.cloud if i.id == instance), None)

    inbox: Any = Current()
    heals: Any = CurrentHeals()
    subscribing: Any = CurrentSubscribing()
    above: Any = Above()
    if bed.name == "vi-vnfm":
        return served(_throttled(bed, vnfm_app(inbox, bed.clock, subscribing=subscribing, orchestrators=above)))

    async def roles_of(token: str) -> set[str]:
        return bed.roles.get(token, set())

    access = Access(project_of, roles_of)
    instances = ProjectInstances(everything, one, bed.clock)
    face = Face(bed.store, inbox, bed.clock, access, instances)
    doors = Doors(access=access, name_of=name_of, credentials=Credentials(bed.folder))
    tacker = TackerFace(bed.store, heals, bed.clock, doors, owner_of, ALARMS)
    app = vnfm_app(inbox, bed.clock, face, tacker, subscribing, above)
    if bed.sessions is not None:
        face.gone = bed.sessions.gone
        app.include_router(sessions_router(bed.sessions, access))
    return served(_throttled(bed, app))


def _throttled(bed: Bed, app: FastAPI) -> FastAPI:
    app.add_middleware(Throttled, throttle=Throttle(bed.clock, bed.most_wrong))
    return app


@asynccontextmanager
async def opened_bed(
    dialect: str,
    folder: Path,
    *,
    timeout_s: float = 5.0,
    certificate: Path | None = None,
    sessions: Sessions | None = None,
    most_wrong: int = 1_000_000,
) -> AsyncIterator[Bed]:
    """A bed over one dialect, with its dispatcher running. `timeout_s` bounds a delivery over HTTP, in real time.

    `certificate` is Escalator's own, with its key. VNF managers may subscribe at 127.0.0.1 and localhost.
    """
    bed = Bed(dialect, SteppedClock(float(int(time.time()))), folder, sessions=sessions, most_wrong=most_wrong)
    async with bed.stack:
        if dialect == "simulated":
            bed.world = World.in_memory(bed.clock)
            bed.dialects["simulated"] = Simulated(bed.world.vnfms)
        else:
            bed.base_url = await bed.stack.enter_async_context(_listener(bed))
            if dialect == "fenix":
                fenix = Fenix(Accounts(Credentials(folder)), Hints(bed.store), bed.base_url, timeout_s)
                bed.dialects["fenix"] = fenix
                bed.stack.push_async_callback(fenix.close)
            bed.http = Http(Accounts(Credentials(folder)), timeout_s)
            bed.stack.push_async_callback(bed.http.close)
            subscribed = Subscribed(bed.store.subscriptions, open_vault(folder / KEY_FILE), ("127.0.0.1", "localhost"))
            files = ClientCertificate(certificate=None if certificate is None else str(certificate))
            accounts = Accounts(Credentials(folder), bed.clock, files, subscribed)
            native = ViVnfm(accounts, bed.base_url, timeout_s)
            bed.dialects["vi-vnfm"] = native
            bed.subscribing = Subscribing(bed.store, accounts, subscribed, native.probe, bed.base_url)
            bed.stack.push_async_callback(native.close)
        bed.build()
        bed.start()
        try:
            yield bed
        finally:
            await bed.stop()
