"""Which try of its kind a node's turn is: attempts are counted over upgrades and ways back alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from escalator.model.progress import NodeTask, TaskKind
from escalator.storage.turns import Tasks


async def tries_of(stored: Tasks, campaign: str, tasks: Iterable[NodeTask]) -> Mapping[str, int]:
    """By node, which try of its kind its turn is, counted from 1."""
    tasks = list(tasks)
    # Nothing but upgrades comes before an upgrade.
    kinds = {task.kind for task in tasks} - {TaskKind.UPGRADE}
    firsts = {kind: await stored.firsts(campaign, kind) for kind in sorted(kinds)}
    return {task.node: task.attempt - firsts.get(task.kind, {}).get(task.node, 1) + 1 for task in tasks}
