"""Gates at run time: asked before the first node, before each node's turn and between waves; never passed unasked.

What a gate says stands in the history. *Not yet* is asked again until its deadline; *no*, and a gate that cannot be
asked, suspends the campaign; a manual gate suspends it until a person approves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.errors import ConflictError, InputError, Problem
from escalator.model.progress import CampaignState, Event, NodeTask, TaskState
from escalator.storage.port import CampaignRow
from escalator.upgrade_manager.engine.board import Board
from escalator.upgrade_manager.engine.changes import change, show_wait
from escalator.upgrade_manager.engine.context import Context
from escalator.vim_interface.gates.port import Answer, Gate, Question, Verdict

APPROVE = "escalator campaign approve"
PASSED, BEGUN, ASKED, APPROVED, WAITING = "gates_passed", "gates_begun", "gates_waited", "gates_approved", "gates_waiting"
"""Memos of a campaign, beside each gate's baseline: whether those before it are passed, how often those between let a wave
begin and which nodes, how long each has said not yet and when it was asked last, what was approved, and what waits
for an approval."""
_BASELINE = "gates_baseline/"
AT_GATE = "at gate"
LONGEST_S = 600.0
"""What a look at a campaign may take beyond a gate's `retry_s`: as long as the slowest answer."""
KEPT = 20
"""Approvals that are remembered: one is spent as soon as what it is for has begun."""


def require_gates(ctx: Context, campaign: Campaign) -> None:
    """Raise InputError (`CFG_GATE`) when the campaign names gates that the settings do not have."""
    gates = campaign.spec.gates
    problems = []
    for moment in ("before", "before_node", "between"):
        for name in getattr(gates, moment):
            if name not in ctx.gates:
                near = get_close_matches(name, list(ctx.gates), n=1, cutoff=0.5)
                hint = f"; did you mean {near[0]}?" if near else ""
                problems.append(Problem(f"spec.gates.{moment}", f"the server's settings have no gate {name}{hint}"))
    if problems:
        remedy = "Add them to `gates` in the settings, or leave them out."
        raise InputError(Code.CFG_GATE, "The campaign names gates that there are not.", problems=problems, remedy=remedy)


async def opened(ctx: Context, name: str, campaign: Campaign, board: Board, ready: Sequence[NodeTask]) -> bool:
    """Whether the gates before the campaign, and before the wave of the nodes that are ready, are open."""
    gates = campaign.spec.gates
    if not gates.before and not gates.between and not gates.before_node:
        return True
    memo = await ctx.store.tasks.memo(name)
    if not memo.get(PASSED):
        begun = any(task.state is not TaskState.PENDING for task in board.tasks.values())
        if not begun and not await _asked(ctx, board, gates.before, _Asking(name, "before", "before")):
            return False
        # What later answers are held against is taken when those before are open: an hour earlier says less.
        if not await _looked(ctx, board, name, (*gates.before_node, *gates.between)):
            return False
        await ctx.store.tasks.remember(name, PASSED, True)
    return not gates.between or await _opened_between(ctx, name, gates.between, board, ready)


async def _looked(ctx: Context, board: Board, name: str, gates: Sequence[str]) -> bool:
    """Whether each of these gates that has a baseline has taken it: all of them, or none when one of them says no."""
    memo = await ctx.store.tasks.memo(name)
    wanted = [g for g in dict.fromkeys(gates) if g in ctx.gates and ctx.gates[g].baseline and memo.get(_BASELINE + g) is None]
    if await _asked(ctx, board, wanted, _Asking(name, "baseline", "baseline")):
        return True
    if await ctx.store.campaigns.state(name) is not CampaignState.RUNNING:
        # Whoever resumes does so hours later. What was taken now would be held against a network of another hour.
        for gate in dict.fromkeys(gates):
            await ctx.store.tasks.remember(name, _BASELINE + gate, None)
    return False


async def _opened_between(ctx: Context, name: str, gates: Sequence[str], board: Board, ready: Sequence[NodeTask]) -> bool:
    """Whether the nodes that are ready may begin. What was let begin is known by node: another plan numbers waves anew."""
    memo = (await ctx.store.tasks.memo(name)).get(BEGUN) or {"times": 0, "nodes": []}
    known = frozenset(memo["nodes"])
    wave = min((task.wave for task in ready if task.node not in known), default=None)
    if wave is None:
        return True
    times = int(memo["times"]) + 1
    first = not known and wave == min(task.wave for task in board.tasks.values())
    if not first and not await _asked(ctx, board, gates, _Asking(name, "between", f"wave/{times}", wave=wave)):
        return False
    nodes = known | {task.node for task in board.tasks.values() if task.wave == wave}
    await ctx.store.tasks.remember(name, BEGUN, {"times": times, "nodes": sorted(nodes)})
    return True


