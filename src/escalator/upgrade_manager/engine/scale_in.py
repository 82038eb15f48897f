"""Room that VNFs make: asked for before nodes without a turn are given up, and given back when nothing needs it any more.

What VNF managers answer does not decide, what the cloud shows does: some say yes before their instances are gone, some say
yes and have nothing to give. They are asked again as long as each round brings something.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from math import isfinite
from typing import Any

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.inventory import Instance, Inventory
from escalator.model.notice import NoticeType
from escalator.model.progress import Event, NodeTask, TaskState
from escalator.upgrade_manager.engine import observed
from escalator.upgrade_manager.engine.board import Board
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.replan import LEFT_OUT, NEXT, Replan, keep, replanned
from escalator.upgrade_manager.engine.windows import opening
from escalator.vim_interface.port import Answer, Ask

ASKED = "scale_in"
"""Memo of a campaign: where its asking for room stands."""
ROUNDS = 10
"""Rounds of asking in one maintenance window, at most."""
SETTLE_S = 120.0
"""How long after the last answer, or the end of the time for it, instances may still go."""
LOOK_S = 15.0
SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One round of asking. Times are Unix seconds."""

    number: int
    """Counts all rounds of the campaign."""
    tries: int
    """Counts the rounds of this window."""
    window: float | None
    """When the window ends; null for one that does not end."""
    reply_by: float
    instances: int
    """How many there were on the nodes of the campaign when it was asked."""
    at_first: int
    """How many there were before the first round of this window."""
    seen: str
    """Digest of those that were looked at last."""
    owners: tuple[str, ...]
    settled_at: float | None = None
    over: bool = False
    """Whether nothing more is to be asked in this window."""
    returned: bool = False
    """Whether the VNF managers were told that they may scale out."""
    said: str = ""
    """What a person is told when it was not enough."""


async def make_room(ctx: Context, name: str, campaign: Campaign, board: Board) -> bool:
    """Ask for room for the nodes that have no turn; whether the campaign waits for that now."""
    if campaign.spec.workloads.scale_in == "never" or board.under_way:
        return False
    memo = await ctx.store.tasks.memo(name)
    waiting = [task for task in _without_turn(board) if task.node not in (memo.get(LEFT_OUT) or ())]
    window = opening(campaign.spec, ctx.clock.now())
    if not waiting or window is None:
        return False
    if window[0] > ctx.clock.now():
        board.look_s = window[0] - ctx.clock.now()
        return True
    row = await ctx.store.campaigns.get(name)
    if row is not None and memo.get(NEXT) not in (None, row.plan):
        return True  # a plan waits to be taken up
    ends = window[1] if isfinite(window[1]) else None
    asked = _read(memo.get(ASKED))
    if asked is None or asked.window != ends:
        return await _ask(ctx, name, campaign, board, _next(asked, ends))
    return not asked.over and await _look(ctx, name, campaign, board, asked)


async def give_back(ctx: Context, name: str, campaign: Campaign, board: Board) -> None:
    """By day VNFs may have their room: tell them while no window is open and no node is under way."""
    if campaign.spec.workloads.scale_in == "never" or board.under_way:
        return
    window = opening(campaign.spec, ctx.clock.now())
    asked = _read((await ctx.store.tasks.memo(name)).get(ASKED))
    if asked is None or asked.returned or (window is not None and window[0] <= ctx.clock.now()):
        return
    if not asked.over:
        await ctx.vim.cancel(_task(name, asked.number))
    await ctx.vim.tell(NoticeType.SCALE_OUT_POSSIBLE, name, vnfms=asked.owners, key=f"{name}/scale-out/{asked.number}")
    await _write(ctx, name, "returned", "the maintenance window is over: the VNFs may scale out")
    await _keep(ctx, name, replace(asked, over=True, returned=True))


async def withdraw(ctx: Context, name: str) -> Sequence[str]:
    """The campaign is over: take back what is still open; the VNF managers that were asked."""
    asked = _read((await ctx.store.tasks.memo(name)).get(ASKED))
    if asked is None:
        return ()
    if not asked.over:
        await ctx.vim.cancel(_task(name, asked.number))
        await _keep(ctx, name, replace(asked, over=True))
    return asked.owners


async def not_enough(ctx: Context, name: str) -> str:
    """What to add where nodes are left without a turn; nothing when nobody was asked for room."""
    asked = _read((await ctx.store.tasks.memo(name)).get(ASKED))
    return f"; {asked.said}" if asked is not None and asked.said else ""


def _without_turn(board: Board) -> list[NodeTask]:
    found = (task for task in board.tasks.values() if task.state is TaskState.PENDING)
    return [task for task in found if task.code == Code.UPG_NO_TURN.value and task.node not in (board.held or {})]


def _next(asked: Asked | None, ends: float | None) -> Asked:
    """The first round of a window."""
    number = 1 if asked is None else asked.number + 1
    return Asked(number=number, tries=1, window=ends, reply_by=0.0, instances=0, at_first=0, seen="", owners=())


