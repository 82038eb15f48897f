"""What a node that stands still keeps from its users meanwhile, for who looks at the campaign."""

from __future__ import annotations

from escalator.model.counting import counted
from escalator.model.progress import NodeTask, Rung
from escalator.upgrade_manager.engine.context import Context

STOPPED = "instance-stopped"
"""Kind of a change: an instance was stopped for its node's turn."""
SHOWN = 5
"""Instances that are named before the rest is counted."""


async def standing(ctx: Context, task: NodeTask) -> str:
    """As the end of a sentence: that the node is out of service, and which instances are stopped; nothing when neither is so."""
    rows = await ctx.store.restorations.open(task.campaign, task.node)
    down = [row.object_id for row in rows if row.kind == STOPPED]
    on = {condition.rung: condition.status for condition in task.ladder}
    words = []
    if on.get(Rung.CORDONED) and not (on.get(Rung.UPGRADED) or on.get(Rung.ROLLED_BACK)):
        words.append("out of service, its instances have left" if on.get(Rung.VACATED) and not down else "out of service")
    if down:
        more = f" and {len(down) - SHOWN} more" if len(down) > SHOWN else ""
        words.append(
            f"{counted(len(down), 'instance is', 'instances are')} stopped: {', '.join(down[:SHOWN])}{more}"
            " (how to start: escalator restoration list)"
        )
    return f"; {'; '.join(words)}" if words else ""
