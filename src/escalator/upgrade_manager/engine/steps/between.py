"""A node between its old software and the new: what the break-glass sheet says of it until either is proved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from escalator.model.codes import Code
from escalator.model.progress import SHEET_WARNING, Restoration
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.job import Job, TaskRef
from escalator.upgrade_manager.engine.outcome import Outcome, failed
from escalator.upgrade_manager.engine.rollback.changed import OPERATION, changed_node
from escalator.upgrade_manager.engine.runner import Step
from escalator.upgrade_manager.engine.standing import STOPPED
from escalator.upgrade_manager.engine.steps.cordon import KIND as CORDON

DO_NOT = "# only then: "
"""Before a command that may be run only when the warning above it is heeded."""
PUT_BACK = "put_back"
"""Memo of a turn: the turns whose changes it has put back, and proved that."""
LEFT = "the software that an earlier turn left is not put back"
"""Why a node stays out of service although its last turn changed nothing; also the key of that in an outcome's data."""
_SAID = (
    "the software of this node may be neither the old nor the new one: its change has begun and was not seen to its end. Do not"
    " simply enable the node or start what stopped on it. First see on the node that no installer runs, that its packages are"
    " whole and of one release, and that its compute service and hypervisor work; until then leave it as it is."
)


async def mark(job: Job) -> None:
    """From here on the node may be half changed."""
    await _say(job.ctx, await _rows(job.ctx, job.node, job.ref.campaign), _SAID)


async def proved(job: Job) -> None:
    """What runs on the node now is known to be whole."""
    await _say(job.ctx, await _rows(job.ctx, job.node, job.ref.campaign), "")


async def proved_by_hand(ctx: Context, node: str) -> None:
    """The same, outside of any campaign, for what all of them have left on the sheet."""
    await _say(ctx, await _rows(ctx, node), "")


async def put_back(job: Job, turns: Sequence[str]) -> None:
    """The node runs what it ran before these turns. Repeated after a crash, it goes by what was written down first.

    With the operation of only some of them forgotten, the node would be put back on what one of them had left.
    """
    for turn in await job.remember(PUT_BACK, list(turns), once=True):
        await job.ctx.store.tasks.remember(turn, OPERATION, None)
    await proved(job)


async def left_earlier(ctx: Context, ref: TaskRef) -> bool:
    """Whether an earlier turn changed the software of the node, and nobody has put that back."""
    changed = await changed_node(ctx, ref.campaign, ref.node)
    return changed is not None and any(turn != ref.id for turn in changed.touched)


def refused() -> Outcome:
    """The end of an undo that would bring the node back into service on what an earlier turn left."""
    return replace(failed(Code.UPG_UNDO_FAILED, LEFT), data={LEFT: True})


def unless_left(step: Step) -> Step:
    """The step with an undo that leaves a node as an earlier turn left it: out of service, on software that nobody proved.

    Where a person has given the node back since, this turn has taken it out of service itself, and it goes back to that.
    """
    undo = step.undo
    if undo is None:
        return step

    async def guarded(job: Job) -> Outcome:
        if await left_earlier(job.ctx, job.ref) and not await _taken_by_this(job):
            return refused()
        return await undo(job)

    return replace(step, undo=guarded)


async def _taken_by_this(job: Job) -> bool:
    rows = await job.changes(CORDON)
    return bool(rows) and all(row.id.startswith(f"{job.ref.id}/") for row in rows)


async def _rows(ctx: Context, node: str, campaign: str | None = None) -> list[Restoration]:
    rows = await ctx.store.restorations.open(campaign, node)
    return [row for row in rows if row.kind in (CORDON, STOPPED)]


def guarded(commands: Sequence[str], warning: str) -> tuple[str, ...]:
    """Commands below a warning that has to be heeded first, or without one where it is empty."""
    plain = tuple(line.removeprefix(DO_NOT) for line in commands if not line.startswith(SHEET_WARNING))
    return (f"{SHEET_WARNING}{warning}", *(f"{DO_NOT}{command}" for command in plain)) if warning else plain


async def _say(ctx: Context, rows: Sequence[Restoration], warning: str) -> None:
    """Put a warning above commands that are not to be run before it is heeded, or take it off where it is empty.

    Whoever runs the sheet from top to bottom runs nothing of that: the commands become comments.
    """
    changed = False
    for row in rows:
        shown = guarded(row.commands, warning)
        if shown != row.commands:
            await ctx.store.restorations.say(row.id, shown)
            changed = True
    if changed:
        await ctx.sheet.rewrite(ctx.store.restorations)
