"""Driving a campaign: which node goes next, when to stop, when it is over.

The drive is one durable step that keeps nothing of its own: it reads what is stored, starts what is ready through the
node door, and waits for changes. Run again after a crash, it takes up where the stored state is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from escalator.cloud_manager.port import ServiceState
from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.errors import EscalatorError, PermanentError
from escalator.model.progress import CampaignState, Event, NodeTask, Restoration, TaskState
from escalator.storage.port import NodeSlot
from escalator.upgrade_manager.engine import observed, quotas
from escalator.upgrade_manager.engine.admission import NodeDoor, SpreadLimit
from escalator.upgrade_manager.engine.board import Board, Limits
from escalator.upgrade_manager.engine.budget import accept, overspent, said_of, warn
from escalator.upgrade_manager.engine.by_hand import needs_person, take_off
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.job import TaskRef
from escalator.upgrade_manager.engine.owners import away_tonight
from escalator.upgrade_manager.engine.proof import prove
from escalator.upgrade_manager.engine.replan import LEFT_OUT, repair, take_up
from escalator.upgrade_manager.engine.states import ACTIVE
from escalator.upgrade_manager.engine.told import tell_state
from escalator.upgrade_manager.engine.windows import ALWAYS, needs_s, opening
from escalator.upgrade_manager.planner.order import predecessors

ENDS = (CampaignState.COMPLETED, CampaignState.ABORTED)


async def drive(ctx: Context, name: str) -> str:
    """Bring the campaign to an end; the end state's name. Only a state that is final for its workflow ends the drive."""
    board: Board | None = None
    told = ""
    while True:
        try:
            campaign = await ctx.book.campaign(name)
            if board is None:
                board = await _board(ctx, name, campaign)
                await _take_up(ctx, board)
            end = await _advance(ctx, name, campaign, board)
            if end is not None:
                return end.value
            look_s = ctx.pace.sweep_s if board.look_s is None else min(board.look_s, ctx.pace.sweep_s)
            changed = await ctx.signals.wait(name, ctx.clock, look_s)
            board = await _follow(ctx, name, board, changed)
            told = ""
        except Exception as error:  # noqa: BLE001 - the worker loop: whatever fails, the campaign must not be left alone
            # A cloud that does not answer, or a person who was quicker: look again soon.
            board = None
            said = error.message if isinstance(error, EscalatorError) else f"{type(error).__name__}: {error}"
            if told != said:
                told = said
                await _trouble(ctx, name, error.code if isinstance(error, EscalatorError) else Code.UPG_STEP_FAILED, said)
            await ctx.clock.sleep(ctx.pace.recheck_s)


async def _advance(ctx: Context, name: str, campaign: Campaign, board: Board) -> CampaignState | None:
    """Do what can be done now; the end state once it is reached."""
    state = await ctx.store.campaigns.state(name)
    board.told = await tell_state(ctx, name, state, board.told)
    if state in ACTIVE and not await _scale_up(ctx, name, campaign, board):
        return None
    if state is not CampaignState.RUNNING:
        board.rested = True
    elif board.rested:
        board.rested, board.disturbed = False, board.disturbed or "a rest of the campaign"
    if state is CampaignState.RUNNING:
        await _run(ctx, name, campaign, board)
    elif state is CampaignState.ABORTING:
        await _abort(ctx, name, board)
    state = await ctx.store.campaigns.state(name)
    if state in ENDS:
        await tell_state(ctx, name, state, board.told)
    return state if state in ENDS else None


async def _board(ctx: Context, name: str, campaign: Campaign) -> Board:
    row = await ctx.store.campaigns.get(name)
    plan_id = row.plan if row is not None and row.plan is not None else ""
    plan, inventory = await ctx.book.plan(plan_id)
    waves = campaign.spec.waves
    nodes = [node for node in inventory.nodes if campaign.spec.scope.includes(node)]
    limits = Limits(
        most=waves.limit(len(nodes)),
        scope=frozenset(node.id for node in nodes),
        spread=tuple(SpreadLimit(rule.by, rule.max, {node.id: rule.values(node) for node in nodes}) for rule in waves.spread),
        needs_s=needs_s(plan, campaign.spec),
    )
    board = Board(plan_id, predecessors(plan, inventory), limits)
    await _refresh(ctx, name, board, frozenset())
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
        if task.state in (TaskState.RUNNING, TaskState.HELD):
            await _start(ctx, task, board)


