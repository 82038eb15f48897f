"""The port of a dialect: it translates between notices and what one kind of VNF manager speaks, and decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from escalator.model.notice import Notice, Reply, Vnfm
from escalator.vim_interface.parts import Part


@dataclass(frozen=True, slots=True)
class Fetched:
    """A reply that had to be fetched; it goes the way of those that arrive by themselves."""

    token: str
    body: Reply | Part
    """A part is about one instance of several."""
    reference: str = ""
    """What the dialect knows it by."""


class Dialect(Protocol):
    """One way to speak to VNF managers."""

    async def deliver(self, vnfm: Vnfm, notice: Notice) -> None:
        """Hand the notice over, within the time-out of deliveries.

        Raises TemporaryError when it may go better later, any other EscalatorError when it will not.
        """
        ...

    async def test(self, vnfm: Vnfm) -> None:
        """Ask whether the VNF manager would take notices; raises EscalatorError when not."""
        ...


@runtime_checkable
class Resuming(Protocol):
    """A dialect whose VNF managers have to be reminded after a restart: who was told does not answer by itself."""

    async def resume(self, vnfm: Vnfm, notice: Notice) -> None:
        """Take up a notice that an earlier server delivered, and that is not answered yet."""
        ...


@runtime_checkable
class Fetching(Protocol):
    """A dialect whose replies do not come by themselves."""

    def next_reply_at(self) -> float | None:
        """Unix seconds of the next reply to fetch; None while there is none."""
        ...

    async def fetch(self, now: float) -> Sequence[Fetched]:
        """Replies that are there now; each is offered until it is taken."""
        ...

    async def taken(self, reply: Fetched) -> None:
        """The reply is in the inbox."""
        ...


@runtime_checkable
class TellsTest(Protocol):
    """A dialect that can send a notice which is a test: one that people read, and that no program takes for work."""

    async def tell_test(self, vnfm: Vnfm) -> None:
        """Send it once. Raises TemporaryError or PermanentError, as `deliver`."""
        ...
