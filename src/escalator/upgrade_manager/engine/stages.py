"""Groups of nodes and waves at run time: who may begin when those before are through, have succeeded and have soaked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.node_groups import Success
from escalator.model.plan import PlanGroup
from escalator.model.progress import CampaignState, Event, NodeTask, TaskState
from escalator.upgrade_manager.engine.board import FAILURES, Board
from escalator.upgrade_manager.engine.changes import FOR_SOAK, change, keep_shown
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.failures import accepted_failures, then
from escalator.upgrade_manager.engine.states import ENDED
from escalator.upgrade_manager.planner.nights import local

ACCEPTED = "groups_accepted"
"""Memo of a campaign: for each group that a person was shown as failed, the nodes that made it so."""
SHOWN = 10


class Standing:
    """Which groups and waves are through, and since when: one look at the board."""

    def __init__(self, board: Board) -> None:
        self._soak_s = board.limits.wave_soak_s
        self._groups = {group.name: group for group in board.limits.groups}
        self._of = {node: group for group in board.limits.groups for node in group.nodes}
        self._ended: dict[str, float] = {}
        self._open: set[str] = set()
        self._waves: dict[int, float] = {}
        self._open_wave = inf
        for task in board.tasks.values() if self._groups or self._soak_s is not None else ():
            self._take(task)

    def _take(self, task: NodeTask) -> None:
        group = self._of.get(task.node)
        ended = task.state in ENDED
        if not ended:
            self._open_wave = min(self._open_wave, task.wave)
        else:
            self._waves[task.wave] = max(self._waves.get(task.wave, -inf), task.updated_at)
        if group is not None and ended:
            self._ended[group.name] = max(self._ended.get(group.name, -inf), task.updated_at)
        elif group is not None:
            self._open.add(group.name)

    def _earlier(self, task: NodeTask) -> tuple[str, ...]:
        group = self._of.get(task.node)
        return group.after if group is not None else ()

    def behind(self, task: NodeTask) -> bool:
        """Whether nodes that have to be through before this one are not."""
        if any(name in self._open for name in self._earlier(task)):
            return True
        return self._soak_s is not None and self._open_wave < task.wave

    def soaks(self, task: NodeTask, now: float) -> tuple[float, str]:
        """How much longer the node waits for what soaks, seconds, and what that is."""
        waits = [
            (self._ended[n] + self._groups[n].soak_s - now, f"group {n} soaks") for n in self._earlier(task) if n in self._ended
        ]
        if self._soak_s is not None:
            before = max((at for wave, at in self._waves.items() if wave < task.wave), default=-inf)
            waits.append((before + self._soak_s - now, f"the pause before wave {task.wave} lasts"))
        return max(waits, default=(0.0, ""))


async def begun(ctx: Context, name: str, board: Board, ready: Sequence[NodeTask]) -> Sequence[NodeTask]:
    """Those of the nodes whose groups and waves before are through and have soaked; the board knows when to look again."""
    found, soaking = [], []
    standing, now = Standing(board), ctx.clock.now()
    for task in ready:
        if standing.behind(task):
            continue
        left_s, why = standing.soaks(task, now)
        if left_s <= 0:
            found.append(task)
            continue
        soaking.append((left_s, why))
        board.look_s = left_s if board.look_s is None else min(board.look_s, left_s)
        if why not in board.announced:
            board.announced.add(why)
            await _tell(ctx, task.campaign, f"{why} for another {left_s:.0f} s; nodes after it wait")
    await keep_shown(ctx, name, board.announced, FOR_SOAK, await _until(ctx, name, soaking) if not found else "")
    return found


async def _until(ctx: Context, name: str, soaking: Sequence[tuple[float, str]]) -> str:
    """When the first of these goes on, in the campaign's own time, and what that is; nothing when nothing soaks."""
    if not soaking:
        return ""
    left_s, why = min(soaking)
    # Looked at again a moment before or after, it is still the same second.
    moment = local((await ctx.book.campaign(name)).spec, round(ctx.clock.now() + left_s))
    return f"{moment:%a %H:%M:%S} ({moment.isoformat()[-6:]}): {why}"


def _tasks(board: Board, group: PlanGroup) -> list[NodeTask]:
    return [board.tasks[node] for node in group.nodes if node in board.tasks]


async def unsuccessful(ctx: Context, name: str, campaign: Campaign, board: Board) -> bool:
    """Whether the campaign stops because a group that is through did not reach what it has to."""
    rules = {group.name: group for group in campaign.spec.scope.groups}
    awaited = {first for group in board.limits.groups for first in group.after}
    accepted: Mapping[str, Sequence[str]] | None = None
    for group in board.limits.groups:
        tasks = _tasks(board, group)
        rule = rules.get(group.name)
        success = (rule.success if rule is not None else None) or (Success() if group.name in awaited else None)
        if success is None or not tasks or any(task.state not in ENDED for task in tasks):
            continue
        why = _falls_short(success, tasks)
        if why is None:
            continue
        if accepted is None:
            accepted = (await ctx.store.tasks.memo(name)).get(ACCEPTED) or {}
        guilty = sorted(task.id for task in tasks if task.state is not TaskState.DONE)
        if set(guilty) <= set(accepted.get(group.name, ())):
            continue
        target = await _follows(ctx, name, campaign, tasks)
        verbs = "; resume accepts it, node retry tries again" if target is CampaignState.SUSPENDED else ""
        reason = f"group {group.name} did not succeed: {why}; {_said(tasks)}{verbs}"
        await change(ctx, name, (CampaignState.RUNNING,), target, Code.UPG_GROUP, reason)
        # Only who was shown it can have accepted it: after a crash in between it is shown once more.
        await ctx.store.tasks.remember(name, ACCEPTED, {**accepted, group.name: guilty})
        return True
    return False


async def _follows(ctx: Context, name: str, campaign: Campaign, tasks: Sequence[NodeTask]) -> CampaignState:
    """What policy does about failures, where they are why; a person is called about nodes left out, and about known failures."""
    known = await accepted_failures(ctx, name)
    failed = any(task.state in FAILURES and task.id not in known for task in tasks)
    return await then(ctx, campaign) if failed else CampaignState.SUSPENDED


def _falls_short(success: Success, tasks: Sequence[NodeTask]) -> str | None:
    judged = [task for task in tasks if not (task.state is TaskState.SKIPPED and task.code == Code.UPG_SKIPPED.value)]
    done = sum(task.state is TaskState.DONE for task in judged)
    failed = sum(task.state in FAILURES for task in judged)
    if failed > success.max_failed:
        return f"{counted(failed, 'node')} failed, success.max_failed is {success.max_failed}"
    if done < success.min_percent / 100 * len(judged) or (not done and success.min_percent > 0):
        return (
            f"{done} of {counted(len(judged), 'node is', 'nodes are')} upgraded, success.min_percent is {success.min_percent:g}"
        )
    return None


def _said(tasks: Sequence[NodeTask]) -> str:
    return "; ".join(
        f"{t.node} {t.state.value}: {t.message}" for t in [t for t in tasks if t.state is not TaskState.DONE][:SHOWN]
    )


def stuck(board: Board) -> list[NodeTask]:
    """Nodes without a turn for which all others wait: only a person can go on from there. None where something goes on."""
    standing = Standing(board)
    if board.under_way or not all(standing.behind(task) for task in board.ready()):
        return []
    return board.without_turn


async def _tell(ctx: Context, name: str, message: str) -> None:
    event = Event(at=ctx.clock.now(), action="campaign.soaks", campaign=name, object_id=name, outcome="held", message=message)
    await ctx.store.events.append((event,))
