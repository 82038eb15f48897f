"""A node's other way in: looked at before the node is touched, and used once when it does not come back from its reboot.

What speaks Redfish or IPMI is a command of the operator's. A power cycle is never run twice in one turn, not even when the
manager dies in the middle of it: that it is about to be run is written down first.
"""

from __future__ import annotations

from collections.abc import Sequence

from escalator.model.codes import Code
from escalator.model.errors import EscalatorError, PermanentError
from escalator.model.inventory import Role
from escalator.model.progress import Restoration
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.job import Job
from escalator.upgrade_manager.engine.named import perform
from escalator.upgrade_manager.engine.steps.members import not_whole

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
    found = {"command": power.power_cycle, "boot_id": since["boot_id"]}
    await job.will_change(KIND, job.node, found, (note,))
    await job.remember(CYCLED, job.ctx.clock.now())
    try:
        await perform(job, KIND, power.power_cycle)
    except EscalatorError:
        return  # told in the history; it may come back all the same, and the step's time-out bounds the wait


async def is_back(job: Job) -> None:
    """Take the power cycle from the sheet: the node answers."""
    for row in await job.changes(KIND):
        await job.put_back(row)


async def seen_back(ctx: Context, row: Restoration) -> bool:
    """Whether a node that was power-cycled does its part again, by its compute service where the cloud knows one.

    Another one has to answer from another boot, and its clusters have to be whole. Of what does not answer it is not known.
    Raises TemporaryError when the cloud does not answer.
    """
    try:
        return (await ctx.cloud.service(row.node)).up
    except PermanentError as error:
        if error.code is not Code.CLD_NOT_FOUND:
            return False
    try:
        return await _answers(ctx, row) and not any([await not_whole(ctx, row.node, role) for role in await _roles(ctx, row)])
    except EscalatorError:
        return False


async def _answers(ctx: Context, row: Restoration) -> bool:
    driver = (await ctx.book.campaign(row.campaign)).spec.node.driver
    return driver in ctx.systems and await ctx.systems[driver].boot_id(row.node) not in (None, row.found.get("boot_id"))


async def _roles(ctx: Context, row: Restoration) -> Sequence[Role]:
    """Roles of the node, as the campaign's plan knows it."""
    campaign = await ctx.store.campaigns.get(row.campaign)
    _, inventory = await ctx.book.plan(str(campaign.plan if campaign is not None else ""))
    return inventory.node_by_id[row.node].roles if row.node in inventory.node_by_id else ()
