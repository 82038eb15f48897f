"""A node as a member of its clusters: asked before it goes, stood aside before it is touched, whole again before the next.

What is moved or set stands on the break-glass sheet first. What keeps a storage cluster from recovering is let go in any case:
a node that is lost has to be made up for. What was active on a network node comes back only to software that is proved.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from functools import partial

from escalator.model.codes import Code
from escalator.model.errors import EscalatorError, TemporaryError
from escalator.model.inventory import Role
from escalator.model.progress import Restoration, TaskState
from escalator.model.roles import CLUSTERED, STORAGE, clusters_of
from escalator.system_support.clusters.port import FLAG, ROUTING
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.job import Job
from escalator.upgrade_manager.engine.kinds import CONTROL, ahead_of, apart, in_the_way, peers_away, peers_of, roles_of
from escalator.upgrade_manager.engine.outcome import Outcome, done, failed, skip, wait
from escalator.upgrade_manager.engine.runner import DEFAULT_TIMEOUT_S, Step

GRACE_S = 120.0
"""How much longer than its own patience a step may last."""
SINCE = "rejoins_since"
"""Memo of a task: since when its node's clusters are waited for."""
Look = Callable[[Job], Awaitable[str]]


async def _ask(job: Job) -> Outcome:
    peers = peers_of(job)
    ahead = await ahead_of(job, peers)
    for role in roles_of(job):
        why = await in_the_way(job.ctx, job.node, role, peers, ahead)
        if why:
            return wait(job.ctx.pace.recheck_s, f"{job.node} waits: {why}")
    return done("its clusters can do without it")


async def _hand_over(job: Job) -> Outcome:
    clusters = job.ctx.clusters
    cluster = await clusters.control(job.node)
    if cluster.master != job.node:
        return done("another member is the master")
    if not cluster.without(job.node):
        return done("no other member serves: the cloud's API is away meanwhile")
    if not clusters.hands_over:
        if await _others_wait(job):
            return skip(Code.UPG_MASTER, "it has become the master, and no command lets it hand over; try it again later")
        return done("it is the master and the last of its cluster: another member takes over when it goes")
    await clusters.hand_over(job.node)
    return await _until(job, _handed_over, job.spec.node.timeouts.vacate_s) or done("another member is the master")


async def _others_wait(job: Job) -> bool:
    """Whether another member of its cluster still waits for its turn."""
    nodes = job.inventory.node_by_id
    mine = {cluster for cluster in clusters_of(nodes[job.node]) if cluster[0] == CONTROL}
    tasks = await job.ctx.store.tasks.list(job.ref.campaign, ladders=False)
    waiting = [nodes[task.node] for task in tasks if task.state is TaskState.PENDING and task.node in nodes]
    return any(mine.intersection(clusters_of(node)) for node in waiting)


async def _handed_over(job: Job) -> str:
    cluster = await job.ctx.clusters.control(job.node)
    return "" if cluster.master != job.node else "it is still the master"


async def _evacuate(job: Job) -> Outcome:
    clusters = job.ctx.clusters
    rows = await job.changes(ROUTING)
    if not rows:
        found: dict[str, object] = {"active": list((await clusters.network(job.node)).active)}
        rows = [await job.will_change(ROUTING, job.node, found, clusters.by_hand(ROUTING, job.node, found))]
    refused = await _until(job, _evacuated, job.spec.node.timeouts.vacate_s)
    return refused or done(f"{', '.join(_active(rows[0].found)) or 'nothing'} was active here")


async def _evacuated(job: Job) -> str:
    await job.ctx.clusters.evacuate(job.node)
    active = (await job.ctx.clusters.network(job.node)).active
    return f"{', '.join(active)} still active on it" if active else ""


async def _bring_back(job: Job) -> Outcome:
    said = []
    for row in await job.changes(ROUTING):
        active = _active(row.found)
        await job.ctx.clusters.bring_back(job.node, active)
        await job.put_back(row)
        said += active
    return done(f"{', '.join(said)} back on it" if said else "")


def _active(found: object) -> list[str]:
    """What the sheet says was active."""
    active = found.get("active") if isinstance(found, dict) else None
    return [str(name) for name in active] if isinstance(active, list | tuple) else []


async def is_back(ctx: Context, row: Restoration) -> bool:
    """Whether what was moved or set is as it was, by whoever's hand. Of a cluster that does not answer it is not known."""
    try:
        if row.kind == FLAG:
            return not (await ctx.clusters.storage(row.node)).flagged
        return set(_active(row.found)) <= set((await ctx.clusters.network(row.node)).active)
    except EscalatorError:
        return False


