"""The instances on a node as its turn sees them: on the way back, with what they may not do any more."""

from __future__ import annotations

from collections.abc import Sequence

from escalator.model.inventory import Instance
from escalator.upgrade_manager.engine import observed
from escalator.upgrade_manager.engine.job import Job
from escalator.upgrade_manager.planner.backwards import coming_back

NEWER = "newer"
"""Memo of a turn back: from which hypervisor to which older one the node goes; empty for none."""


async def instances_here(job: Job) -> Sequence[Instance]:
    """Instances on the node now. What runs on a newer hypervisor than where it would go back to does not go live."""
    found = await observed.instances_on(job.ctx, job.node, job.spec.migration)
    newer = str((await job.memo()).get(NEWER) or "") if job.ref.back else ""
    if not newer:
        return found
    campaign = await job.ctx.book.campaign(job.ref.campaign)
    owners = await job.ctx.vim.owners(found)
    return [coming_back(instance, newer, campaign, managed=instance.id in owners) for instance in found]
