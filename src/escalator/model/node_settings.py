"""What an operator sets about nodes and about commands of their own; part of the settings."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from escalator.model.document import DnsLabel, Model

_Seconds = Annotated[float, Field(gt=0, le=86400)]


class Staging(Model):
    """How release files come onto nodes before their turns."""

    ahead: bool = True
    """Whether a campaign that waits for its maintenance window is staged without being asked."""
    concurrent: Annotated[int, Field(ge=1, le=100)] = 8
    """Nodes that fetch at once."""
    kib_per_s: Annotated[int, Field(ge=1)] | None = None
    """Most that one node fetches, KiB per second; null = as fast as it goes. In all it is `concurrent` times this."""


class OutOfBand(Model):
    """The other way to nodes, such as Redfish, by the operator's commands."""

    check: DnsLabel | None = None
    """Which of `commands` tells whether a node can be reached out of band, before it is taken out of service."""
    power_cycle: DnsLabel | None = None
    """Which of `commands` power-cycles a node that does not come back from its reboot: once in its turn. Null = nobody does."""
    after_s: _Seconds = 900.0
    """How long such a node is waited for first; less than the campaign's `reboot_s`."""


class NamedCommand(Model):
    """A command of the operator's that campaigns name, never spell out: as a hook or a test."""

    argv: Annotated[tuple[str, ...], Field(min_length=1)]
    """Command; `{node}`, `{campaign}`, `{release}` stand for one argument each. No shell reads it."""
    where: Literal["manager", "node"] = "manager"
    """Where it runs: on the manager's host, or on the node, over the node's driver."""
    timeout_s: _Seconds = 300.0
