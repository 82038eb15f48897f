"""Driving a campaign: which node goes next, when to stop, when it is over.

The drive is one durable step that keeps nothing of its own: it reads what is stored, starts what is ready through the
node door, and waits for changes. Run again after a crash, it takes up where the stored state is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.errors import PermanentError
from escalator.model.progress import CampaignState, Event, NodeTask, TaskState
from escalator.upgrade_manager.engine import around, at_hand, exclusive, gates, holds, kinds, pins, quotas, stages
from escalator.upgrade_manager.engine.board import LOOKED, Board
from escalator.upgrade_manager.engine.budget import accept, overspent, said_of
from escalator.upgrade_manager.engine.changes import ENDS, FOR_ROOM, change, keep_shown, write
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.declared import declared_since
from escalator.upgrade_manager.engine.doorway import Doorway
from escalator.upgrade_manager.engine.endings import abort, complete, leave_late, unwind
from escalator.upgrade_manager.engine.failures import over_budget
from escalator.upgrade_manager.engine.freeze import frozen
from escalator.upgrade_manager.engine.job import TaskRef
from escalator.upgrade_manager.engine.limits import limits_of
from escalator.upgrade_manager.engine.replan import LEFT_OUT, note_strays, repair, take_up
from escalator.upgrade_manager.engine.scale_in import give_back, make_room, not_enough
from escalator.upgrade_manager.engine.states import ACTIVE, BACK, UNDER_WAY
from escalator.upgrade_manager.engine.told import tell_state
from escalator.upgrade_manager.engine.tonight import in_window, opens, owners_away
from escalator.upgrade_manager.engine.windows import opening
from escalator.upgrade_manager.engine.worker import seen_to_its_end
from escalator.upgrade_manager.planner.order import predecessors


async def drive(ctx: Context, name: str) -> str:
    """Bring the campaign to an end; the end state's name. Only a state that is final for its workflow ends the drive."""
    board: Board | None = None

    async def look() -> str | None:
        nonlocal board
        campaign = await ctx.book.campaign(name)
        if board is None:
            # A crash may have come between a plan that was kept and the following of it.
            await take_up(ctx, name)
            board = await _board(ctx, name, campaign)
            ctx.planning.prepare((await ctx.book.plan(board.plan))[0])
            await _take_up(ctx, board)
        end = await _advance(ctx, name, campaign, board)
        if end is not None:
            return end.value
        sweep_s = ctx.pace.asleep_s if board.asleep else ctx.pace.sweep_s
        look_s = min(sweep_s if board.look_s is None else board.look_s, sweep_s, board.lease_look_s)
        changed = await ctx.signals.wait(name, ctx.clock, look_s)
        board = await _follow(ctx, name, board, changed)
        return None

    def forget() -> None:
        nonlocal board
        board = None

    return await seen_to_its_end(ctx, name, look, forget)


async def _advance(ctx: Context, name: str, campaign: Campaign, board: Board) -> CampaignState | None:
    """Do what can be done now; the end state once it is reached."""
    await ctx.sheet.catch_up(ctx.store.restorations)
    state = await ctx.store.campaigns.state(name)
    board.told = await tell_state(ctx, name, state, board.told)
    if state in ACTIVE and state not in BACK and not await _scale_up(ctx, name, campaign, board, state):
        return None
    await give_back(ctx, name, campaign, board)
    # On its way back too while nodes unwind: after a restart nothing else would take their keys again.
    at_work = state in ACTIVE and (state not in BACK or board.under_way)
    if at_work and not await exclusive.kept(ctx, name, campaign, board, state):
        return None
    if state is not CampaignState.RUNNING:
        board.rested = True
    elif board.rested:
        board.rested, board.disturbed, board.prepared = False, board.disturbed or "a rest of the campaign", False
    if state is CampaignState.RUNNING:
        await _run(ctx, name, campaign, board)
    elif state is CampaignState.ABORTING:
        await abort(ctx, campaign, board)
    elif state in BACK:
        # The way back is another workflow's: it begins when the last turn of the way there has ended.
        # It takes the keys over, so that no other site comes in between.
        return state if await unwind(ctx, name, board) else None
    state = await ctx.store.campaigns.state(name)
    if state in ENDS:
        await leave_late(ctx, name, board)
        await exclusive.give_back(ctx, name)
        await tell_state(ctx, name, state, board.told)
    return state if state in ENDS else None


async def _board(ctx: Context, name: str, campaign: Campaign) -> Board:
    row = await ctx.store.campaigns.get(name)
    plan_id = row.plan if row is not None and row.plan is not None else ""
    plan, inventory = await ctx.book.plan(plan_id)
    board = Board(plan_id, predecessors(plan, inventory), limits_of(campaign, plan, inventory))
    await _refresh(ctx, name, board, frozenset())
    board.stray_at = float((await ctx.store.tasks.memo(name)).get(LOOKED) or 0.0)
    # No plan has said yet why these have no turn: they were given another try while this one was made.
    board.disturbed = next((f"{task.node} tried again" for task in board.without_turn if not task.code), "")
    return board