async def _run(ctx: Context, name: str, campaign: Campaign, board: Board) -> None:
    if await _over_budget(ctx, name, campaign, board):
        return
    if board.ended:
        await _complete(ctx, name, board)
        return
    board.look_s = None
    if _opens(ctx, campaign, board) and await _owners_away(ctx, name, campaign, board):
        return
    if await _replan(ctx, name, board):
        return
    if board.stranded:
        await _strand(ctx, name, board)
    else:
        await _begin(ctx, name, campaign, board)


async def _begin(ctx: Context, name: str, campaign: Campaign, board: Board) -> None:
    """Begin the turn of every node that may have it now."""
    ready = await _in_window(ctx, name, campaign, board)
    if not ready:
        return
    if await _over_budgets(ctx, name, campaign, board, ready):
        return
    unavailable = {n: service for n, service in (await ctx.cloud.unavailable()).items() if n in board.limits.scope}
    if await _host_failure(ctx, name, board, unavailable):
        return
    refusal = None
    for task in ready:
        slot = NodeSlot(campaign=name, node=task.node, task=task.id, since=ctx.clock.now())
        door = NodeDoor(board.limits.most, unavailable, task.node, board.limits.spread)
        refused = await ctx.store.admission.enter_node(slot, door)
        if refused is None:
            await _start(ctx, task, board)
        refusal = refusal or refused
        if door.full:
            break
    if refusal is not None and not board.under_way:
        await _no_room(ctx, name, board, refusal)


async def _scale_up(ctx: Context, name: str, campaign: Campaign, board: Board) -> bool:
    """Keep VNFs from scaling up in a maintenance window and as long as nodes are under way; not in between.

    Also while the campaign rests: whether it goes on tonight or in a week, by day VNFs have to be able to. False when the cloud
    takes no limits: a person is called then.
    """
    if campaign.spec.workloads.scale_up == "leave":
        return True
    window = opening(campaign.spec, ctx.clock.now())
    bound = board.under_way or (window is not None and window[0] <= ctx.clock.now())
    if bound == board.quotas_bound:
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
    if not board.disturbed or not board.waits:
        return False
    why, board.disturbed = board.disturbed, ""
    if await repair(ctx, name, why):
        return True
    await _refresh(ctx, name, board, frozenset())
    return False


def _opens(ctx: Context, campaign: Campaign, board: Board) -> bool:
    """Whether a maintenance window is open that was not when this was asked last."""
    window = opening(campaign.spec, ctx.clock.now())
    if window is None or window[0] > ctx.clock.now() or board.closes == window[1]:
        return False
    if board.closes is not None:
        board.disturbed = board.disturbed or "the end of a maintenance window"
    board.closes = window[1]
    return window != ALWAYS


async def _owners_away(ctx: Context, name: str, campaign: Campaign, board: Board) -> bool:
    """Whether the campaign pauses because VNF managers of this window's nodes do not answer."""
    plan, _ = await ctx.book.plan(board.plan)
    inventory = await observed.inventory(ctx, campaign.spec.migration)
    waiting = {task.node for task in board.tasks.values() if task.state is TaskState.PENDING}
    why = await away_tonight(ctx, campaign, plan, inventory, waiting)
    if why:
        await change(ctx, name, (CampaignState.RUNNING,), CampaignState.PAUSED, Code.UPG_UNDELIVERABLE, why)
    return bool(why)


async def _in_window(ctx: Context, name: str, campaign: Campaign, board: Board) -> Sequence[NodeTask]:
    """The nodes whose turn may begin now and still fits into the maintenance window; none while no window is open."""
    ready = board.ready()
    now = ctx.clock.now()
    window = opening(campaign.spec, now)
    if window is not None and window[0] <= now:
        fitting = [task for task in ready if now + board.limits.needs_s.get(task.node, 0.0) <= window[1]]
        if ready and not fitting and not board.under_way:
            # What is left of this window is too short for every one of them.
            board.look_s = window[1] - now
        return fitting
    if window is not None:
        board.look_s = window[0] - now
    elif ready and not board.under_way and "windows" not in board.announced:
        board.announced.add("windows")
        message = "no maintenance window is left; pause or abort, and plan again with other windows"
        await _event(ctx, name, "campaign.waits", message, code=Code.PLN_WINDOW, node=None)
    return ()


