"""Driving the way back: plan it, begin the turn of each node, find out when it is over or needs a person.

As the drive of the way there, it keeps nothing of its own: run again after a crash, it takes up where the stored state is.
What disturbs it (a node that fails, or is tried again) lets what is under way end; then the rest is planned anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.errors import EscalatorError, PermanentError, TemporaryError
from escalator.model.progress import CampaignState, NodeTask, TaskKind, TaskState
from escalator.storage.port import NodeSlot
from escalator.upgrade_manager.engine import at_hand, differing, exclusive, holds, kinds, pins, quotas, stages
from escalator.upgrade_manager.engine.admission import NodeDoor
from escalator.upgrade_manager.engine.board import Board
from escalator.upgrade_manager.engine.by_hand import take_off
from escalator.upgrade_manager.engine.changes import FOR_PEOPLE, FOR_ROOM, change, go_on, keep_shown, show_wait, write
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.endings import (
    give_slots_back,
    not_in_service_said,
    not_put_back_said,
    prove_and_tell,
    tried_again,
)
from escalator.upgrade_manager.engine.failures import accepted_failures, host_failure
from escalator.upgrade_manager.engine.in_service import tell_owed
from escalator.upgrade_manager.engine.job import TaskRef
from escalator.upgrade_manager.engine.limits import limits_of
from escalator.upgrade_manager.engine.marked import note_marked
from escalator.upgrade_manager.engine.owed import tell_at_the_end
from escalator.upgrade_manager.engine.rollback.decided import decided, given_up_in
from escalator.upgrade_manager.engine.rollback.leaving import CALLED_OFF, CALLED_OFF_IN, as_upgraded, begun, end_of, left_said
from escalator.upgrade_manager.engine.rollback.numbers import number_of
from escalator.upgrade_manager.engine.rollback.planning import (
    FOLLOWED,
    GIVEN_UP,
    NO_OUTAGE,
    back,
    campaign_back,
    follow,
    planned_back,
)
from escalator.upgrade_manager.engine.states import ENDED, UNDER_WAY
from escalator.upgrade_manager.engine.told import tell_state
from escalator.upgrade_manager.engine.tonight import in_window
from escalator.upgrade_manager.engine.windows import opening
from escalator.upgrade_manager.engine.worker import seen_to_its_end
from escalator.upgrade_manager.planner.order import predecessors
from escalator.upgrade_manager.planner.outage import outage_of

OVER = (CampaignState.COMPLETED, CampaignState.ABORTED)
"""What a campaign is when its way back ended early, or was called off."""
DRIVEN = (CampaignState.ROLLING_BACK, CampaignState.RESTORING)
ENDS = {CampaignState.ROLLING_BACK: CampaignState.ROLLED_BACK, CampaignState.RESTORING: CampaignState.RESTORED}
PAUSES = (CampaignState.ROLLING_BACK, CampaignState.ROLLBACK_PAUSED)
KINDS = {CampaignState.ROLLING_BACK: TaskKind.ROLLBACK, CampaignState.RESTORING: TaskKind.RESTORE}
SHOWN = 10


async def drive_back(ctx: Context, name: str, number: int = 0) -> str:
    """Bring the way back to an end; the end state's name. `number`: how many ways back the campaign had before this one."""
    board: Board | None = None
    told = ""

    async def look() -> str | None:
        nonlocal board, told
        state = await ctx.store.campaigns.state(name)
        told = await tell_state(ctx, name, state, told)
        if state is not None and (state in (*ENDS.values(), *OVER) or await number_of(ctx, name) != number):
            if state in OVER:
                await as_upgraded(ctx, name)
            return state.value
        board = await _advance(ctx, name, state, board) if state is not None else None
        look_s = ctx.pace.recheck_s if board is None else min(board.look_s or ctx.pace.sweep_s, ctx.pace.sweep_s)
        if (await ctx.book.campaign(name)).spec.exclusive:
            look_s = min(look_s, ctx.pace.recheck_s / 2)  # a lease that lapses is seen soon
        changed = await ctx.signals.wait(name, ctx.clock, look_s)
        if board is not None:
            await _refresh(ctx, name, board, changed)
        return None

    def forget() -> None:
        nonlocal board
        board = None

    return await seen_to_its_end(ctx, name, look, forget, "the way back")