async def _refresh(ctx: Context, name: str, board: Board, changed: frozenset[str]) -> None:
    """Read the tasks that changed; all of them when it is not known which."""
    if changed:
        for node in changed:
            task = await ctx.store.tasks.get(name, node)
            if task is not None:
                board.put(task)
    else:
        for task in await ctx.store.tasks.list(name, ladders=False):
            board.put(task)


async def _follow(ctx: Context, name: str, board: Board, changed: frozenset[str]) -> Board | None:
    """The board as it is now; none when another plan is followed from now on."""
    if not changed and await take_up(ctx, name):
        return None
    await _refresh(ctx, name, board, changed)
    return board


async def _take_up(ctx: Context, board: Board) -> None:
    """Make sure that every node under way has its workflow: a crash may have come between the two."""
    for task in list(board.tasks.values()):
        if task.state in UNDER_WAY:
            await _start(ctx, task, board)


async def _run(ctx: Context, name: str, campaign: Campaign, board: Board) -> None:
    if await over_budget(ctx, name, campaign, board) or await stages.unsuccessful(ctx, name, campaign, board):
        return
    if board.ended:
        await complete(ctx, campaign, board)
        return
    board.look_s, board.asleep = None, False
    await holds.look(ctx, board)
    if await frozen(ctx, name, board):
        return
    if await make_room(ctx, name, campaign, board):
        return
    if opens(ctx, campaign, board) and await owners_away(ctx, name, campaign, board):
        return
    if await _replan(ctx, name, board) or await holds.only_held(ctx, name, board):
        return
    stranded = stages.stuck(board)
    if stranded:
        await _strand(ctx, name, board, stranded)
    else:
        await _begin(ctx, name, campaign, board)


async def _begin(ctx: Context, name: str, campaign: Campaign, board: Board) -> None:
    """Begin the turn of every node that may have it now."""
    # A restore that began while the campaign started is looked for on both sides: one of them sees the other.
    restoring = {row.node for row in await ctx.store.backups.restoring()}
    ready = await stages.begun(ctx, name, board, holds.begun(board, await in_window(ctx, name, campaign, board)))
    ready = await kinds.admitted(ctx, name, board, [task for task in ready if task.node not in restoring])
    if not ready:
        return
    if await _over_budgets(ctx, name, campaign, board, ready):
        return
    if await at_hand.stopped(ctx, campaign, board.plan, ready):
        return
    doorway = Doorway(ctx, name, campaign, board)
    if not await doorway.look():
        return
    if not await gates.opened(ctx, name, campaign, board, ready) or not await _prepared(ctx, campaign, board):
        return
    for task in ready:
        if doorway.closed:
            break
        if await doorway.admits(task):
            await _start(ctx, task, board)
    stuck = doorway.refusal or "" if not board.under_way else ""
    await keep_shown(ctx, name, board.announced, FOR_ROOM, stuck, Code.UPG_NO_ROOM)
    if stuck:
        await _no_room(ctx, name, board, stuck)


async def _scale_up(ctx: Context, name: str, campaign: Campaign, board: Board, state: CampaignState) -> bool:
    """Keep VNFs from scaling up in a maintenance window and as long as nodes are under way; not in between.

    A campaign that rests or ends binds nobody anew, and lets go like any other: whether it goes on tonight or in a week, by day
    VNFs have to be able to. False when the cloud takes no limits: a person is called then.
    """
    if campaign.spec.workloads.scale_up == "leave":
        return True
    window = opening(campaign.spec, ctx.clock.now())
    bound = board.under_way or (window is not None and window[0] <= ctx.clock.now())
    if bound == board.quotas_bound or (bound and state is not CampaignState.RUNNING):
        return True
    if bound:
        _, inventory = await ctx.book.plan(board.plan)
        scope = {i.project for node in board.limits.scope for i in inventory.instances_by_node.get(node, ())}
        try:
            await quotas.lock(ctx, name, [i for i in inventory.instances if i.project in scope])
        except PermanentError as error:
            why = f"{error.message} {error.remedy}".strip()
            await change(ctx, name, (CampaignState.RUNNING,), CampaignState.SUSPENDED, error.code, why)
            return False
    else:
        await quotas.unlock(ctx, name)
    board.quotas_bound = bound
    return True


