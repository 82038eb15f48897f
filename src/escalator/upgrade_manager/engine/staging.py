"""Staging ahead: the nodes of a plan get the release's files before their turns, while they are in service.

Nothing that runs changes by it. What cannot be staged is told at once, long before the night; each node's own turn stages it
again and finds it done. Begun again after a crash, it goes on with the nodes that are not staged yet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import count
from typing import Any

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.errors import ConflictError, EscalatorError, PermanentError, TemporaryError
from escalator.model.progress import CampaignState, Event, TaskState
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.runtime import Runtime
from escalator.upgrade_manager.engine.windows import opening

COURSE = "staging"
TRIES = 4
"""Of one node that does not answer or cannot fetch just now."""
STATES = (CampaignState.PLANNED, CampaignState.RUNNING, CampaignState.PAUSED, CampaignState.SUSPENDED)
BEGUN, ENDED = "~begun", "~ended"
"""Numbers of the last run that began and of the last that ended, beside the nodes: no node is called so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """What came of staging one node. `at` is Unix seconds; an empty code means that it is staged."""

    node: str
    release: str
    at: float
    code: str = ""
    message: str = ""


def memo_of(campaign: str) -> str:
    """Under which name what is known of a campaign's staging is kept."""
    return f"{campaign}/staging"


async def begin(ctx: Context, name: str) -> None:
    """Begin to stage the nodes of the campaign's plan that are not staged yet.

    Raises ConflictError when the campaign has no plan or is over, PermanentError when its driver cannot stage.
    """
    row = await ctx.store.campaigns.get(name)
    campaign = await ctx.book.campaign(name)
    if row is None or row.plan is None or row.state not in STATES or campaign.spec.release is None:
        message = f"Campaign {name} has nothing to stage: it is {'unknown' if row is None else row.state.value}."
        verb = "plan" if row is not None and row.state is CampaignState.DRAFT else "show"
        raise ConflictError(Code.UPG_STATE, message, remedy=f"escalator campaign {verb} {name}")
    system = ctx.systems.get(campaign.spec.node.driver)
    if system is None or "stage" not in system.capabilities(await ctx.book.release(campaign.spec.release)):
        message = f"The driver {campaign.spec.node.driver} cannot stage: what it needs it fetches in a node's turn."
        raise PermanentError(Code.SYS_UNSUPPORTED, message)
    number = int((await ctx.store.tasks.memo(memo_of(name))).get(BEGUN) or 0) + 1
    await ctx.store.tasks.remember(memo_of(name), BEGUN, number)
    arguments = {"campaign": name, "plan": row.plan, "number": number}
    await ctx.launcher.start(COURSE, f"{COURSE}/{name}/{number}", arguments)


async def begin_ahead(ctx: Context, name: str, campaign: Campaign) -> None:
    """Begin to stage a campaign that has just started and waits for its window, where its driver can."""
    window = opening(campaign.spec, ctx.clock.now())
    system = ctx.systems.get(campaign.spec.node.driver)
    if system is None or campaign.spec.release is None:
        return
    able = "stage" in system.capabilities(await ctx.book.release(campaign.spec.release))
    if ctx.staging.ahead and able and window is not None and window[0] > ctx.clock.now():
        await begin(ctx, name)


async def stage_ahead(ctx: Context, rt: Runtime, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Stage every node of a plan, some at once; how many are staged and how many are not."""
    name, plan, number = str(arguments["campaign"]), str(arguments["plan"]), int(arguments["number"])
    return dict(await rt.step("stage-ahead", partial(_stage_all, ctx, name, plan, number)))


async def known(ctx: Context, name: str) -> tuple[bool, Sequence[Staged]]:
    """Whether staging is under way, and what is known of each node, in order of their ids."""
    memo = await ctx.store.tasks.memo(memo_of(name))
    found = [Staged(**value) for node, value in memo.items() if not node.startswith("~")]
    under_way = int(memo.get(BEGUN) or 0) > int(memo.get(ENDED) or 0)
    return under_way, sorted(found, key=lambda one: one.node)


async def note(ctx: Context, name: str, staged: Staged) -> None:
    """Write down what came of one node."""
    await ctx.store.tasks.remember(memo_of(name), staged.node, asdict(staged))


async def _stage_all(ctx: Context, name: str, plan_id: str, number: int) -> dict[str, int]:
    plan, _ = await ctx.book.plan(plan_id)
    slots = asyncio.Semaphore(ctx.staging.concurrent)
    before = await ctx.store.tasks.memo(memo_of(name))

    async def one(node: str) -> bool:
        async with slots:
            return await _stage(ctx, name, node, before.get(node) or {})

    came = await asyncio.gather(*(one(upgrade.node) for upgrade in plan.upgrades))
    await ctx.store.tasks.remember(memo_of(name), ENDED, number)
    bad = came.count(False)
    said = f"{len(came) - bad} of {counted(len(came), 'node is', 'nodes are')} staged"
    said += f", {bad} could not be: see node.stage-ahead" if bad else ""
    await _tell(ctx, name, "campaign.staged", None, "failed" if bad else "done", None, said)
    return {"staged": len(came) - bad, "failed": bad}


async def _stage(ctx: Context, name: str, node: str, before: Mapping[str, Any]) -> bool:
    campaign = await ctx.book.campaign(name)
    release = await ctx.book.release(campaign.spec.release or "")
    if before.get("release") == release.id and not before.get("code"):
        return True
    state = await ctx.store.campaigns.state(name)
    task = await ctx.store.tasks.get(name, node)
    if state not in STATES or (task is not None and task.state is not TaskState.PENDING):
        return True  # its turn stages it, or nobody needs it any more
    error = await _tried(ctx, campaign, node)
    came = Staged(node=node, release=release.id, at=ctx.clock.now())
    if error is not None:
        message = f"{error.message} {error.remedy}".strip()
        came = Staged(node=node, release=release.id, at=ctx.clock.now(), code=error.code.value, message=message)
    await note(ctx, name, came)
    outcome = "done" if error is None else "failed"
    await _tell(ctx, name, "node.stage-ahead", node, outcome, came.code or None, came.message or f"{release.id} is on the node")
    return error is None


async def _tried(ctx: Context, campaign: Campaign, node: str) -> EscalatorError | None:
    """Why the node could not be staged, after all tries."""
    system = ctx.systems[campaign.spec.node.driver]
    release = await ctx.book.release(campaign.spec.release or "")
    for number in count(1):
        try:
            await ctx.vetting.intact(release.id)
            await system.stage(node, release)
        except TemporaryError as error:
            if number == TRIES:
                return error
            await ctx.clock.sleep(ctx.pace.poll_s * 2**number)
        except EscalatorError as error:
            return error
        else:
            return None
    raise AssertionError  # it counts for ever


async def _tell(  # noqa: PLR0913, PLR0917 - the fields of an event
    ctx: Context, name: str, action: str, node: str | None, outcome: str, code: str | None, message: str
) -> None:
    event = Event(
        at=ctx.clock.now(),
        action=action,
        campaign=name,
        node=node,
        object_id=node or name,
        outcome=outcome,
        code=code,
        message=message,
        by=ctx.by,
    )
    await ctx.store.events.append((event,))
