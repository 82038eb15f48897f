"""Who would notice a live migration and is in no group that bears it: without a yes of its VNF manager it does not happen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from escalator.model.inventory import Instance
from escalator.upgrade_manager.engine import observed
from escalator.upgrade_manager.engine.job import Job
from escalator.upgrade_manager.planner.interruption import borne, expected_s, noticed


async def wary(job: Job, instances: Iterable[Instance], planned: Mapping[str, str]) -> frozenset[str]:
    """Ids of those that are to move live, would notice it, and for which no group says that some may be impacted."""
    found = set()
    for instance in instances:
        if planned.get(instance.id) != "live" or not noticed(instance, job.spec):
            continue
        groups = await observed.groups(job.ctx, job.inventory, instance.groups, job.spec.migration)
        if not borne((group, len(members)) for group, members in groups):
            found.add(instance.id)
    return frozenset(found)


def interruptions(job: Job, instances: Iterable[Instance], planned: Mapping[str, str]) -> dict[str, float]:
    """For how long each of those that are to move is expected to be interrupted, seconds."""
    moving = [i for i in instances if planned.get(i.id) in ("live", "cold")]
    return {i.id: expected_s(i, job.spec, planned[i.id]) for i in moving}


def said(instance: str) -> str:
    """Why the node is left alone."""
    return f"instance {instance} would notice its live migration, and nobody said that it bears it"
