"""Backups as the API shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from escalator.api.times import stamp, stamp_or_none
from escalator.api.views import View
from escalator.model.backup import BackupState, NodeBackup
from escalator.system_support.port import Check
from escalator.upgrade_manager.engine.keeping import Swept
from escalator.upgrade_manager.engine.staying import NOTHING, Stay


class BackupView(View):
    """What is kept of one node before one campaign changed it."""

    id: str
    campaign: str
    node: str
    operation: str
    driver: str
    release: str
    taken_at: str
    scope: Sequence[str]
    not_kept: Sequence[str]
    """What cannot be put back from it, in words."""
    size_bytes: int
    digest: str
    location: str
    versions: Mapping[str, str]
    missing: Sequence[str]
    """Packages whose files it does not hold: they are fetched when they are needed."""
    state: Literal["kept", "damaged", "pruned"]
    verified_at: str | None
    pruned_at: str | None
    restore: Literal["", "running", "done", "failed"]
    """Where its last restore stands; empty when there was none."""
    restores: int
    restored_at: str | None
    code: str
    message: str
    kept_by: str
    """What keeps it on its node; empty when it is gone, or goes with the next pruning."""
    kept_until: str | None
    """When retention lets it go for its age; null when it is not retention that keeps it."""
    let_go: str
    """The command that lets it go, or brings that nearer; empty when it is gone."""


class VerifiedView(View):
    """Whether a backup holds what was kept."""

    id: str
    node: str
    ok: bool
    code: str
    message: str
    verified_at: str | None


class PrunedView(View):
    """What was let go."""

    pruned: Sequence[str]
    freed_bytes: int
    left: Mapping[str, str]
    """Nodes that were left for the next time, each with why."""
    dry_run: bool


def backup_view(row: NodeBackup, stay: Stay | None) -> BackupView:
    """One backup; `stay` is what keeps it on its node, None when nothing does."""
    same = {
        name: getattr(row, name)
        for name in ("id", "campaign", "node", "operation", "driver", "release", "scope", "not_kept", "size_bytes", "digest")
    }
    same |= {name: getattr(row, name) for name in ("location", "versions", "missing", "restores", "code", "message")}
    return BackupView(
        **same,
        taken_at=stamp(row.taken_at),
        state=row.state.value,
        verified_at=stamp_or_none(row.verified_at),
        pruned_at=stamp_or_none(row.pruned_at),
        restore=row.restore.value,
        restored_at=stamp_or_none(row.restored_at),
        kept_by="" if stay is None else stay.why,
        kept_until=stamp_or_none(None if stay is None else stay.until),
        let_go=_let_go(row, stay),
    )


def _let_go(row: NodeBackup, stay: Stay | None) -> str:
    return "" if row.state is BackupState.PRUNED else (stay or NOTHING).then


def verified_view(row: NodeBackup, check: Check) -> VerifiedView:
    """What was found of one backup."""
    return VerifiedView(
        id=row.id,
        node=row.node,
        ok=check.ok,
        code="" if check.code is None else check.code.value,
        message=check.message,
        verified_at=stamp_or_none(row.verified_at),
    )


def pruned_view(swept: Swept, *, dry_run: bool) -> PrunedView:
    """What pruning did, or would do."""
    ids = [row.id for row in swept.pruned]
    return PrunedView(pruned=ids, freed_bytes=swept.freed_bytes, left=dict(swept.left or {}), dry_run=dry_run)
