"""The dialects of the simulated VNF managers and orchestrators: they live in the world, and replies are fetched there."""

from __future__ import annotations

from collections.abc import Sequence

from escalator.model.notice import Notice, Reply, Vnfm
from escalator.vim_interface.dialect import Fetched
from escalator.vim_interface.parts import Part
from escalator.world.records import PendingReply
from escalator.world.vnfms import Vnfms


class Simulated:
    """Speaks to the VNF managers of one world."""

    def __init__(self, vnfms: Vnfms) -> None:
        self._vnfms = vnfms

    async def deliver(self, vnfm: Vnfm, notice: Notice) -> None:
        """Hand the notice over; raises what the world raises when the VNF manager cannot be reached or refuses."""
        self._vnfms.deliver(vnfm.name, notice)

    async def test(self, vnfm: Vnfm) -> None:
        """Ask whether it would take notices."""
        self._vnfms.probe(vnfm.name)

    def next_reply_at(self) -> float | None:
        """When the next reply is due."""
        return self._vnfms.next_reply_at()

    async def fetch(self, now: float) -> Sequence[Fetched]:
        """Return the replies that are due; each is offered until it is taken."""
        return [Fetched(row.token, _said(row), f"{row.notice}/{row.number}") for row in self._vnfms.due_replies(now)]

    async def taken(self, reply: Fetched) -> None:
        """Let the world forget a reply that is in the inbox."""
        notice, _, number = reply.reference.rpartition("/")
        self._vnfms.replied(notice, int(number))


def _said(row: PendingReply) -> Reply | Part:
    if row.about is None:
        return row.reply
    return Part(row.about, row.reply.result == "NACK", row.reply.instances.get(row.about))


class SimulatedOrchestrators:
    """Tells the orchestrators of one world."""

    def __init__(self, vnfms: Vnfms) -> None:
        self._vnfms = vnfms

    async def deliver(self, vnfm: Vnfm, notice: Notice) -> None:
        """Tell it; raises what the world raises when it cannot be reached or refuses."""
        self._vnfms.deliver(vnfm.name, notice)

    async def test(self, vnfm: Vnfm) -> None:
        """Ask whether it would take notices."""
        self._vnfms.probe(vnfm.name)