async def _strand(ctx: Context, name: str, board: Board) -> None:
    """Only nodes without a turn are left: those that a person has given up are skipped, for the others one is called."""
    given_up = set((await ctx.store.tasks.memo(name)).get(LEFT_OUT) or ())
    waiting = [task for task in board.stranded if task.node not in given_up]
    if waiting:
        why = "; ".join(f"{task.node}: {task.message}" for task in waiting[:10])
        reason = f"{len(waiting)} nodes have no turn in the plan for the rest: {why}{await _held_hint(ctx, name, board)}"
        await change(ctx, name, (CampaignState.RUNNING,), CampaignState.SUSPENDED, Code.UPG_NO_TURN, reason)
        return
    for task in board.stranded:
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
        await _event(ctx, name, "campaign.waits", refusal, code=Code.UPG_NO_ROOM, node=None)


async def _start(ctx: Context, task: NodeTask, board: Board) -> None:
    ref = TaskRef(task.campaign, task.node, task.attempt, task.wave, board.plan)
    if task.state is TaskState.PENDING:
        board.put(replace(task, state=TaskState.RUNNING))
    await ctx.launcher.start("node", ref.id, ref.to_json())


async def accepted_failures(ctx: Context, name: str) -> set[str]:
    """Failed tasks that a person has accepted by resuming, retrying or skipping."""
    return set((await ctx.store.tasks.memo(name)).get("accepted") or ())


async def _over_budget(ctx: Context, name: str, campaign: Campaign, board: Board) -> bool:
    """Suspend, or abort, when more nodes failed than allowed, or several with one and the same error."""
    if not board.failed:
        return False
    accepted = await accepted_failures(ctx, name)
    failures = [task for task in board.failed.values() if task.id not in accepted]
    if not failures:
        return False
    policy = campaign.spec.failure
    code, count = Counter(task.code for task in failures).most_common(1)[0]
    # A node that still needs a person (an undo failed, or policy leaves it) always brings one.
    needs_person = [task for task in failures if task.state is TaskState.FAILED]
    if len(failures) <= policy.max_failed and count < policy.same_error and not needs_person:
        return False
    last = max(failures, key=lambda task: task.updated_at)
    why = f"{count} nodes failed with {code}" if count >= policy.same_error else f"{len(failures)} nodes failed"
    reason = f"{why}, last {last.node}: {last.message}"
    target = CampaignState.ABORTING if policy.then == "abort" else CampaignState.SUSPENDED
    await change(ctx, name, (CampaignState.RUNNING,), target, Code.UPG_FAILURES, reason)
    return True


async def _host_failure(ctx: Context, name: str, board: Board, unavailable: Mapping[str, ServiceState]) -> bool:
    """Whether a host of the scope failed on its own: nothing new starts until it is back or a person accepts it."""
    down = {node for node, service in unavailable.items() if not service.up}
    # A node that is having its turn, or whose turn ended in failure, is down for a reason that is known.
    down = {node for node in down if node not in board.tasks or board.tasks[node].state in (TaskState.PENDING, TaskState.DONE)}
    if not down:
        return False
    known = set((await ctx.store.tasks.memo(name)).get("known_down") or ())
    for node in sorted(down - known - board.announced):
        board.announced.add(node)
        message = f"host {node} failed; no further node starts until it is back, or the campaign is paused and resumed"
        await _event(ctx, name, "campaign.host-failure", message, code=Code.UPG_HOST_FAILURE, node=node)
    return bool(down - known)


async def _complete(ctx: Context, name: str, board: Board) -> None:
    left = [task for task in board.tasks.values() if task.state is not TaskState.DONE]
    reasons = [f"{t.node} {t.state.value}: {t.message}" for t in left[:10]]
    await quotas.unlock(ctx, name)
    # Who could not be told at the time may be there now.
    not_put_back = _not_put_back(await take_off(ctx, name))
    reason = "; ".join([*reasons, *([not_put_back] if not_put_back else [])])
    await _give_slots_back(ctx, name)
    await _prove(ctx, name)
    await change(ctx, name, (CampaignState.RUNNING,), CampaignState.COMPLETED, None, reason)