async def _flag(job: Job) -> Outcome:
    clusters, peers = job.ctx.clusters, peers_of(job)
    ahead = await ahead_of(job, peers)
    if ahead and await apart(job.ctx, job.node, peers):
        # Since it was let out of service its failure domain may not stop as a whole any more: its turn waits for theirs.
        return wait(job.ctx.pace.recheck_s, f"{job.node} waits: {', '.join(ahead)} first")
    refused = await _until(job, _may_stop, DEFAULT_TIMEOUT_S)
    if refused is not None:
        return refused
    if not await job.changes(FLAG):
        if (await clusters.storage(job.node)).flagged:
            return done("someone else keeps the cluster from recovering, and it stays so")
        found: dict[str, object] = {"flagged": False}
        await job.will_change(FLAG, job.node, found, clusters.by_hand(FLAG, job.node, found))
    await clusters.flag(job.node, on=True)
    return done("the storage cluster does not recover while it is away")


async def _may_stop(job: Job) -> str:
    peers = peers_of(job)
    return await in_the_way(job.ctx, job.node, "storage", peers, await ahead_of(job, peers))


async def _unflag(job: Job) -> Outcome:
    rows = await job.changes(FLAG)
    for row in rows:
        await job.ctx.clusters.flag(job.node, on=False)
        await job.put_back(row)
    return done("the storage cluster recovers again" if rows else "")


async def _rejoin(job: Job) -> Outcome:
    """Put back what was moved and set, then see to it that the clusters are whole: the next node goes after this one."""
    said = [(await _bring_back(job)).message, (await _unflag(job)).message]
    began = float(await job.remember(SINCE, job.ctx.clock.now(), once=True))
    left_s = began + job.spec.node.timeouts.rejoin_s - job.ctx.clock.now()
    for role in roles_of(job):
        late = await _until(job, partial(_whole, role=role), left_s)
        if late is not None:
            return late
    return done("; ".join([word for word in said if word] or ["its clusters are whole"]))


async def _whole(job: Job, role: Role) -> str:
    if role == STORAGE and await peers_away(job.ctx, peers_of(job)):
        return ""  # the last one of the failure domain that comes back sees to it
    why = await not_whole(job.ctx, job.node, role)
    if not why and role == CONTROL:
        await job.ctx.cloud.identity()
    return why


async def not_whole(ctx: Context, node: str, role: Role) -> str:
    """What the node's cluster of that role still lacks now that the node is back; empty for nothing."""
    match role:
        case "control":
            serves = (await ctx.clusters.control(node)).members.get(node, False)
            return "" if serves else "it does not serve in its control cluster"
        case "network":
            return await in_the_way(ctx, node, role)
        case "storage":
            storage = await ctx.clusters.storage(node)
            return "" if storage.clean else storage.why or "not everything is stored whole"
        case _:
            return ""


async def _until(job: Job, look: Look, within_s: float) -> Outcome | None:
    """Look until nothing is in the way; the failure when something still is after that time."""
    ctx, began = job.ctx, job.ctx.clock.now()
    while True:
        try:
            why = await look(job)
        except TemporaryError as error:
            why = error.message
        except EscalatorError as error:
            return failed(error.code, error.message)
        if not why:
            return None
        if ctx.clock.now() - began >= within_s:
            return failed(Code.SYS_NOT_WHOLE, f"{why}, after {within_s:.0f} s")
        await ctx.clock.sleep(ctx.pace.next_poll_s(ctx.clock.now() - began))


ASK = Step(name="ask-cluster", do=_ask)
HAND_OVER = Step(name="hand-over", do=_hand_over, timeout_s=lambda spec: spec.node.timeouts.vacate_s + GRACE_S)
EVACUATE = Step(name="evacuate", do=_evacuate, undo=_bring_back, timeout_s=lambda spec: spec.node.timeouts.vacate_s + GRACE_S)
FLAG_STORAGE = Step(name="flag-storage", do=_flag, undo=_unflag, timeout_s=lambda _: DEFAULT_TIMEOUT_S + GRACE_S)
REJOIN = Step(name="rejoin", do=_rejoin, abortable=False, timeout_s=lambda spec: spec.node.timeouts.rejoin_s + GRACE_S)
KINDS = (ROUTING, FLAG)
"""What these steps put on the break-glass sheet."""
OF_ROLES: dict[Role, tuple[Step, ...]] = {
    "control": (ASK, HAND_OVER, REJOIN),
    "network": (ASK, EVACUATE, REJOIN),
    "storage": (ASK, FLAG_STORAGE, REJOIN),
}
"""Steps that a node of the role goes through beside those of every node."""
STEPS = frozenset(step.name for role in CLUSTERED for step in OF_ROLES[role])


def steps_for(roles: Collection[Role]) -> frozenset[str]:
    """Names of the steps that a node goes through because of its roles."""
    return frozenset(step.name for role in roles for step in OF_ROLES.get(role, ()))