async def _advance(ctx: Context, name: str, state: CampaignState, board: Board | None) -> Board | None:
    """Do what can be done now. Without a board nothing can be begun yet; one that rests is made anew afterwards."""
    await ctx.sheet.catch_up(ctx.store.restorations)
    tasks = await ctx.store.tasks.list(name, ladders=False) if board is None else [*board.tasks.values()]
    if any(task.kind is TaskKind.UPGRADE and task.state not in ENDED for task in tasks):
        return None  # the way there has not ended
    if board is None:
        await _take_up(ctx, name, tasks)
    memo = await ctx.store.tasks.memo(name)
    if memo.get(CALLED_OFF) is not None and await _called_off(ctx, name, state, str(memo[CALLED_OFF])):
        return None
    keys = (await ctx.book.campaign(name)).spec.exclusive
    if keys and not await exclusive.kept_back(ctx, name, await campaign_back(ctx, name), state, back(tasks)):
        return None
    if state is CampaignState.ROLLBACK_FAILED and await decided(ctx, name):
        await go_on(ctx, name, state, CampaignState.ROLLING_BACK)
        return None
    if state not in DRIVEN or await _failed(ctx, name, state, tasks):
        await _scale_up(ctx, name, state, tasks, None)
        return None
    if board is not None:
        await holds.look(ctx, board)
    if board is None or board.disturbed or memo.get(FOLLOWED) is None:
        board = await _renewed(ctx, name, state, tasks)
    return None if board is None else await _go_on(ctx, name, state, board)


async def _renewed(ctx: Context, name: str, state: CampaignState, tasks: Sequence[NodeTask]) -> Board | None:
    """The board of the plan for what is left; none while nodes are under way."""
    under_way = [task for task in back(tasks) if task.state in UNDER_WAY]
    if not under_way:
        return await _planned(ctx, name, state, tasks)
    waiting = sum(task.state is TaskState.PENDING for task in back(tasks))
    why = await holds.all_held(ctx, under_way, waiting)
    if state is CampaignState.RESTORING:
        await show_wait(ctx, name, FOR_PEOPLE, why or "", Code.UPG_HELD if why else None)
    await _wait_for_people(ctx, name, state, why)
    return None


async def _go_on(ctx: Context, name: str, state: CampaignState, board: Board) -> Board | None:
    """Begin what can be begun, or end; the board, as long as it is followed."""
    if board.ended:
        await _end(ctx, name, state, [*board.tasks.values()])
        return None
    if not await _scale_up(ctx, name, state, [*board.tasks.values()], board):
        return None
    why = holds.left_to_people(board)
    if state is CampaignState.RESTORING:
        await keep_shown(ctx, name, board.announced, FOR_PEOPLE, why or "", Code.UPG_HELD)
    if why is None:
        await _begin(ctx, name, await campaign_back(ctx, name), board)
    else:
        await _wait_for_people(ctx, name, state, why, board.announced)
    return board


async def _wait_for_people(
    ctx: Context, name: str, state: CampaignState, why: str | None, announced: set[str] | None = None
) -> None:
    """Nothing can go on but what people hold: the way back pauses until that is let go; a restore, which cannot, says so once."""
    if why is not None and state is CampaignState.ROLLING_BACK:
        await change(ctx, name, (state,), CampaignState.ROLLBACK_PAUSED, Code.UPG_HELD, why)
    elif why is not None and announced is not None and why not in announced:
        announced.add(why)
        await write(ctx, name, "campaign.waits", why, code=Code.UPG_HELD, node=None)


async def _planned(ctx: Context, name: str, state: CampaignState, tasks: Sequence[NodeTask]) -> Board | None:
    """The board of the plan that is followed; of another one where that is due."""
    memo = await ctx.store.tasks.memo(name)
    if memo.get(FOLLOWED) is None or any(task.state is TaskState.PENDING for task in back(tasks)):
        try:
            made = await planned_back(ctx, name, KINDS[state])
            if memo.get(NO_OUTAGE) and state is CampaignState.ROLLING_BACK:
                beyond = outage_of(made.plan)
                if beyond is not None:
                    why = (
                        f"{beyond}, which nobody accepted: make room first; escalator campaign resume {name} accepts what is left"
                    )
                    await change(ctx, name, (state,), CampaignState.ROLLBACK_PAUSED, Code.PLN_OUTAGE, why)
                    return None
            await follow(ctx, name, made, KINDS[state])
        except TemporaryError:
            raise
        except EscalatorError as error:
            await change(
                ctx, name, (state,), CampaignState.ROLLBACK_FAILED, error.code, f"{error.message} {error.remedy}".strip()
            )
            return None
    row = await ctx.store.campaigns.get(name)
    plan, inventory = await ctx.book.plan(str(row.plan if row is not None else ""))
    board = Board(plan.id, predecessors(plan, inventory), limits_of(await campaign_back(ctx, name), plan, inventory))
    await _refresh(ctx, name, board, frozenset())
    return board


