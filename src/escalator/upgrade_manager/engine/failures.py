"""When failures stop a campaign: more nodes than allowed, the same error again, a host that failed on its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from escalator.cloud_manager.port import ServiceState
from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.progress import CampaignState, NodeTask, TaskState
from escalator.storage.port import CampaignRow
from escalator.upgrade_manager.engine.board import Board
from escalator.upgrade_manager.engine.changes import change, keep_shown, write
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.people import left_out_by_hand

FOR_HOST = "for a host that failed:"
SHOWN = 10


async def accepted_failures(ctx: Context, name: str) -> set[str]:
    """Tasks whose failure a person has accepted by resuming, retrying or skipping."""
    memo = await ctx.store.tasks.memo(name)
    return {*(memo.get("accepted") or ()), *left_out_by_hand(memo)}


async def over_budget(ctx: Context, name: str, campaign: Campaign, board: Board) -> bool:
    """Suspend, or abort, when more nodes failed than allowed, or several with one and the same error.

    A node that is out of service for it, by policy or because an undo failed, is one of them: the campaign goes on within
    `max_unavailable`, and calls a person when everything else is through: who retries or skips it can do so until it is over.
    Nodes that were left out with one and the same error count as alike too: one cause would leave out the whole site.
    """
    if not (board.failed or board.spared):
        return False
    accepted = await accepted_failures(ctx, name)
    failures = [task for task in board.failed.values() if task.id not in accepted]
    policy = campaign.spec.failure
    code, count = next(iter(Counter(task.code for task in failures).most_common(1)), ("", 0))
    if len(failures) <= policy.max_failed and count < policy.same_error:
        spared = [task for task in board.spared.values() if task.id not in accepted]
        if await _left_out_alike(ctx, name, [*failures, *spared], policy.same_error):
            return True
        return board.ended and await _held_at_the_end(ctx, name, failures)
    last = max(failures, key=lambda task: task.updated_at)
    alike = count >= policy.same_error
    why = f"{counted(count, 'node')} failed with {code}" if alike else f"{counted(len(failures), 'node')} failed"
    reason = f"{why}, last {last.node}: {last.message}"
    target = await then(ctx, campaign)
    await change(ctx, name, (CampaignState.RUNNING,), target, Code.UPG_FAILURES, reason)
    return True


async def _left_out_alike(ctx: Context, name: str, tasks: Sequence[NodeTask], same_error: int) -> bool:
    """Suspend when so many ended with one code, those among them that were left out; whether it is so."""
    code, count = next(iter(Counter(task.code for task in tasks).most_common(1)), ("", 0))
    if count < same_error:
        return False
    last = max((task for task in tasks if task.code == code), key=lambda task: task.updated_at)
    reason = f"{counted(count, 'node was', 'nodes were')} left out or failed with {code}, last {last.node}: {last.message}"
    await change(ctx, name, (CampaignState.RUNNING,), CampaignState.SUSPENDED, Code.UPG_FAILURES, reason)
    return True


async def _held_at_the_end(ctx: Context, name: str, failures: Sequence[NodeTask]) -> bool:
    """Suspend when nodes are out of service although so many may fail; whether there are any."""
    held = [f"{task.node}: {task.message}" for task in failures if task.state is TaskState.FAILED]
    if held:
        reason = f"every other node is through; {'; '.join(held[:SHOWN])}"
        await change(ctx, name, (CampaignState.RUNNING,), CampaignState.SUSPENDED, Code.UPG_FAILURES, reason)
    return bool(held)


async def then(ctx: Context, campaign: Campaign) -> CampaignState:
    """What policy does then; where the driver knows no way back, a person is called instead of going it."""
    match campaign.spec.failure.then:
        case "abort":
            return CampaignState.ABORTING
        case "rollback":
            system = ctx.systems.get(campaign.spec.node.driver)
            release = await ctx.book.release(campaign.spec.release or "")
            able = system is not None and "rollback" in system.capabilities(release)
            return CampaignState.ROLLING_BACK if able else CampaignState.SUSPENDED
        case _:
            return CampaignState.SUSPENDED


async def host_failure(ctx: Context, name: str, board: Board, unavailable: Mapping[str, ServiceState]) -> bool:
    """Whether a host of the scope failed on its own: nothing new starts until it is back or a person accepts it."""
    down = {node for node, service in unavailable.items() if not service.up}
    # A node that is having its turn, or whose turn ended in failure, is down for a reason that is known.
    down = {node for node in down if node not in board.tasks or board.tasks[node].state in (TaskState.PENDING, TaskState.DONE)}
    known = set((await ctx.store.tasks.memo(name)).get("known_down") or ()) if down else set()
    await keep_shown(ctx, name, board.announced, FOR_HOST, _hosts_said(name, sorted(down - known)), Code.UPG_HOST_FAILURE)
    for node in sorted(down - known - board.announced):
        board.announced.add(node)
        message = f"host {node} failed; no further node starts until it is back, or the campaign is resumed"
        await write(ctx, name, "campaign.host-failure", message, code=Code.UPG_HOST_FAILURE, node=node)
    return bool(down - known)


async def host_down(ctx: Context, node: str) -> bool:
    """Whether the cloud says now that the node's host is down."""
    service = (await ctx.cloud.unavailable()).get(node)
    return service is not None and not service.up


def _hosts_said(name: str, failed: Sequence[str]) -> str:
    """That these hosts hold the campaign up, and what a person can do; empty when there are none."""
    if not failed:
        return ""
    shown = ", ".join(failed[:SHOWN]) + (f" and {len(failed) - SHOWN} more" if len(failed) > SHOWN else "")
    back = "it is back" if len(failed) == 1 else "they are back"
    return f"{shown}; no further node starts until {back}; without waiting: escalator campaign resume {name}"


def held_by_host(row: CampaignRow) -> bool:
    """Whether the campaign begins nothing because a host failed, as its reason says; a person can accept that."""
    return row.state in (CampaignState.RUNNING, CampaignState.ROLLING_BACK) and row.code == Code.UPG_HOST_FAILURE.value
