"""What a VNF manager is at work on is not touched: the node waits for the end of its lifecycle operations."""

from __future__ import annotations

from collections.abc import Sequence

from escalator.model.codes import Code
from escalator.model.inventory import Instance
from escalator.upgrade_manager.engine.job import Job
from escalator.upgrade_manager.engine.outcome import Outcome, skip, wait

WAITED = "at_work"
"""Memo of a task: how long it has waited for operations, when one was seen last, and when it was to look again. What lies
between, such as a pause of the campaign, is no waiting."""


async def at_work(job: Job, instances: Sequence[Instance], topic: str = "control") -> Outcome | None:
    """Wait, as long as emptying the node may take; given up for what does not end. None when nothing is under way."""
    operations = await job.ctx.vim.operations(instances)
    if not operations:
        return None
    now = job.ctx.clock.now()
    known = (await job.memo()).get(WAITED) or {"waited_s": 0.0, "seen": now, "wait_s": 0.0}
    waited_s = known["waited_s"] + min(now - known["seen"], known["wait_s"])
    what = operations[0].what + (f" and {len(operations) - 1} more" if len(operations) > 1 else "")
    longest_s = job.spec.node.timeouts.vacate_s
    if waited_s >= longest_s:
        return skip(Code.UPG_AT_WORK, f"{what} was under way for {longest_s:g} s")
    # Looked at less and less often: each look is a line in the history.
    wait_s = min(max(job.ctx.pace.recheck_s, waited_s / 2), longest_s - waited_s)
    await job.remember(WAITED, {"waited_s": waited_s, "seen": now, "wait_s": wait_s})
    return wait(wait_s, f"{what} is under way", topic=topic)
