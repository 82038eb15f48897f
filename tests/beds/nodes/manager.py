"""A manager's end for tests on the bed: releases imported, their repository served, and the `packages` driver on top."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

from beds.nodes.bed import NodesBed
from beds.nodes.bundles import bundle
from escalator.clocks import SystemClock
from escalator.model.node_settings import AnsibleDriver, Ssh, System
from escalator.model.release import Release
from escalator.storage.memory import memory_store
from escalator.system_support.ansible.driver import AnsibleSystem, Resources
from escalator.system_support.packages.driver import PackagesSystem, Source
from escalator.system_support.port import OperationState, Progress
from escalator.system_support.releases.repository import Repository
from escalator.system_support.releases.store import ReleaseStore
from escalator.system_support.ssh import Ssh as Over

Opened = TypeVar("Opened", PackagesSystem, Over)


class Manager:
    """What the server wires together, for one bed. `settle_s` is short: bad versions are waited for in vain."""

    def __init__(
        self, bed: NodesBed, state: Path, port: int, settle_s: float = 2.0, folders: Mapping[str, Path] | None = None
    ) -> None:
        self.bed = bed
        self.state = state
        self.folders = folders or {}
        self.clock = SystemClock()
        self.store = ReleaseStore(state, memory_store().releases, self.clock)
        self._credentials = bed.key.parent
        self._url = f"http://{bed.manager_address}:{port}"
        self._settle_s = settle_s
        self._open: list[PackagesSystem | Over] = []

    def ssh(self, **changes: object) -> Ssh:
        """SSH settings for the bed's nodes, some of them changed."""
        usual = {"key": self.bed.key.name, "known_hosts": str(self.bed.known_hosts), "addresses": self.bed.addresses()}
        return Ssh.model_validate({**usual, "connect_timeout_s": 15.0, **changes})

    def driver(self, **changes: object) -> PackagesSystem:
        """A fresh driver, as after a restart of the manager."""
        source = Source(self._url, self.store.repository.public_key)
        system = System(ssh=self.ssh(**changes), settle_s=self._settle_s)
        return self.keep(PackagesSystem(system, self._credentials, source, self.clock))

    def over(self, credentials: Path | None = None, **changes: object) -> Over:
        """Commands on nodes; `changes` are to the SSH settings."""
        return self.keep(Over(self.ssh(**changes), credentials or self._credentials))

    def keep(self, opened: Opened) -> Opened:
        """Close it with the rest when the test ends."""
        self._open.append(opened)
        return opened

    async def close(self) -> None:
        """Close the connections of every driver that was made."""
        while self._open:
            await self._open.pop().close()

    def ansible(self, node: str, ansible: AnsibleDriver | None = None, **changes: object) -> AnsibleSystem:
        """A fresh driver of playbooks, as after a restart of the manager; `changes` are to its SSH settings.

        Each node has a state folder of its own, so that tests may use the same operation ids.
        """
        system = System(ssh=self.ssh(**changes), ansible=ansible or AnsibleDriver(), settle_s=self._settle_s)
        means = Resources(self._credentials, self.store.path, self.driver(**changes), self.clock)
        return AnsibleSystem(system, self.state / node, os.environ, means)

    async def bundle(self, version: str, **more: Any) -> Release:
        """The test packages of that version as a playbook bundle; `more` as for `beds.nodes.bundles.bundle`."""
        name = more.get("name", "agent-by-playbook")
        if not (self.state / "bundles" / f"{name}-{version}").exists():
            folder = bundle(self.state / "bundles", self.folders[version], version, **more)
            await self.store.import_folder(folder)
        return await self.store.get(f"{name}/{version}")

    async def release(self, version: str) -> Release:
        return await self.store.get(f"nfvi-agent/{version}")

    async def ended(self, driver: PackagesSystem, node: str, operation: str, cursor: int = 0) -> Progress:
        """Poll until the operation is not running any more; the progress that came last."""
        while True:
            found = await driver.poll(node, operation, cursor)
            if found.state is not OperationState.RUNNING:
                return found
            await self.clock.sleep(0.25)

    async def upgrade(self, driver: PackagesSystem, node: str, version: str, operation: str) -> Progress:
        """Stage, start and follow."""
        release = await self.release(version)
        await driver.stage(node, release)
        await driver.start(node, release, operation)
        return await self.ended(driver, node, operation)


@contextmanager
def serving(address: str) -> Iterator[tuple[int, list[Repository]]]:
    """Serve, on a free port of `address`, the repository that is put into the list."""
    repositories: list[Repository] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            found = repositories[0].open(unquote(self.path)) if repositories else None
            if found is None:
                self.send_error(404)
                return
            data = found[0].read_bytes()
            self.send_response(200)
            self.send_header("Content-Type", found[1])
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer((address, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.server_port, repositories
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
