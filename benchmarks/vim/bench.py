"""Notices to many VNF managers over HTTP: how many a second are delivered and answered, in how much memory, how late.

    python benchmarks/vim/bench.py                      # 1,000 VNF managers, 10,000 instances on 100 nodes
    python benchmarks/vim/bench.py --store memory
    python benchmarks/vim/bench.py --repeat 3
    python benchmarks/vim/bench.py --tls

Each node has instances of as many VNF managers, so that every notice is about one instance: the most notices that so many
instances can need. The campaign asks for `--at-once` nodes at a time, as its waves would, and for the next one when a node's
answers are complete. With `--hosts own` each VNF manager has an address of its own, so that few connections are used again
(they listen on all addresses of the machine then). With `--tls` the VNF managers and the listener have certificates of an
authority of the moment, which both sides trust, and verify. The VNF managers are a process of their own; Escalator's side is the
VIM Interface with its database and its listener, as in a server. Memory is the peak of that process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import secrets
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from escalator.api.listener import listener_config
from escalator.api.listener_tls import listener_context
from escalator.api.vnfm import vnfm_app
from escalator.api.vnfm_throttle import Throttled
from escalator.clocks import SystemClock
from escalator.logs import configure_logs
from escalator.model.inventory import Instance
from escalator.model.notice import Vnfm, VnfmSpec
from escalator.settings import ListenerTls, Log, Settings
from escalator.storage.memory import memory_store
from escalator.storage.opening import open_store
from escalator.storage.port import Store
from escalator.vim_interface.accounts import Accounts
from escalator.vim_interface.credentials import Credentials
from escalator.vim_interface.dialects.vi_vnfm import ViVnfm
from escalator.vim_interface.port import Ask
from escalator.vim_interface.throttle import Throttle
from escalator.vim_interface.vim import Parts, Vim

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests")]

from beds.vnfm.authority import Authority  # noqa: E402 - found by the path above

MANAGERS = Path(__file__).with_name("managers.py")


@asynccontextmanager
async def opened(kind: str, folder: Path) -> AsyncIterator[Store]:
    """The storage of a server, or none that lasts."""
    if kind == "memory":
        yield memory_store()
        return
    async with open_store(Settings(state_dir=str(folder / "state"))) as store:
        yield store


async def measure(given: argparse.Namespace, port: int, folder: Path) -> dict[str, Any]:
    """One campaign's asking, from the first notice to the last answer."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    scheme = "https" if given.tls else "http"
    base_url = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
    clock = SystemClock()
    complete: dict[str, asyncio.Event] = {}

    async def wake(task: str, _topic: str, _payload: dict[str, str]) -> None:
        complete[task].set()

    async with opened(given.store, folder) as store:
        credentials = Credentials(folder)
        native = ViVnfm(Accounts(credentials), base_url, 30.0)
        parts = Parts(
            store=store,
            dialects={"vi-vnfm": native},
            clock=clock,
            credentials=credentials,
            wake=wake,
            new_token=lambda: secrets.token_urlsafe(24),
            base_url=base_url,
        )
        vim = Vim(parts)
        for number in range(given.managers):
            name = f"vnfm-{number:05}"
            host = f"127.1.{number // 250}.{number % 250 + 1}" if given.hosts == "own" else "127.0.0.1"
            spec = VnfmSpec(callback_uri=f"{scheme}://{host}:{port}/{name}", projects=(name,))
            await store.vnfms.add(Vnfm(name=name, spec=spec))
        app = vnfm_app(vim.inbox, clock)
        app.add_middleware(Throttled, throttle=Throttle(clock, 10))
        own = listener_context("vnfm", ListenerTls(certificate=str(folder / "listener.pem"))) if given.tls else None
        server = uvicorn.Server(listener_config(app, own))
        serving = asyncio.create_task(server.serve([listener]))
        dispatcher = asyncio.create_task(vim.run())
        before = resource.getrusage(resource.RUSAGE_SELF)
        began = time.monotonic()
        lanes = asyncio.Semaphore(given.at_once)

        async def turn(node: int) -> None:
            async with lanes:
                task = f"bench/cn-{node:05}/1"
                complete[task] = asyncio.Event()
                await vim.ask(_ask(task, node, given, clock.now()))
                await complete[task].wait()

        async with asyncio.TaskGroup() as group:
            for node in range(given.nodes):
                group.create_task(turn(node))
        wall_s = time.monotonic() - began
        after = resource.getrusage(resource.RUSAGE_SELF)
        async with httpx.AsyncClient(trust_env=False, verify=ssl.create_default_context()) as client:
            report = (await client.get(f"{scheme}://127.0.0.1:{port}/report")).json()
        dispatcher.cancel()
        server.should_exit = True
        await serving
        await native.close()
    notices = given.nodes * given.per_node
    assert report["statuses"] == {"204": notices}, report["statuses"]
    late = sorted(report["late"])
    return {
        "notices": notices,
        "per_s": notices / wall_s,
        "cpu_ms": 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / notices,
        "p50_s": statistics.median(late),
        "p95_s": late[int(len(late) * 0.95)],
        "peak_mb": after.ru_maxrss / 1024,
    }


