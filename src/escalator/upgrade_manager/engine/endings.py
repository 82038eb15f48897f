"""How a campaign ends: its run is proved, what it changed is taken off, its nodes are given back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.errors import EscalatorError
from escalator.model.progress import CampaignState, Event, NodeTask, Restoration, TaskKind, TaskState
from escalator.upgrade_manager.engine import around, differing, pins, quotas
from escalator.upgrade_manager.engine.board import Board
from escalator.upgrade_manager.engine.budget import warn
from escalator.upgrade_manager.engine.by_hand import needs_person, take_off
from escalator.upgrade_manager.engine.changes import change, write
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.marked import note_marked
from escalator.upgrade_manager.engine.owed import tell_at_the_end
from escalator.upgrade_manager.engine.proof import prove
from escalator.upgrade_manager.engine.states import ENDED

ABORTED = "the campaign was aborted before its turn"
"""Why a node was skipped that had not begun. Who wants it all the same gives it another try."""


async def complete(ctx: Context, campaign: Campaign, board: Board) -> None:
    """Every node has had its turn: take off what is still changed, prove the run, and end the campaign.

    One that was aborted, and went on for the sake of a node that was not put back, ends as aborted. Version pins that cannot
    be released bring a person before the end, and so does a hook after the last node that fails.
    """
    name = campaign.metadata.name
    aborted = any(task.state is TaskState.SKIPPED and task.message == ABORTED for task in board.tasks.values())
    differ = await differing.on_the_way_there(ctx, name, board.plan, [*board.tasks.values()])
    failed = None if differ else await pins.release(ctx, campaign)
    if failed is not None:
        await change(ctx, name, (CampaignState.RUNNING,), CampaignState.SUSPENDED, Code.SYS_PIN, failed)
        return
    if not await _hooked(ctx, campaign, aborted=aborted):
        return
    left = [task for task in board.tasks.values() if task.state is not TaskState.DONE]
    reasons = [f"{t.node} {t.state.value}: {t.message}" for t in left[:10]]
    await quotas.unlock(ctx, name)
    await note_marked(ctx, name)
    # Who could not be told at the time may be there now.
    not_put_back = not_put_back_said(await take_off(ctx, name))
    await give_slots_back(ctx, name)
    out = await tell_at_the_end(ctx, name)
    await pins.keep(ctx, name, differ)
    if not differ:
        await pins.release_ended(ctx, campaign, (await ctx.book.plan(board.plan))[1])
    reason = "; ".join([*reasons, *([not_in_service_said(out)] if out else []), *([not_put_back] if not_put_back else [])])
    await prove_and_tell(ctx, name)
    if await tried_again(ctx, name):
        return
    if aborted:
        await change(ctx, name, (CampaignState.RUNNING,), CampaignState.ABORTING, None, reason)
        await change(ctx, name, (CampaignState.ABORTING,), CampaignState.ABORTED, None, reason)
        return
    await change(ctx, name, (CampaignState.RUNNING,), CampaignState.COMPLETED, None, reason)


async def _hooked(ctx: Context, campaign: Campaign, *, aborted: bool) -> bool:
    """Whether the campaign's hooks after its last node have run, so that it may end; a person is called when one failed."""
    if aborted:
        await around.leave_out(ctx, campaign, "the campaign was aborted")
        return True
    name, failed = campaign.metadata.name, await around.end(ctx, campaign)
    if failed == around.STOPPED:
        return False
    if failed is not None:
        await change(ctx, name, (CampaignState.RUNNING,), CampaignState.SUSPENDED, Code.SYS_HOOK, failed)
    # Commands take their time: a person may have stopped the campaign meanwhile.
    return failed is None and await ctx.store.campaigns.state(name) is CampaignState.RUNNING