async def _prepared(ctx: Context, campaign: Campaign, board: Board) -> bool:
    """Whether the campaign's own hooks before its nodes have run, and its version pins hold; a person is called when not."""
    if board.prepared:
        return True
    name, code = campaign.metadata.name, Code.SYS_HOOK
    why = await around.begin(ctx, campaign)
    if why is None:
        why, code = await pins.hold(ctx, campaign), Code.SYS_PIN
    if why in (around.STOPPED, pins.STOPPED):
        return False
    board.prepared = why is None
    # Commands take their time: a person may have stopped the campaign meanwhile.
    state = await ctx.store.campaigns.state(name)
    if why is not None and state is CampaignState.RUNNING:
        await change(ctx, name, (CampaignState.RUNNING,), CampaignState.SUSPENDED, code, why)
    return board.prepared and state is CampaignState.RUNNING


async def _over_budgets(ctx: Context, name: str, campaign: Campaign, board: Board, ready: Sequence[NodeTask]) -> bool:
    """Whether the campaign is suspended because groups on the next nodes have spent their interruption budget."""
    if campaign.spec.workloads.on_budget == "warn":
        return False
    now = ctx.clock.now()
    _, inventory = await ctx.book.plan(board.plan)
    groups = {g for task in ready for i in inventory.instances_by_node.get(task.node, ()) for g in i.groups}
    if now - board.budget_at >= ctx.pace.recheck_s:
        board.budget_at, board.budgets_seen = now, set()
    if groups <= board.budgets_seen:
        return False
    board.budgets_seen |= groups
    over = await overspent(ctx, name, groups)
    if not over:
        return False
    await change(ctx, name, (CampaignState.RUNNING,), CampaignState.SUSPENDED, Code.UPG_BUDGET, said_of(over))
    # Only who was shown it can have accepted it: after a crash in between it is shown once more.
    if await ctx.store.campaigns.state(name) is CampaignState.SUSPENDED:
        await accept(ctx, name, over)
    return True


async def _replan(ctx: Context, name: str, board: Board) -> bool:
    """Plan the rest anew when something happened; whether that plan is to be followed."""
    await note_strays(ctx, name, board)
    if not board.disturbed or not board.waits:
        return False
    why, board.disturbed = board.disturbed, ""
    if await repair(ctx, name, why):
        return True
    await _refresh(ctx, name, board, frozenset())
    return False


async def _strand(ctx: Context, name: str, board: Board, stranded: Sequence[NodeTask]) -> None:
    """Only nodes without a turn are left: those that a person has given up are skipped, for the others one is called."""
    given_up = set((await ctx.store.tasks.memo(name)).get(LEFT_OUT) or ())
    waiting = [task for task in stranded if task.node not in given_up]
    if waiting:
        why = "; ".join(f"{task.node}: {task.message}" for task in waiting[:10])
        many = counted(len(waiting), "node has", "nodes have")
        reason = f"{many} no turn in the plan for the rest: {why}{await _held_hint(ctx, name, board)}"
        reason += await declared_since(ctx, name, waiting) + await not_enough(ctx, name)
        await change(ctx, name, (CampaignState.RUNNING,), CampaignState.SUSPENDED, Code.UPG_NO_TURN, reason)
        return
    for task in stranded:
        now = ctx.clock.now()
        skipped = replace(task, state=TaskState.SKIPPED, updated_at=now)
        event = Event(at=now, action="node.skip", campaign=name, node=task.node, object_id=task.node, outcome="skipped")
        await ctx.store.tasks.put(skipped, (replace(event, code=task.code, message=task.message),))
        board.put(skipped)
    ctx.signals.wake(name)


async def _held_hint(ctx: Context, name: str, board: Board) -> str:
    """What a person can do about nodes that failed and are out of service; nothing where there are none."""
    slots = await ctx.store.admission.node_slots()
    held = sorted(slot.node for slot in slots if slot.campaign == name and slot.node in board.failed)
    return f"; {', '.join(held)} held out of service: put back what escalator restoration list shows, then resume" if held else ""


async def _no_room(ctx: Context, name: str, board: Board, refusal: str) -> None:
    """Nothing is under way and nothing may start: a person is called when only a person can change that."""
    hint = await _held_hint(ctx, name, board)
    if hint:
        await change(ctx, name, (CampaignState.RUNNING,), CampaignState.SUSPENDED, Code.UPG_NO_ROOM, f"{refusal}{hint}")
    elif refusal not in board.announced:
        board.announced.add(refusal)
        await write(ctx, name, "campaign.waits", refusal, code=Code.UPG_NO_ROOM, node=None)


async def _start(ctx: Context, task: NodeTask, board: Board) -> None:
    ref = TaskRef(task.campaign, task.node, task.attempt, task.wave, board.plan)
    if task.state is TaskState.PENDING:
        board.put(replace(task, state=TaskState.RUNNING))
    await ctx.launcher.start("node", ref.id, ref.to_json())
