"""The point of no return: before the first node passes it, a person says yes, and it is written down who."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from escalator.model.codes import Code
from escalator.model.errors import ConditionsError, ConflictError
from escalator.model.progress import CampaignState, Event
from escalator.upgrade_manager.engine.changes import change
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.job import Job
from escalator.upgrade_manager.engine.outcome import Outcome, Status, done
from escalator.upgrade_manager.engine.states import BACK, LEAVING
from escalator.upgrade_manager.engine.way_back import PASSED

ACCEPTED = "no_return_accepted"
"""Memo of a campaign: who accepted its point of no return."""
WAITS_FOR_A_PERSON = 4


def before(step: str) -> Callable[[Job], Awaitable[Outcome]]:
    """The gate before a step that may be the point of no return."""
    return partial(_pass, step)


async def _pass(step: str, job: Job) -> Outcome:
    """Open once a person has said yes; until then the campaign waits, and the node with it."""
    if job.release.spec.point_of_no_return != step:
        return done()
    if (await job.ctx.store.tasks.memo(job.ref.campaign)).get(ACCEPTED) is not None:
        await job.remember(PASSED, value=True, once=True)
        return done()
    state = await job.ctx.store.campaigns.state(job.ref.campaign)
    if state in LEAVING[job.ref.kind]:
        what = "is rolled back" if state in BACK else "was aborted"
        return Outcome(status=Status.ABORT, code=Code.UPG_ABORTED.value, message=f"the campaign {what}")
    why = f"{job.node} is about to pass the point of no return of {job.release.id}, its step {step}: a person has to accept it"
    if state is CampaignState.RUNNING:
        try:
            await change(job.ctx, job.ref.campaign, (CampaignState.RUNNING,), CampaignState.SUSPENDED, Code.PLN_NO_RETURN, why)
        except ConflictError:
            pass  # another node was quicker, or a person was: the next look tells
    return Outcome(status=Status.HELD, message=f"before the point of no return: {step}", wait_s=job.ctx.pace.recheck_s)


async def accept(ctx: Context, campaign: str, who: str) -> None:
    """A person lets the campaign's nodes pass; said once, it holds for all of them."""
    memo, event = acceptance(campaign, who, ctx.clock.now())
    first = await ctx.store.tasks.remember(campaign, ACCEPTED, memo, once=True)
    if first == memo:
        await ctx.store.events.append((replace(event, by=ctx.by),))


def acceptance(campaign: str, who: str, now: float) -> tuple[dict[str, object], Event]:
    """What is remembered of that, and its line in the history."""
    event = Event(
        at=now,
        action="campaign.no-return",
        campaign=campaign,
        object_id=campaign,
        outcome="accepted",
        message=f"accepted by {who}",
        data={"by": who},
    )
    return {"by": who, "at": now}, event


def not_accepted(campaign: str, reason: str) -> ConditionsError:
    """The answer to who only says that the campaign should go on."""
    remedy = f"escalator campaign resume {campaign} --accept-point-of-no-return, or escalator campaign abort {campaign}"
    error = ConditionsError(Code.PLN_NO_RETURN, f"Campaign {campaign} waits: {reason}.", remedy=remedy)
    error.exit_code = WAITS_FOR_A_PERSON  # type: ignore[misc]  # a person decides: exit 4, not 3
    return error
