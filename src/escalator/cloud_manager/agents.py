"""The part of the Cloud Manager's port about the cloud's own services and agents on its nodes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Agent:
    """A service or agent of the cloud that runs on a node: `nova-compute`, `Open vSwitch agent`."""

    name: str
    up: bool
    enabled: bool
    reason: str | None = None
    """Why it is disabled, where somebody said so."""

    def to_json(self) -> dict[str, object]:
        """Plain values, for the journal."""
        return asdict(self)


class Agents(Protocol):
    """What of the cloud runs on its nodes."""

    async def on(self, node: str) -> tuple[Agent, ...]:
        """The services and agents on the node, in order of their names. Raises PermanentError when it has no compute service."""
        ...