async def _abort(ctx: Context, name: str, board: Board) -> None:
    """Nodes that have not begun are skipped; when those under way are back, the campaign is aborted."""
    for task in list(board.tasks.values()):
        if task.state is TaskState.PENDING:
            await _skip_pending(ctx, task, board)
    if not board.ended:
        return
    await quotas.unlock(ctx, name)
    open_rows = await take_off(ctx, name)
    reason = _not_put_back(open_rows)
    if any(needs_person(ctx, row) for row in open_rows):
        await change(ctx, name, (CampaignState.ABORTING,), CampaignState.SUSPENDED, Code.UPG_UNDO_FAILED, reason)
        return
    await _give_slots_back(ctx, name)
    await _prove(ctx, name)
    said = "; ".join(["aborted", "every node is in service", *([reason] if reason else [])])
    await change(ctx, name, (CampaignState.ABORTING,), CampaignState.ABORTED, None, said)


def _not_put_back(rows: Sequence[Restoration]) -> str:
    return "not put back: " + ", ".join(f"{row.kind} of {row.object_id}" for row in rows[:10]) if rows else ""


async def _prove(ctx: Context, name: str) -> None:
    """Check the history against the rules before the campaign is over, and write down what is found."""
    try:
        await warn(ctx, name)
        proof = await prove(ctx, name)
    except EscalatorError as error:
        await _event(ctx, name, "campaign.verify", f"the run could not be checked: {error.message}", code=error.code, node=None)
        return
    outcome, code = ("failed", Code.PLN_VIOLATION.value) if proof.violations else ("done", None)
    event = Event(at=ctx.clock.now(), action="campaign.verify", campaign=name, object_id=name, outcome=outcome, code=code)
    await ctx.store.events.append((replace(event, message=proof.said),))


async def _give_slots_back(ctx: Context, name: str) -> None:
    """A campaign that is over holds no node: one that still is out of service counts by the cloud's own word."""
    for slot in await ctx.store.admission.node_slots():
        if slot.campaign == name:
            await ctx.store.admission.leave_node(name, slot.node)


async def _skip_pending(ctx: Context, task: NodeTask, board: Board) -> None:
    await ctx.store.admission.leave_node(task.campaign, task.node)
    skipped = NodeTask(
        campaign=task.campaign,
        node=task.node,
        attempt=task.attempt,
        wave=task.wave,
        state=TaskState.SKIPPED,
        code=Code.UPG_ABORTED.value,
        message="the campaign was aborted before its turn",
        updated_at=ctx.clock.now(),
    )
    await ctx.store.tasks.put(skipped)
    board.put(skipped)


async def change(
    ctx: Context,
    name: str,
    expected: tuple[CampaignState, ...],
    target: CampaignState,
    code: Code | None,
    reason: str,
) -> None:
    """Move the campaign to another state, with its line in the history."""
    now = ctx.clock.now()
    word = code.value if code is not None else ""
    event = Event(
        at=now,
        action=f"campaign.{target.value}",
        campaign=name,
        object_id=name,
        outcome=target.value,
        code=word or None,
        message=reason,
    )
    ended = now if target in ENDS else None
    await ctx.store.campaigns.change(name, expected, (event,), state=target, code=word, reason=reason, ended_at=ended)
    ctx.signals.wake(name)


async def _trouble(ctx: Context, name: str, code: Code, said: str) -> None:
    message = f"the campaign is looked at again: {said}"
    event = Event(at=ctx.clock.now(), action="campaign.trouble", campaign=name, object_id=name, code=code.value, message=message)
    try:
        await ctx.store.events.append((event,))
    except EscalatorError:
        return  # it may be storage itself that does not answer


async def _event(ctx: Context, name: str, action: str, message: str, *, code: Code, node: str | None) -> None:
    about = node or name
    event = Event(at=ctx.clock.now(), action=action, campaign=name, node=node, object_id=about, code=code.value, message=message)
    await ctx.store.events.append((event,))