def _ask(task: str, node: int, given: argparse.Namespace, now: float) -> Ask:
    owners = [f"vnfm-{(node * given.per_node + n) % given.managers:05}" for n in range(given.per_node)]
    instances = tuple(Instance(id=f"vm-{node:05}-{n:04}", project=owner, node=f"cn-{node:05}") for n, owner in enumerate(owners))
    return Ask(
        task=task,
        campaign="bench",
        node=f"cn-{node:05}",
        instances=instances,
        planned={instance.id: "live" for instance in instances},
        reply_by=now + 600,
        action_at=now + 601,
    )


def main() -> None:
    """Measure in a process of its own each time, and print medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--managers", type=int, default=1000)
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--per-node", type=int, default=100)
    parser.add_argument("--at-once", type=int, default=10, help="nodes whose VNF managers are asked at the same time")
    parser.add_argument("--store", choices=("sqlite", "memory"), default="sqlite")
    parser.add_argument("--hosts", choices=("one", "own"), default="one", help="whether VNF managers share an address")
    parser.add_argument("--tls", action="store_true", help="TLS to the VNF managers and on the listener")
    parser.add_argument("--repeat", type=int, default=1)
    given = parser.parse_args()
    if given.repeat == 1:
        print(json.dumps(_one(given)))
        return
    words = [word for word in sys.argv[1:] if word not in ("--repeat", str(given.repeat))]
    runs = [json.loads(subprocess.check_output([sys.executable, __file__, *words])) for _ in range(given.repeat)]
    print(json.dumps({key: statistics.median(run[key] for run in runs) for key in runs[0]}))


def _one(given: argparse.Namespace) -> dict[str, Any]:
    configure_logs(Log(level="error"))
    host = "0.0.0.0" if given.hosts == "own" else "127.0.0.1"
    with tempfile.TemporaryDirectory() as folder:
        words = ["--host", host, *(_certificates(Path(folder)) if given.tls else ())]
        with subprocess.Popen([sys.executable, MANAGERS, *words], stdout=subprocess.PIPE) as process:
            try:
                assert process.stdout is not None
                port = json.loads(process.stdout.readline())["port"]
                return asyncio.run(measure(given, port, Path(folder)))
            finally:
                process.kill()


def _certificates(folder: Path) -> tuple[str, ...]:
    """Make them, and have both processes trust their authority as their machine's; the VNF managers' argument."""
    authority = Authority(folder)
    authority.issue("listener")
    os.environ["SSL_CERT_FILE"] = str(authority.file)
    return "--certificate", str(authority.issue("managers"))


if __name__ == "__main__":
    main()