async def _scale_up(ctx: Context, name: str, state: CampaignState, tasks: Sequence[NodeTask], board: Board | None) -> bool:
    """Keep VNFs from scaling up while a maintenance window is open or nodes are under way; by day they have to be able to.

    A way back that rests binds nobody anew. False when the cloud takes no limits: a person is called then. A restore is the last
    resort and goes on without.
    """
    campaign = await campaign_back(ctx, name)
    if campaign.spec.workloads.scale_up == "leave":
        return True
    window = opening(campaign.spec, ctx.clock.now())
    bound = any(task.state in UNDER_WAY for task in back(tasks)) or (window is not None and window[0] <= ctx.clock.now())
    if not bound:
        await quotas.unlock(ctx, name)
    elif board is not None and not board.quotas_bound:
        try:
            await _bind(ctx, campaign, board)
        except PermanentError as error:
            why = f"{error.message} {error.remedy}".strip()
            if state is not CampaignState.RESTORING:
                await change(ctx, name, (state,), CampaignState.ROLLBACK_FAILED, error.code, why)
                return False
            await write(ctx, name, "quota.locked", f"not set: {why}", code=error.code, node=None)
    if board is not None:
        board.quotas_bound = bound
    return True


async def _bind(ctx: Context, campaign: Campaign, board: Board) -> None:
    _, inventory = await ctx.book.plan(board.plan)
    scope = {node.id for node in inventory.nodes if campaign.spec.scope.includes(node)}
    projects = {instance.project for instance in inventory.instances if instance.node in scope}
    bound = [instance for instance in inventory.instances if instance.project in projects]
    await quotas.lock(ctx, campaign.metadata.name, bound)


async def _refresh(ctx: Context, name: str, board: Board, changed: frozenset[str]) -> None:
    """Read the tasks that changed; all of them when it is not known which."""
    for node in changed:
        task = await ctx.store.tasks.get(name, node)
        if task is not None:
            board.put(task)
    if not changed:
        for task in await ctx.store.tasks.list(name, ladders=False):
            board.put(task)


async def _take_up(ctx: Context, name: str, tasks: Sequence[NodeTask]) -> None:
    """Make sure that every node under way has its workflow: a crash may have come between the two."""
    row = await ctx.store.campaigns.get(name)
    for task in back(tasks):
        if task.state in UNDER_WAY and row is not None:
            await _start(ctx, task, str(row.plan))


async def _failed(ctx: Context, name: str, state: CampaignState, tasks: Sequence[NodeTask]) -> bool:
    """Whether a node failed that no person has seen yet: nothing more begins, and one is called."""
    accepted = await accepted_failures(ctx, name)
    failed = [task for task in back(tasks) if task.state is TaskState.FAILED and task.id not in accepted]
    if not failed:
        return False
    last = max(failed, key=lambda task: task.updated_at)
    reason = f"{counted(len(failed), 'node was', 'nodes were')} not rolled back, last {last.node}: {last.message}"
    waiting = sum(task.state is TaskState.PENDING for task in back(tasks))
    reason += f"; {counted(waiting, 'more node has', 'more nodes have')} not begun" if waiting else ""
    await change(ctx, name, (state,), CampaignState.ROLLBACK_FAILED, Code.UPG_NOT_BACK, reason)
    await quotas.unlock(ctx, name)
    return True


async def _begin(ctx: Context, name: str, campaign: Campaign, board: Board) -> None:
    """Begin the turn of every node that may have it now, through the same door as on the way there."""
    board.look_s = None
    # As on the way there: of a restore by hand and a way back that begin at once, one sees the other.
    restoring = {row.node for row in await ctx.store.backups.restoring()}
    ready = await stages.begun(ctx, name, board, holds.begun(board, await in_window(ctx, name, campaign, board)))
    ready = await kinds.admitted(ctx, name, board, [task for task in ready if task.node not in restoring])
    if not ready:
        return
    unavailable = {node: service for node, service in (await ctx.cloud.unavailable()).items() if node in board.limits.scope}
    board.owed_seen = board.owed_seen or not await tell_owed(ctx, name, unavailable)
    if await ctx.store.campaigns.state(name) is CampaignState.RESTORING:
        # The last resort waits for no host that may never be back: a dead one takes no room from those that can be restored.
        unavailable = {node: service for node, service in unavailable.items() if service.up}
    elif await host_failure(ctx, name, board, unavailable) or await at_hand.stopped(ctx, campaign, board.plan, ready, PAUSES):
        return
    if not await _pinned(ctx, campaign, board):
        return
    refusal = None
    for task in ready:
        slot = NodeSlot(campaign=name, node=task.node, task=task.id, since=ctx.clock.now())
        door = NodeDoor(board.limits.most, unavailable, task.node, board.limits.spread)
        refused = await ctx.store.admission.enter_node(slot, door)
        if refused is None:
            board.put(replace(task, state=TaskState.RUNNING))
            await _start(ctx, task, board.plan)
        refusal = refusal or door.refusal
        if door.full:
            break
    stuck = refusal or "" if not board.under_way else ""
    await keep_shown(ctx, name, board.announced, FOR_ROOM, stuck, Code.UPG_NO_ROOM)
    if stuck:
        await _no_room(ctx, name, board, stuck)


