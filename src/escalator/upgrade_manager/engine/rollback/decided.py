"""Whether a way back that waits for people has all that they can say: the last word may come while it begins to wait."""

from __future__ import annotations

from escalator.model.codes import Code
from escalator.model.progress import TaskState
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.failures import accepted_failures
from escalator.upgrade_manager.engine.rollback.planning import GIVEN_UP, back


async def given_up_in(ctx: Context, name: str) -> set[str]:
    """Nodes that a person leaves as they are."""
    return set((await ctx.store.tasks.memo(name)).get(GIVEN_UP) or ())


async def decided(ctx: Context, name: str) -> bool:
    """Whether it waits for nodes that were not rolled back, and a person has left each of them.

    As long as others wait for their turns, it is enough that a person knows of those that failed.
    """
    row = await ctx.store.campaigns.get(name)
    if row is None or row.code != Code.UPG_NOT_BACK.value:
        return False
    tasks = back(await ctx.store.tasks.list(name, ladders=False))
    waiting = any(task.state is TaskState.PENDING for task in tasks)
    given_up, accepted = await given_up_in(ctx, name), await accepted_failures(ctx, name) if waiting else set()
    settled = (TaskState.DONE, TaskState.PENDING)
    return all(task.state in settled or task.node in given_up or task.id in accepted for task in tasks)
