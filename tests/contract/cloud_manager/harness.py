"""What the contract suite needs beside the port: a cloud with nodes, tenants, other operators, and trouble."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from escalator.cloud_manager.port import CloudManager, MoveOrder, MoveState, MoveStatus
from escalator.model.campaign import Migration

T = TypeVar("T")
POLICY = Migration()
LAPSES = 300
"""The longest wait of the suite, in lapses."""


class Harness(Protocol):
    """One driver and the cloud behind it, which is empty and has at least three healthy nodes."""

    cloud: CloudManager
    nodes: tuple[str, ...]
    project: str
    """Id of the project of the instances that are booted."""

    async def boot(self, node: str, *, vnf: str | None = None) -> str:
        """A running instance on the node; its id."""
        ...

    async def boot_pair(self) -> tuple[str, str, str]:
        """Two instances of a new anti-affinity group on the first two nodes, and the group's id."""
        ...

    async def delete(self, instance: str) -> None:
        """Its owner deletes the instance."""
        ...

    async def disable(self, node: str, reason: str) -> None:
        """Another operator disables the node's compute service."""
        ...

    async def break_live_moves(self, node: str, *, hang: bool = False) -> None:
        """From now on live moves off the node fail half-way, or never end."""
        ...

    async def boot_anywhere_of(self, node: str) -> None:
        """A tenant asks for an instance while no other node is left. Raises PermanentError when there is no host."""
        ...

    async def break_boots(self, node: str) -> None:
        """From now on instances end in error when they boot on the node."""
        ...

    async def mend(self) -> None:
        """From now on nothing goes wrong any more."""
        ...

    async def lapse(self) -> None:
        """Let a little time pass."""
        ...


async def until(harness: Harness, ask: Callable[[], Awaitable[T]], good: Callable[[T], bool]) -> T:
    """What `ask` gives as soon as it is good."""
    for _ in range(LAPSES):
        found = await ask()
        if good(found):
            return found
        await harness.lapse()
    raise AssertionError(f"this did not become what it should: {found}")


async def ended(harness: Harness, order: MoveOrder) -> MoveStatus:
    """Where the move stands when it runs no longer."""
    return await until(harness, lambda: harness.cloud.move_status(order), lambda found: found.state is not MoveState.RUNNING)


async def has_state(harness: Harness, instance: str, state: str) -> None:
    """Wait until the instance is in the state and at rest."""
    await until(
        harness,
        lambda: harness.cloud.instance(instance),
        lambda found: found is not None and (found.state, found.task_state) == (state, None),
    )