async def _pinned(ctx: Context, campaign: Campaign, board: Board) -> bool:
    """Whether version pins hold on the way back, too: nodes differ meanwhile. A restore does not wait for that."""
    if board.prepared:
        return True
    name, why = campaign.metadata.name, await pins.hold(ctx, campaign, "back")
    if why == pins.STOPPED:
        return False
    # Commands take their time: a person may have stopped the way back meanwhile.
    state = await ctx.store.campaigns.state(name)
    if why is not None and state is CampaignState.ROLLING_BACK:
        reason = f"{why}; escalator node retry tries again"
        await change(ctx, name, (CampaignState.ROLLING_BACK,), CampaignState.ROLLBACK_FAILED, Code.SYS_PIN, reason)
        return False
    board.prepared = why is None or state is CampaignState.RESTORING
    return board.prepared and state in DRIVEN


async def _no_room(ctx: Context, name: str, board: Board, refusal: str) -> None:
    """Nothing is under way and nothing may start: who is held by an earlier turn needs a person, others are waited for."""
    slots = await ctx.store.admission.node_slots()
    held = sorted(slot.node for slot in slots if slot.campaign == name and slot.node in board.failed)
    if held:
        state = await ctx.store.campaigns.state(name)
        hint = "put back what escalator restoration list shows, then retry or skip"
        reason = f"{refusal}; {', '.join(held)} held out of service: {hint}"
        if state in DRIVEN:
            await change(ctx, name, (state,), CampaignState.ROLLBACK_FAILED, Code.UPG_NO_ROOM, reason)
    elif refusal not in board.announced:
        board.announced.add(refusal)
        await write(ctx, name, "campaign.waits", refusal, code=Code.UPG_NO_ROOM, node=None)


async def _start(ctx: Context, task: NodeTask, plan: str) -> None:
    ref = TaskRef(task.campaign, task.node, task.attempt, task.wave, plan, task.kind, hooked=True)
    await ctx.launcher.start("node-back", ref.id, ref.to_json())


async def _called_off(ctx: Context, name: str, state: CampaignState, why: str) -> bool:
    """Whether the way back has ended as a person called it off. What has begun in the meantime is not left half-way."""
    if state not in CALLED_OFF_IN or await begun(ctx, name):
        await ctx.store.tasks.remember(name, CALLED_OFF, None)
        await write(ctx, name, "campaign.trouble", f"not called off ({why}): it has begun", code=Code.UPG_STATE, node=None)
        return False
    turns = back(await ctx.store.tasks.list(name, ladders=False))
    await ctx.store.tasks.remember(name, GIVEN_UP, sorted(task.node for task in turns))
    await _end(ctx, name, state, turns, why)
    return True


async def _end(ctx: Context, name: str, state: CampaignState, tasks: Sequence[NodeTask], why: str = "") -> None:
    """Every node has had its turn, or it is called off: take off what is put back, prove the run, end, unless a node is left."""
    await quotas.unlock(ctx, name)
    given_up = await given_up_in(ctx, name)
    left = [task for task in back(tasks) if task.state is not TaskState.DONE]
    waiting = [task for task in left if task.node not in given_up]
    await note_marked(ctx, name)
    rows = await take_off(ctx, name)
    if waiting:
        left_why = "; ".join(f"{task.node}: {task.message}" for task in waiting[:SHOWN])
        reason = f"{counted(len(waiting), 'node is', 'nodes are')} not rolled back: {left_why}"
        await change(ctx, name, (state,), CampaignState.ROLLBACK_FAILED, Code.UPG_NOT_BACK, reason)
        return
    differ = await differing.on_the_way_back(ctx, name, tasks) if await pins.pinned(ctx, name) else ""
    # There is nothing to try again when all nodes are back: what could not be released stands on the sheet.
    await pins.keep(ctx, name, differ or await pins.release(ctx, await ctx.book.campaign(name)) or "")
    await give_slots_back(ctx, name)
    out = await tell_at_the_end(ctx, name)
    await prove_and_tell(ctx, name)
    said = not_put_back_said(await pins.with_pins(ctx, name, rows))
    if not why and await tried_again(ctx, name):
        return
    end = await end_of(ctx, name, ENDS.get(state, CampaignState.ABORTED))
    reasons = [why or left_said(back(tasks), SHOWN), not_in_service_said(out) if out else "", said]
    await exclusive.give_back(ctx, name)
    await change(ctx, name, (state,), end, None, "; ".join(reason for reason in reasons if reason))
