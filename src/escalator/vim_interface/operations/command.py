"""Operations as a command of the operator's tells of them: for managers that have no SOL 003 interface."""

from __future__ import annotations

from collections.abc import Sequence

from escalator.model.notice import Vnfm
from escalator.vim_interface.dialects.command import Commands
from escalator.vim_interface.operations.port import Operation


class BusyCommand:
    """Runs the command `busy` of a registration: 0 nothing is under way, 75 something is, and standard error says what."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    def watches(self, vnfm: Vnfm) -> bool:
        """Whether it names such a command."""
        return vnfm.spec.commands.busy is not None

    async def running(self, vnfm: Vnfm) -> Sequence[Operation]:
        """One operation, somewhere among all that the manager has; none. Raises EscalatorError for any other end."""
        said = await self._commands.busy(vnfm)
        return () if said is None else (Operation(vnfm=vnfm.name, what=said or f"a lifecycle operation at {vnfm.name}"),)
