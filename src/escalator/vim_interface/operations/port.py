"""The port: where the running lifecycle operations of a VNF manager's VNFs are seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from escalator.model.inventory import Instance
from escalator.model.notice import Vnfm


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation that has not ended; neither `vnf` nor `instances` means: somewhere among all that its manager has."""

    vnfm: str
    what: str
    """For people, such as `HEAL of VNF amf-7 (PROCESSING)`."""
    vnf: str | None = None
    instances: frozenset[str] = frozenset()

    def concerns(self, instance: Instance) -> bool:
        """Whether it is at work on the VNF of this instance, which the same manager has."""
        if self.vnf is None and not self.instances:
            return True
        return instance.id in self.instances or (self.vnf is not None and instance.vnf == self.vnf)


class OperationsSource(Protocol):
    """One way to see them."""

    def watches(self, vnfm: Vnfm) -> bool:
        """Whether the registration says that this way is open."""
        ...

    async def running(self, vnfm: Vnfm) -> Sequence[Operation]:
        """Every operation that has not ended. Raises EscalatorError when it cannot be told."""
        ...
