"""What is kept of a node before it is changed, as the manager knows it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

FULL_SCOPE = ("versions", "config", "state")
"""Parts of a backup: the packages that run, configuration files, state paths."""
_LOST: Mapping[str, str] = {
    "versions": "the software itself: the packages that ran are not kept",
    "config": "configuration files: what the packages and people changed in them stays",
    "state": "state: what the new software wrote into the state paths stays",
}


class BackupState(StrEnum):
    """Whether there is something to go back to."""

    KEPT = "kept"
    DAMAGED = "damaged"  # its content is not what was kept
    PRUNED = "pruned"  # removed from the node


class RestoreState(StrEnum):
    """Where the restore of a backup stands; the last one, where there were several."""

    NONE = ""
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeBackup:
    """One backup of one node. Times are Unix seconds."""

    id: str
    campaign: str
    node: str
    operation: str
    """The operation that took it; the node knows it under this one."""
    driver: str
    """The driver that took it, as campaigns name it."""
    release: str
    """The release before whose installation it was taken."""
    taken_at: float
    scope: tuple[str, ...] = FULL_SCOPE
    size_bytes: int = 0
    digest: str = ""
    """`sha256:…` over everything that it holds."""
    location: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    """The version of each package that it holds."""
    missing: tuple[str, ...] = ()
    """Packages whose files were nowhere to be had: they are fetched when they are needed."""
    content: Mapping[str, object] = field(default_factory=dict)
    """What the driver needs to find it and to put it back."""
    state: BackupState = BackupState.KEPT
    verified_at: float | None = None
    """When its content was last found to be what was kept."""
    pruned_at: float | None = None
    restore: RestoreState = RestoreState.NONE
    restores: int = 0
    """How many restores of it were begun."""
    restored_at: float | None = None
    """When the last restore began, or ended."""
    code: str = ""
    message: str = ""
    """What became of the last restore or verification, for people."""

    @property
    def not_kept(self) -> tuple[str, ...]:
        """What it cannot put back, in words."""
        return not_kept(self.scope)


def not_kept(scope: Sequence[str]) -> tuple[str, ...]:
    """What a backup of this scope cannot put back, in words."""
    return tuple(words for part, words in _LOST.items() if part not in scope)


def backup_id(operation: str) -> str:
    """A short id that is the same for every repetition of the same operation."""
    return f"bk-{hashlib.sha256(operation.encode()).hexdigest()[:12]}"
