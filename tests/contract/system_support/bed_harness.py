"""The `packages` driver on a node of the bed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

from beds.nodes.manager import Manager
from escalator.system_support.port import SystemSupport


class PackagesHarness:
    """A fresh node with release 1.0.0 of the test packages."""

    tells, units = True, False

    def __init__(self, manager: Manager, node: str) -> None:
        self._manager = manager
        self.node = node

    @classmethod
    async def make(cls, manager: Manager, node: str) -> PackagesHarness:
        manager.bed.add_many([node])
        made = cls(manager, node)
        made.old, made.new, made.bad = [await manager.release(version) for version in ("1.0.0", "2.0.0", "2.1.0")]
        made.driver = made.restarted()
        return made

    def restarted(self) -> SystemSupport:
        return self._manager.driver()

    async def lapse(self) -> None:
        await self._manager.clock.sleep(0.2)

    @asynccontextmanager
    async def unreachable(self) -> AsyncIterator[None]:
        patient, self.driver = self.driver, self._manager.driver(connect_timeout_s=2.0)
        self._manager.bed.cut(self.node)
        try:
            yield
        finally:
            self._manager.bed.restore(self.node)
            self.driver = patient

    def tamper(self, backup: Mapping[str, object]) -> None:
        self._manager.bed.exec(self.node, "sh", "-c", f"printf x >> {backup['location']}/state.tar")

    @contextmanager
    def full(self) -> Iterator[None]:
        """A disk of its own, of one mebibyte, in the place of the backups."""
        folder = "/var/lib/escalator/backups"
        self._manager.bed.exec(self.node, "mkdir", "-p", folder)
        self._manager.bed.exec(self.node, "mount", "-t", "tmpfs", "-o", "size=1m", "small", folder)
        try:
            yield
        finally:
            self._manager.bed.exec(self.node, "umount", folder)


class AnsibleHarness(PackagesHarness):
    """The same node and versions, installed by playbooks."""

    @classmethod
    async def make(cls, manager: Manager, node: str) -> AnsibleHarness:
        manager.bed.add_many([node])
        made = cls(manager, node)
        made.old, made.new, made.bad = [await manager.bundle(version) for version in ("1.0.0", "2.0.0", "2.1.0")]
        made.driver = made.restarted()
        return made

    def restarted(self) -> SystemSupport:
        return self._manager.ansible(self.node)

    @asynccontextmanager
    async def unreachable(self) -> AsyncIterator[None]:
        patient, self.driver = self.driver, self._manager.ansible(self.node, connect_timeout_s=2.0)
        self._manager.bed.cut(self.node)
        try:
            yield
        finally:
            self._manager.bed.restore(self.node)
            self.driver = patient
