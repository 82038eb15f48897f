"""The backups of a driver that keeps none: what the operator's own tool keeps is known to that alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from escalator.model.codes import Code
from escalator.model.errors import PermanentError
from escalator.system_support.port import Check, Held, Pruned


class NoShelf:
    """No backups."""

    def __init__(self, driver: str) -> None:
        self._driver = driver

    async def list(self, node: str) -> tuple[Held, ...]:  # noqa: ARG002 - the port's form
        """Return nothing."""
        return ()

    async def verify(self, node: str, backup: Mapping[str, object]) -> Check:  # noqa: ARG002 - the port's form
        """Raise PermanentError (`SYS_UNSUPPORTED`): there is nothing to look at."""
        remedy = "Verify it with the tool that the driver runs."
        raise PermanentError(Code.SYS_UNSUPPORTED, f"The driver {self._driver} keeps no backups of nodes.", remedy=remedy)

    async def prune(self, node: str, backups: Sequence[Mapping[str, object]], operations_older_s: float | None) -> Pruned:  # noqa: ARG002 - the port's form
        """Do nothing: there are no backups, and what is left of operations is on the manager's host."""
        return Pruned()
