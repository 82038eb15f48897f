"""What the step back-up keeps of a node, and its record."""

from __future__ import annotations

from escalator.model.backup import FULL_SCOPE
from escalator.model.inventory import Node
from escalator.system_support.port import NodeFacts
from escalator.upgrade_manager.engine.compatible import came_from
from escalator.upgrade_manager.engine.job import Job
from escalator.upgrade_manager.engine.keeping import write_down
from escalator.upgrade_manager.engine.way_back import CAME_FROM

_WORDS = {"versions": "running versions", "config": "configuration", "state": "state"}


async def keep(job: Job, node: Node, facts: NodeFacts) -> str:
    """Take the backup that the campaign's scope asks for, write it down, and say what is kept.

    What the node ran before is remembered first: a rollback asks for it, whatever the backup holds.
    """
    if job.release.spec.rollback_to:
        await job.remember(CAME_FROM, await came_from(job.ctx, node, job.release, facts), once=True)
    scope = job.spec.backup.scope
    if not scope:
        return "nothing is kept, as backup.scope asks for"
    operation = job.operation("backup")
    taken = await job.system.backup(job.node, job.release, operation, scope)
    backup = await job.remember("backup", dict(taken), once=True)
    content = {**backup, CAME_FROM: (await job.memo()).get(CAME_FROM)}
    await write_down(
        job.ctx,
        campaign=job.ref.campaign,
        node=job.node,
        operation=operation,
        driver=job.system.name,
        release=job.release,
        content=content,
    )
    if set(scope) == set(FULL_SCOPE):
        return "running versions, configuration and state are kept"
    return f"kept, as backup.scope asks for: {', '.join(words for part, words in _WORDS.items() if part in scope)}"