async def opened_for(ctx: Context, campaign: Campaign, board: Board, task: NodeTask) -> bool:
    """Whether the gates before the node's turn are open."""
    names = campaign.spec.gates.before_node
    if not names:
        return True
    asking = _Asking(task.campaign, "before_node", f"node/{task.id}", node=task.node, wave=task.wave)
    return await _asked(ctx, board, names, asking) and await ctx.store.campaigns.state(task.campaign) is CampaignState.RUNNING


@dataclass(frozen=True, slots=True)
class _Asking:
    campaign: str
    moment: Any
    key: str
    """What is asked about: an approval counts for it alone."""
    node: str | None = None
    wave: int | None = None


async def _asked(ctx: Context, board: Board, names: Sequence[str], asking: _Asking) -> bool:
    for gate in names:
        if not await _passes(ctx, board, gate, asking):
            return False
    return True


async def _passes(ctx: Context, board: Board, gate: str, asking: _Asking) -> bool:
    known = ctx.gates.get(gate)
    if known is not None and known.manual:
        return await _approved(ctx, gate, asking)
    answer = await _answer(ctx, known, gate, asking)
    if answer.verdict is Verdict.GO:
        if answer.seen is not None:
            memo = await ctx.store.tasks.memo(asking.campaign)
            if memo.get(_BASELINE + gate) is None:
                await ctx.store.tasks.remember(asking.campaign, _BASELINE + gate, answer.seen)
        await _forget(ctx, gate, asking)
        await show_wait(ctx, asking.campaign, AT_GATE)
        await _tell(ctx, gate, asking, "done", answer.said)
        return True
    if answer.verdict is Verdict.NOT_YET and known is not None:
        left_s = known.deadline_s - await _waited_s(ctx, known, gate, asking)
        if left_s > 0:
            retry_s = min(known.retry_s, left_s)
            board.look_s = retry_s if board.look_s is None else min(board.look_s, retry_s)
            word = f"gate {gate} {asking.key} {answer.said}"
            if word not in board.announced:
                board.announced.add(word)
                await _tell(ctx, gate, asking, "held", answer.said)
            await show_wait(ctx, asking.campaign, AT_GATE, f"{gate} ({_about(asking)}): {answer.said}")
            return False
        answer = Answer(Verdict.NO, f"it was not open within {known.deadline_s:g} s: {answer.said}")
    await _forget(ctx, gate, asking)
    await _tell(ctx, gate, asking, "failed", answer.said)
    reason = f"gate {gate} ({_about(asking)}) says no: {answer.said}; it is asked again when the campaign is resumed"
    await change(ctx, asking.campaign, (CampaignState.RUNNING,), CampaignState.SUSPENDED, Code.UPG_GATE, reason)
    return False


async def _answer(ctx: Context, known: Gate | None, gate: str, asking: _Asking) -> Answer:
    if known is None:
        return Answer(Verdict.NO, "the settings have no such gate any more")
    question = Question(gate=gate, campaign=asking.campaign, moment=asking.moment, node=asking.node, wave=asking.wave)
    if not known.baseline or asking.moment == "baseline":
        return await known.ask(question)
    baseline = (await ctx.store.tasks.memo(asking.campaign)).get(_BASELINE + gate)
    if baseline is None and asking.moment != "before":
        return Answer(Verdict.NO, "it has no baseline: it was given one in the settings after the campaign began")
    return await known.ask(replace(question, baseline=baseline))


async def _approved(ctx: Context, gate: str, asking: _Asking) -> bool:
    memo = await ctx.store.tasks.memo(asking.campaign)
    if [gate, asking.key] in (memo.get(APPROVED) or []):
        return True
    await ctx.store.tasks.remember(asking.campaign, WAITING, [gate, asking.key])
    await _tell(ctx, gate, asking, "held", "a person has to approve it")
    verb = f"{APPROVE} {asking.campaign} {gate}"
    reason = f"gate {gate} ({_about(asking)}) waits for a person's approval: {verb}"
    await change(ctx, asking.campaign, (CampaignState.RUNNING,), CampaignState.SUSPENDED, Code.UPG_APPROVAL, reason)
    return False


