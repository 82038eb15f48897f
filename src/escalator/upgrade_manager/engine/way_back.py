"""Whether a node may be taken back: what its release allows, whether its point of no return is passed, what is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from escalator.model.backup import NodeBackup
from escalator.model.codes import Code
from escalator.model.errors import ConditionsError
from escalator.model.release import Release
from escalator.model.requires import NONE
from escalator.model.version_ranges import version_or_none
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.planner.fitting import Present, may_return

CAME_FROM = "came_from"
"""Memo of a task, and key of a backup's content: the version of the release that the node ran before."""
PASSED = "no_return_passed"
"""Memo of a task: its point of no return is passed."""


def why_not(release: Release, memo: Mapping[str, Any], scope: Sequence[str] | None) -> str | None:
    """Why a node that the release was installed on may not be taken back; None when it may.

    `memo` is that of its task; `scope` is what its backup kept, None when its driver keeps none.
    """
    if memo.get(PASSED):
        return f"the point of no return of {release.id} was passed at the step {release.spec.point_of_no_return}"
    if scope is not None and "versions" not in scope:
        return "the backup holds no versions, as backup.scope asked for"
    before = memo.get(CAME_FROM)
    if not may_return(release, _present(before)):
        allowed = " or ".join(release.spec.rollback_to)
        return f"{release.id} may be taken back to {allowed}, and the node ran {before or 'an unknown version'}"
    return None


async def no_way_back(ctx: Context, row: NodeBackup) -> ConditionsError | None:
    """Why a backup may not be restored: by the release that came after it, or by one that came later still."""
    for later in await ctx.store.backups.list(node=row.node):
        memo = await ctx.store.tasks.memo(turn_of(later))
        if later.taken_at < row.taken_at or (memo.get("operation") is None and later.id != row.id):
            continue  # older than what is to be restored, or its release was never installed or is taken back
        release = await ctx.book.release(later.release)
        why = why_not(release, {PASSED: memo.get(PASSED), CAME_FROM: row.content.get(CAME_FROM)}, None)
        if why is not None:
            remedy = "Go forward with a release that goes upon what the node runs."
            return ConditionsError(Code.SYS_NO_WAY_BACK, f"{row.node} may not be taken back: {why}.", remedy=remedy)
    return None


def turn_of(row: NodeBackup) -> str:
    """The turn that took the backup; the key of its memo."""
    return row.operation.partition("/backup/")[0]


def _present(text: object) -> Present:
    if text == NONE:
        return Present(None)
    version = version_or_none(str(text)) if text else None
    return Present(version, known=version is not None)