async def _ask(ctx: Context, name: str, campaign: Campaign, board: Board, draft: Asked) -> bool:
    """Ask every VNF manager with an instance on the campaign's nodes. Safe to repeat: the same round asks the same."""
    there = _there(await observed.inventory(ctx, campaign.spec.migration), board)
    owners = await ctx.vim.owners(there)
    concerned = tuple(instance for instance in there if instance.id in owners)
    names = tuple(sorted(set(owners.values())))
    reply_by = ctx.clock.now() + campaign.spec.workloads.notify.reply_timeout_s
    first = draft.at_first if draft.tries > 1 else len(there)
    asked = replace(draft, reply_by=reply_by, instances=len(there), at_first=first, seen=_digest(there), owners=names)
    sent = await ctx.vim.ask(
        Ask(
            task=_task(name, asked.number),
            campaign=name,
            node=None,
            instances=concerned,
            planned=dict.fromkeys((instance.id for instance in concerned), "scale-in"),
            reply_by=reply_by,
            action_at=reply_by,
            kind=NoticeType.SCALE_IN_REQUESTED,
        )
    )
    if not sent:
        return await _end(ctx, name, asked, "no VNF manager is there to be asked for room")
    waiting = len(_without_turn(board))
    so_far = f", although {counted(first - len(there), 'instance is', 'instances are')} gone" if asked.tries > 1 else ""
    who, what = counted(len(sent), "VNF manager is", "VNF managers are"), counted(waiting, "node")
    said = f"{who} asked to scale in: there is no room for {what}{so_far}"
    await _write(ctx, name, "asked", said)
    await _keep(ctx, name, asked)
    board.look_s = min(LOOK_S, reply_by - ctx.clock.now())
    return True


async def _look(ctx: Context, name: str, campaign: Campaign, board: Board, asked: Asked) -> bool:
    """See whether there is room now; whether the campaign waits on."""
    now = ctx.clock.now()
    answers = await _heard(ctx, name, asked)
    if any(answer.state == "open" or answer.result == "DEFER" for answer in answers):
        board.look_s = LOOK_S
        return True
    there = _there(await observed.inventory(ctx, campaign.spec.migration), board)
    asked = replace(asked, settled_at=asked.settled_at if asked.settled_at is not None else now)
    settled = now >= (asked.settled_at or now) + SETTLE_S
    if _digest(there) != asked.seen or settled:
        asked = replace(asked, seen=_digest(there))
        made = await replanned(ctx, name)
        waiting = _without_turn(board)
        enough = made is not None and not made.beyond and all(task.node in made.plan.upgrade_of for task in waiting)
        if made is not None and (enough or settled):
            await _follow(ctx, name, made)
        if enough:
            said = f"{counted(asked.at_first - len(there), 'instance is', 'instances are')} gone: there is room for every node"
            await _write(ctx, name, "done", said)
            await _keep(ctx, name, replace(asked, over=True))
            return True
    if not settled:
        await _keep(ctx, name, asked)
        board.look_s = LOOK_S
        return True
    if asked.instances > len(there) and asked.tries < ROUNDS:
        return await _ask(
            ctx, name, campaign, board, replace(asked, number=asked.number + 1, tries=asked.tries + 1, settled_at=None)
        )
    return await _end(ctx, name, asked, f"VNF managers were asked to scale in, which did not make room: {_answers(answers)}")


async def _heard(ctx: Context, name: str, asked: Asked) -> Sequence[Answer]:
    """The answers so far. Who wants more time gets it, within the bounds of every DEFER."""
    task = _task(name, asked.number)
    answers = await ctx.vim.answers(task)
    for answer in answers:
        if answer.result == "DEFER" and answer.until is not None:
            await ctx.vim.defer(task, answer.vnfm, answer.until)
    return answers


async def _follow(ctx: Context, name: str, made: Replan) -> None:
    """Go on by the plan, unless it is beyond what was approved: a person is told of that when nothing else is left to do."""
    if made.lines and not made.beyond:
        await keep(ctx, name, made, "after VNF managers were asked for room")


async def _end(ctx: Context, name: str, asked: Asked, said: str) -> bool:
    await _write(ctx, name, "failed", said, Code.UPG_SCALE_IN)
    await _keep(ctx, name, replace(asked, over=True, said=said))
    return False


def _there(inventory: Inventory, board: Board) -> list[Instance]:
    """Instances on the campaign's nodes; first those of the nodes that are empty soonest."""
    nodes = sorted(board.limits.scope, key=lambda node: (_load(inventory.instances_by_node.get(node, ())), node))
    return [instance for node in nodes for instance in inventory.instances_by_node.get(node, ())]


def _load(instances: Sequence[Instance]) -> float:
    return sum(instance.demand.get("pcpu", 0.0) for instance in instances)


def _digest(instances: Sequence[Instance]) -> str:
    return sha256("\n".join(sorted(f"{i.id} {i.node}" for i in instances)).encode()).hexdigest()


def _answers(answers: Sequence[Answer]) -> str:
    said = [f"{a.vnfm} {a.result or a.state}{f' ({a.reason or a.error})' if a.reason or a.error else ''}" for a in answers]
    return "; ".join(said[:SHOWN]) + (f"; and {len(said) - SHOWN} more" if len(said) > SHOWN else "")


def _task(name: str, number: int) -> str:
    return f"{name}/scale-in/{number}"


def _read(value: Any) -> Asked | None:  # noqa: ANN401 - JSON
    return None if value is None else Asked(**{**value, "owners": tuple(value["owners"])})


async def _keep(ctx: Context, name: str, asked: Asked) -> None:
    await ctx.store.tasks.remember(name, ASKED, asdict(asked))


async def _write(ctx: Context, name: str, outcome: str, message: str, code: Code | None = None) -> None:
    event = Event(at=ctx.clock.now(), action="campaign.scale-in", campaign=name, object_id=name, outcome=outcome)
    await ctx.store.events.append((replace(event, message=message, code=None if code is None else code.value),))