def approval_verbs(row: CampaignRow) -> list[str]:
    """The command that a campaign waits for, where a manual gate suspended it."""
    _, found, rest = row.reason.rpartition(APPROVE) if row.code == Code.UPG_APPROVAL.value else ("", "", "")
    return [f"{found}{rest}"] if found else []


async def approve(ctx: Context, name: str, gate: str, reason: str = "") -> None:
    """Open a manual gate that the campaign waits at, or one before a campaign that has not begun.

    Raises ConflictError (`UPG_NOT_ASKED`) when the campaign does not wait for it.
    """
    campaign = await ctx.book.campaign(name)
    memo = await ctx.store.tasks.memo(name)
    waiting = memo.get(WAITING)
    manual = gate in ctx.gates and ctx.gates[gate].manual
    ahead = gate in campaign.spec.gates.before and not memo.get(PASSED)
    row = await ctx.store.campaigns.get(name)
    key = waiting[1] if waiting and waiting[0] == gate else "before" if ahead else None
    approved = memo.get(APPROVED) or []
    stopped = row is not None and row.state is CampaignState.SUSPENDED and row.code == Code.UPG_APPROVAL.value
    spent = [gate, key] in approved and not stopped
    if not manual or key is None or spent or row is None or row.state not in _OPEN:
        message = f"Campaign {name} does not wait for an approval of gate {gate}."
        raise ConflictError(Code.UPG_NOT_ASKED, message, remedy=f"escalator campaign show {name}")
    await ctx.store.tasks.remember(name, APPROVED, [*approved, [gate, key]][-KEPT:])
    event = Event(at=ctx.clock.now(), action="campaign.approve", campaign=name, object_id=gate, outcome="done", message=reason)
    await ctx.store.events.append((replace(event, data={"about": key}, by=ctx.by),))
    if stopped:
        await change(ctx, name, (CampaignState.SUSPENDED,), CampaignState.RUNNING, None, "")


async def take_back(ctx: Context, name: str, why: str) -> None:
    """Forget what was approved ahead: it was approved for another document or plan than the one that is there now."""
    approved = (await ctx.store.tasks.memo(name)).get(APPROVED) or []
    if not approved:
        return
    await ctx.store.tasks.remember(name, APPROVED, [])
    for gate, key in approved:
        event = Event(
            at=ctx.clock.now(), action="campaign.approve", campaign=name, object_id=gate, outcome="withdrawn", message=why
        )
        await ctx.store.events.append((replace(event, data={"about": key}, by=ctx.by),))


_OPEN = (CampaignState.DRAFT, CampaignState.PLANNED, CampaignState.RUNNING, CampaignState.PAUSED, CampaignState.SUSPENDED)


async def _waited_s(ctx: Context, known: Gate, gate: str, asking: _Asking) -> float:
    """How long the gate has said not yet, over restarts. While nobody asks it (a freeze, a pause, by day), nothing counts."""
    asked = (await ctx.store.tasks.memo(asking.campaign)).get(ASKED) or {}
    key, now = f"{gate}/{asking.key}", ctx.clock.now()
    waited_s, last = asked.get(key) or (0.0, now)
    waited_s += min(now - last, known.retry_s + LONGEST_S)
    await ctx.store.tasks.remember(asking.campaign, ASKED, {**asked, key: [waited_s, now]})
    return float(waited_s)


async def _forget(ctx: Context, gate: str, asking: _Asking) -> None:
    """The gate has said go, or no: had it said not yet before, that does not count any more."""
    asked = (await ctx.store.tasks.memo(asking.campaign)).get(ASKED) or {}
    if f"{gate}/{asking.key}" in asked:
        rest = {key: value for key, value in asked.items() if key != f"{gate}/{asking.key}"}
        await ctx.store.tasks.remember(asking.campaign, ASKED, rest)


def _about(asking: _Asking) -> str:
    match asking.moment:
        case "before":
            return "before the campaign"
        case "between":
            return f"before wave {asking.wave}"
        case "baseline":
            return "for its baseline"
        case _:
            return f"before {asking.node}"


async def _tell(ctx: Context, gate: str, asking: _Asking, outcome: str, said: str) -> None:
    event = Event(at=ctx.clock.now(), action="campaign.gate", campaign=asking.campaign, node=asking.node, object_id=gate)
    message = f"{_about(asking)}{f': {said}' if said else ''}"
    code = Code.UPG_GATE.value if outcome == "failed" else None
    await ctx.store.events.append((replace(event, outcome=outcome, message=message, code=code),))
