"""Which try of its kind a node's turn is: attempts are counted over upgrades and ways back alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from escalator.model.progress import NodeTask, TaskKind
from escalator.storage.turns import Tasks


async def tries_of(stored: Tasks, campaign: str, tasks: Iterable[NodeTask]) -> Mapping[str, int]:
    """By node, which try of its kind its turn is, counted from 1."""
    tasks = list(tasks)
    kinds = {task.kind for task in tasks} - {TaskKind.UPGRADE}
    # Ways back come after upgrades, but for a node that one of them left as it was: that stands there with its last upgrade.
    if any(task.attempt > 1 and task.kind is TaskKind.UPGRADE for task in tasks):
        kinds.add(TaskKind.ROLLBACK)
    firsts = {kind: await stored.firsts(campaign, kind) for kind in sorted(kinds)}
    return {task.node: _try(task, firsts) for task in tasks}


def _try(task: NodeTask, firsts: Mapping[TaskKind, Mapping[str, int]]) -> int:
    if task.kind is TaskKind.UPGRADE:
        return min(task.attempt, firsts.get(TaskKind.ROLLBACK, {}).get(task.node, task.attempt + 1) - 1)
    return task.attempt - firsts[task.kind].get(task.node, 1) + 1
