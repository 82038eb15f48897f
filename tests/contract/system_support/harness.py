"""What the contract suite needs beside the port: a node on the old release, good and bad new ones, and trouble."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from escalator.model.document import Metadata
from escalator.model.node_settings import CommandDriver
from escalator.model.release import Daemon, Package, Release, ReleaseSpec
from escalator.system_support.command import CommandSystem
from escalator.system_support.port import OperationState, Progress, SystemSupport
from escalator.system_support.simulated import SimulatedSystem
from escalator.world.rules import Fault
from escalator.world.world import World
from unit.world.smallcloud import TIMINGS, TurnedClock, small_cloud

LAPSES = 600
"""The longest wait of the suite, in lapses."""


class Harness(Protocol):
    """One driver and a healthy node that is on the release `old`."""

    driver: SystemSupport
    node: str
    old: Release
    new: Release
    bad: Release
    """Its installer fails."""
    tells: bool
    """Whether the driver can look at the node itself."""
    units: bool
    """Whether systemd is in charge of the node's services."""

    def restarted(self) -> SystemSupport:
        """A new driver, as after a restart of the manager."""
        ...

    async def lapse(self) -> None:
        """Let a little time pass."""
        ...

    def unreachable(self) -> AbstractAsyncContextManager[None]:
        """The node does not answer meanwhile, and goes on with what it does."""
        ...

    def tamper(self, backup: Mapping[str, object]) -> None:
        """Somebody changes what the backup holds."""
        ...

    def full(self) -> AbstractContextManager[None]:
        """The node has next to no room for backups meanwhile."""
        ...


async def ended(harness: Harness, operation: str, cursor: int = 0) -> Progress:
    """Follow an operation to its end."""
    for _ in range(LAPSES):
        found = await harness.driver.poll(harness.node, operation, cursor)
        if found.state is not OperationState.RUNNING:
            return found
        await harness.lapse()
    raise AssertionError(f"{operation} does not end")


def release(version: str, **more: object) -> Release:
    pins = (Package(name="nfvi-agent", version=version), Package(name="nfvi-tools", version=version))
    spec = ReleaseSpec(version=version, packages=pins, daemon=Daemon(url="http://localhost:9/version"), **more)
    return Release(metadata=Metadata(name="nfvi-agent"), spec=spec)


class SimulatedHarness:
    """A world of three nodes."""

    node, tells, units = "a", True, True

    def __init__(self) -> None:
        self._clock = TurnedClock()
        self._world = World.in_memory(self._clock, TIMINGS)
        self._world.load(small_cloud())
        self._world.faults.add(Fault(kind="upgrade", effect="fail", release="nfvi-agent/2.1.0"))
        self.old, self.new, self.bad = release("1.0.0"), release("2.0.0", reboot="always"), release("2.1.0")
        self.driver = self.restarted()

    def restarted(self) -> SystemSupport:
        return SimulatedSystem(self._world)

    async def lapse(self) -> None:
        await self._clock.sleep(1.0)

    async def _unreachable(self) -> AsyncIterator[None]:
        self._world.hosts.crash(self.node, down_s=30.0)
        yield
        await self._clock.sleep(31.0)

    def unreachable(self) -> AbstractAsyncContextManager[None]:
        return asynccontextmanager(self._unreachable)()

    def tamper(self, backup: Mapping[str, object]) -> None:
        self._world.software.damage(str(backup["id"]))

    @contextmanager
    def full(self) -> Iterator[None]:
        self._world.faults.add(Fault(kind="backup_space"))
        yield
        self._world.faults.clear()


INSTALLER = """#!/bin/sh
echo "installing $2 on $1"
echo "$2" >> "$3"
sleep 0.2
case $2 in */2.1.0) echo "cannot be done"; exit 9 ;; esac
echo "installed"
"""


@dataclass
class CommandHarness:
    """The operator's own installer: a script that writes what it was asked for into a file."""

    folder: Path
    clock: object
    node: str = "a"
    tells: bool = False
    units: bool = False

    def __post_init__(self) -> None:
        script = self.folder / "installer"
        script.write_text(INSTALLER)
        script.chmod(0o755)
        self.installed = self.folder / "installed"
        self.old, self.new, self.bad = release("1.0.0"), release("2.0.0"), release("2.1.0")
        self.driver = self.restarted()

    def restarted(self) -> SystemSupport:
        argv = (str(self.folder / "installer"), "{node}", "{release}", str(self.installed))
        return CommandSystem(CommandDriver(argv=argv), self.folder / "state", {"PATH": "/usr/bin:/bin"}, self.clock)

    async def lapse(self) -> None:
        await self.clock.sleep(0.05)

    def unreachable(self) -> AbstractAsyncContextManager[None]:
        raise NotImplementedError("the command driver does not look at nodes")

    def tamper(self, backup: Mapping[str, object]) -> None:
        raise NotImplementedError("the command driver keeps no backups")

    def full(self) -> AbstractContextManager[None]:
        raise NotImplementedError("the command driver keeps no backups")
