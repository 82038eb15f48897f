"""A node between its old software and the new: what the break-glass sheet says of it until either is proved."""

from __future__ import annotations

from escalator.model.progress import Restoration
from escalator.upgrade_manager.engine.job import Job
from escalator.upgrade_manager.engine.steps.cordon import KIND as CORDON
from escalator.upgrade_manager.engine.steps.vacate import STOPPED

_SAID = (
    "the software of this node may be neither the old nor the new one: its change has begun and was not seen to its end. Do not"
    " simply enable the node or start what stopped on it. First see on the node that no installer runs, that its packages are"
    " whole and of one release, and that its compute service and hypervisor work; until then leave it as it is."
)


async def mark(job: Job) -> None:
    """From here on the node may be half changed."""
    await job.say_of(await _rows(job), _SAID)


async def proved(job: Job) -> None:
    """What runs on the node now is known to be whole."""
    await job.say_of(await _rows(job), "")


async def _rows(job: Job) -> list[Restoration]:
    rows = await job.ctx.store.restorations.open(job.ref.campaign, job.node)
    return [row for row in rows if row.kind in (CORDON, STOPPED)]