async def abort(ctx: Context, campaign: Campaign, board: Board) -> None:
    """Nodes that have not begun are skipped; when those under way are back, the campaign is aborted."""
    name = campaign.metadata.name
    await _skip_pending(ctx, name, board, [task for task in board.tasks.values() if task.state is TaskState.PENDING], ABORTED)
    if not board.ended:
        return
    await quotas.unlock(ctx, name)
    await note_marked(ctx, name)
    open_rows = await take_off(ctx, name)
    if any(needs_person(ctx, row) for row in open_rows):
        reason = not_put_back_said(open_rows)
        await change(ctx, name, (CampaignState.ABORTING,), CampaignState.SUSPENDED, Code.UPG_UNDO_FAILED, reason)
        return
    await give_slots_back(ctx, name)
    out = await tell_at_the_end(ctx, name)
    # After all that can be interrupted by a cloud that is away: what is said of pins is said once.
    differ = await differing.on_the_way_there(ctx, name, board.plan, [*board.tasks.values()])
    await pins.keep(ctx, name, differ or await pins.release(ctx, campaign) or "")
    await around.leave_out(ctx, campaign, "the campaign was aborted")
    await prove_and_tell(ctx, name)
    row = await ctx.store.campaigns.get(name)
    why = row.reason if row is not None and row.reason else "aborted"
    reason = not_put_back_said(await pins.with_pins(ctx, name, open_rows))
    served = not_in_service_said(out) if out else "every node is in service"
    said = "; ".join([why, served, *([reason] if reason else [])])
    await change(ctx, name, (CampaignState.ABORTING,), CampaignState.ABORTED, None, said)


async def unwind(ctx: Context, name: str, board: Board) -> bool:
    """Nodes that have not begun are skipped; whether those under way are through, so that the way back can begin."""
    waiting = [task for task in board.tasks.values() if task.state is TaskState.PENDING and task.kind is TaskKind.UPGRADE]
    await _skip_pending(ctx, name, board, waiting, "the campaign is rolled back before its turn")
    if any(task.kind is TaskKind.UPGRADE and task.state not in ENDED for task in board.tasks.values()):
        return False
    await around.leave_out(ctx, await ctx.book.campaign(name), "the campaign is rolled back")
    await quotas.unlock(ctx, name)
    return True


async def leave_late(ctx: Context, name: str, board: Board) -> None:
    """A campaign that is over has no node that waits: one that was given another try in that moment is left as it is."""
    tasks = await ctx.store.tasks.list(name, ladders=False)
    late = [task for task in tasks if (task.kind, task.state) == (TaskKind.UPGRADE, TaskState.PENDING)]
    await _skip_pending(ctx, name, board, late, "the campaign was over when its next turn was asked for")


async def tried_again(ctx: Context, name: str) -> bool:
    """Whether a person has given a node another try while the campaign was about to end: hooks and the cloud take their time."""
    return any(task.state not in ENDED for task in await ctx.store.tasks.list(name, ladders=False))


def not_in_service_said(nodes: Sequence[str]) -> str:
    """Which nodes the cloud did not show in service at the end, in one line: their VNF managers were not told that they are."""
    return f"not in service: {', '.join(nodes[:10])}"


def not_put_back_said(rows: Sequence[Restoration]) -> str:
    """What still is to be put back, in one line; empty for nothing."""
    return "not put back: " + ", ".join(f"{row.kind} of {row.object_id}" for row in rows[:10]) if rows else ""


async def prove_and_tell(ctx: Context, name: str) -> None:
    """Check the history against the rules before the campaign is over, and write down what is found."""
    try:
        await warn(ctx, name)
        proof = await prove(ctx, name)
    except EscalatorError as error:
        await write(ctx, name, "campaign.verify", f"the run could not be checked: {error.message}", code=error.code, node=None)
        return
    outcome, code = ("failed", Code.PLN_VIOLATION.value) if proof.violations else ("done", None)
    event = Event(at=ctx.clock.now(), action="campaign.verify", campaign=name, object_id=name, outcome=outcome, code=code)
    await ctx.store.events.append((replace(event, message=proof.said),))


async def give_slots_back(ctx: Context, name: str) -> None:
    """A campaign that is over holds no node: one that still is out of service counts by the cloud's own word."""
    for slot in await ctx.store.admission.node_slots():
        if slot.campaign == name:
            await ctx.store.admission.leave_node(name, slot.node)


async def _skip_pending(ctx: Context, name: str, board: Board, waiting: Sequence[NodeTask], why: str) -> None:
    """Nodes that wait get no turn. One that an earlier turn left out of service keeps its slot until it is put back."""
    taken = {slot.node for slot in await ctx.store.admission.node_slots() if slot.campaign == name} if waiting else set()
    for task in waiting:
        if task.node in taken and not await take_off(ctx, name, task.node):
            await ctx.store.admission.leave_node(name, task.node)
        skipped = NodeTask(
            campaign=name,
            node=task.node,
            attempt=task.attempt,
            wave=task.wave,
            state=TaskState.SKIPPED,
            code=Code.UPG_ABORTED.value,
            message=why,
            updated_at=ctx.clock.now(),
        )
        await ctx.store.tasks.put(skipped)
        board.put(skipped)
