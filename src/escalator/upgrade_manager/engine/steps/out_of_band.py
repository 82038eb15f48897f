"""A node's other way in: looked at before the node is touched, and used once when it does not come back from its reboot.

What speaks Redfish or IPMI is a command of the operator's. A power cycle is never run twice in one turn, not even when the
manager dies in the middle of it: that it is about to be run is written down first.
"""

from __future__ import annotations

from escalator.model.errors import EscalatorError
from escalator.upgrade_manager.engine.job import Job
from escalator.upgrade_manager.engine.named import perform

KIND = "power-cycle"
ASKED, CYCLED = "reboot_asked", "power_cycled"
"""Memos of a task: when it asked its node to reboot first, and that it was to be power-cycled."""


async def look(job: Job) -> None:
    """See whether the node can be reached out of band, where the settings say how. Raises what the command raises."""
    command = job.ctx.out_of_band.check
    if command is not None:
        await perform(job, "out-of-band", command)


async def asked(job: Job, boot_id: str) -> None:
    """Count from now how long the node takes to end that boot; a repetition of the step counts from the first time."""
    known = (await job.memo()).get(ASKED)
    if known is None or known["boot_id"] != boot_id:
        await job.remember(ASKED, {"boot_id": boot_id, "at": job.ctx.clock.now()})


async def cycle_once(job: Job) -> None:
    """Power-cycle a node that does not answer, when it has had its time and was not power-cycled in this turn yet."""
    power, memo = job.ctx.out_of_band, await job.memo()
    since = memo.get(ASKED)
    if power.power_cycle is None or since is None or job.ctx.clock.now() - since["at"] < power.after_s or memo.get(CYCLED):
        return
    note = f"# {job.node} was power-cycled once and is not back yet: look at its console"
    await job.will_change(KIND, job.node, {"command": power.power_cycle}, (note,))
    await job.remember(CYCLED, job.ctx.clock.now())
    try:
        await perform(job, KIND, power.power_cycle)
    except EscalatorError:
        return  # told in the history; it may come back all the same, and the step's time-out bounds the wait


async def is_back(job: Job) -> None:
    """Take the power cycle from the sheet: the node answers."""
    for row in await job.changes(KIND):
        await job.put_back(row)
