"""The lock service of the settings, and by which name this site holds keys."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

from escalator.model.brakes import Locks
from escalator.model.clock import Clock
from escalator.model.codes import Code
from escalator.model.errors import InputError
from escalator.vim_interface.locks.command import CommandLocks
from escalator.vim_interface.locks.folder import FolderLocks
from escalator.vim_interface.locks.port import LockService
from escalator.vim_interface.locks.simulated import SimulatedLocks
from escalator.world.world import World

OWNER_FILE = "lock-owner"
"""Where this site's name stands in the state directory when the settings give it none."""


def lock_service(settings: Locks, environment: Mapping[str, str], clock: Clock, world: World | None) -> LockService | None:
    """Make it; None when the settings have none. Raises InputError for a simulated one beside a real cloud."""
    match settings.kind:
        case "command":
            return CommandLocks(settings, environment)
        case "folder":
            return FolderLocks(Path(settings.folder or ""), clock)
        case "simulated":
            if world is None:
                raise InputError(Code.CFG_SETTINGS, "locks: a simulated lock service needs a simulated cloud.")
            return SimulatedLocks(world.locks)
        case _:
            return None


def owner_of(settings: Locks, state: Path) -> str:
    """The name of this site: the one in the settings, else one that is made once and stays over restarts."""
    if settings.owner is not None:
        return settings.owner
    file = state / OWNER_FILE
    if not file.exists():
        file.write_text(f"escalator-{uuid4()}\n")
    return file.read_text().strip()
