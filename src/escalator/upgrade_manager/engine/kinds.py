"""Nodes that carry something together with others: what stands in the way of one that is to go, and who goes first.

| role | before it goes | before it is touched | after it is back |
|---|---|---|---|
| control | the others keep the quorum; the master is the last | it hands over | it serves, and the cloud answers |
| network | its peers do their parts | what is active on it goes elsewhere | that is back, and all do their parts |
| storage | it may stop; all is stored whole | the cluster does not recover | it does again; all is stored whole |
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.errors import EscalatorError
from escalator.model.inventory import Inventory, Node, Role
from escalator.model.progress import NodeTask
from escalator.model.roles import STORAGE, clusters_of, sharing
from escalator.system_support.clusters.port import FLAG
from escalator.upgrade_manager.engine.board import Board, Limits
from escalator.upgrade_manager.engine.changes import show_wait, write
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.job import Job
from escalator.upgrade_manager.engine.states import UNDER_WAY

CONTROL: Role = "control"


def roles_of(job: Job) -> tuple[Role, ...]:
    """Roles of the job's node, as the plan knows it."""
    return job.inventory.node_by_id[job.node].roles


def peers_of(job: Job) -> frozenset[str]:
    """Storage nodes of the campaign that the job's node may be away together with."""
    by = job.spec.waves.storage_domain
    if by is None or STORAGE not in roles_of(job):
        return frozenset()
    nodes = [node for node in job.inventory.nodes if job.spec.scope.includes(node)]
    return sharing(nodes, by).get(job.node, frozenset())


def computes(job: Job) -> bool:
    """Whether the cloud runs instances on the node; of others it knows nothing."""
    return "compute" in roles_of(job)


async def node_now(job: Job) -> Node:
    """The node as the cloud tells it now; one that the cloud does not know, as the plan does."""
    return await job.ctx.cloud.node(job.node) if computes(job) else job.inventory.node_by_id[job.node]


async def seen(ctx: Context, found: Inventory) -> Inventory:
    """The cloud with the nodes and roles that it does not tell, and with who is master of each control cluster."""
    more = {node.id: node for node in ctx.clusters.nodes()}
    nodes = [_with_roles(node, more.pop(node.id)) if node.id in more else node for node in found.nodes]
    nodes += more.values()
    masters = await _masters(ctx, nodes)
    if not masters and len(nodes) == len(found.nodes) and not ctx.clusters.nodes():
        return found
    marked = tuple(node.model_copy(update={"master": True}) if node.id in masters else node for node in nodes)
    return found.with_nodes(marked)


def _with_roles(node: Node, told: Node) -> Node:
    roles = tuple(dict.fromkeys((*node.roles, *told.roles)))
    labels = {**node.labels, **told.labels}
    return node.model_copy(update={"roles": roles, "labels": labels, "rack": node.rack or told.rack, "az": node.az or told.az})


async def _masters(ctx: Context, nodes: Sequence[Node]) -> Collection[str]:
    """Current masters. A cluster that does not answer has none that is known: it is asked again before each node goes."""
    asked: dict[str, str | None] = {}
    for node in nodes:
        for role, name in clusters_of(node) if node.state == "up" else ():
            if role == CONTROL and name not in asked:
                try:
                    asked[name] = (await ctx.clusters.control(node.id)).master
                except EscalatorError:
                    asked[name] = None
    return {master for master in asked.values() if master is not None}


async def in_the_way(ctx: Context, node: str, role: Role, peers: Collection[str] = (), ahead: Collection[str] = ()) -> str:
    """Why the node may not go now for its cluster's sake; empty when it may.

    `peers`: the others of its failure domain, with whom it may be away together; `ahead`: those of them that go before it
    where the domain may not stop as a whole.
    """
    try:
        match role:
            case "control":
                return await _quorum(ctx, node)
            case "network":
                network = await ctx.clusters.network(node)
                return "" if network.whole else network.why or "its peers do not do their parts"
            case "storage":
                return await _stored(ctx, node, peers, ahead)
            case _:
                return ""
    except EscalatorError as error:
        return error.message


async def _stored(ctx: Context, node: str, peers: Collection[str], ahead: Collection[str]) -> str:
    storage = await ctx.clusters.storage(node, sorted(peers))
    if storage.ok_to_stop:
        whole = storage.clean or await peers_away(ctx, peers)
        return "" if whole else storage.why or "not everything is stored whole"
    why = storage.why or "something that is stored would be out of reach"
    return await _alone(ctx, node, peers, ahead, why) if peers else why


async def _alone(ctx: Context, node: str, peers: Collection[str], ahead: Collection[str], why: str) -> str:
    """Why the node may not go by itself, as its failure domain may not stop as a whole (`why` not)."""
    others = sorted({*ahead, *await _flagged(ctx, peers)})
    if others:
        return f"{', '.join(others)} first, their failure domain may not stop as a whole: {why}"
    alone = await ctx.clusters.storage(node)
    if not alone.ok_to_stop:
        return alone.why or "something that is stored would be out of reach"
    return "" if alone.clean else alone.why or "not everything is stored whole"


async def apart(ctx: Context, node: str, peers: Collection[str]) -> bool:
    """Whether the storage node and its peers may not be away together now, so that they go one by one."""
    return bool(peers) and not (await ctx.clusters.storage(node, sorted(peers))).ok_to_stop


async def ahead_of(job: Job, peers: Collection[str]) -> Collection[str]:
    """Those of the peers that have their turns and go before the job's node where only one of them may be away.

    By their names, and not by who was quicker: two that look at the same time would let each other go first, or both go.
    """
    tasks = await job.ctx.store.tasks.list(job.ref.campaign, ladders=False) if peers else ()
    return [task.node for task in tasks if task.node in peers and task.state in UNDER_WAY and task.node < job.node]


async def not_aside(ctx: Context, node: str, role: Role) -> str:
    """What is to be done yet before the node goes that a campaign's turn does by itself; empty for nothing."""
    try:
        match role:
            case "control":
                cluster = await ctx.clusters.control(node)
                return "it is the master" if cluster.master == node and cluster.without(node) else ""
            case "network":
                active = (await ctx.clusters.network(node)).active
                return f"{', '.join(active)} active on it" if active else ""
            case "storage":
                flagged = (await ctx.clusters.storage(node)).flagged
                return "" if flagged else "nothing keeps it from recovering meanwhile"
            case _:
                return ""
    except EscalatorError as error:
        return error.message


async def peers_away(ctx: Context, peers: Collection[str]) -> bool:
    """Whether one of these storage nodes has its turn: until it is back nothing is stored whole."""
    return bool(peers) and bool(await _flagged(ctx, peers))


async def _flagged(ctx: Context, peers: Collection[str]) -> set[str]:
    return {str(row.node) for row in await ctx.store.restorations.open() if row.kind == FLAG and row.node in peers}


async def _quorum(ctx: Context, node: str) -> str:
    cluster = await ctx.clusters.control(node)
    left = cluster.without(node)
    if left >= cluster.quorum or len(cluster.members) == 1:
        return ""
    away = [name for name, serves in sorted(cluster.members.items()) if name != node and not serves]
    said = f": {', '.join(away)} does not serve" if away else ""
    return f"{counted(left, 'other member')} would serve, the quorum is {cluster.quorum}{said}"


async def admitted(ctx: Context, name: str, board: Board, ready: Sequence[NodeTask]) -> Sequence[NodeTask]:
    """Those of the nodes that may go for their clusters' sake. Why others wait is told once."""
    clusters = board.limits.clusters
    if not clusters:
        return ready
    # One that an earlier turn left out of service is away anyway: nobody else of its cluster may go before it is back.
    away = {slot.node for slot in await ctx.store.admission.node_slots()}
    ready = sorted(ready, key=lambda task: task.node not in away)
    busy = [task.node for task in board.open if task not in ready and task.state in UNDER_WAY]
    found, said = [], ""
    for task in ready:
        if _hindered(task.node, busy, board.limits):
            continue
        why = await _why_not(ctx, task.node, [one.node for one in ready if one.node != task.node], busy, board.limits)
        if why is None:
            found.append(task)
            busy.append(task.node)
        else:
            said = said or f"of {task.node}: {why[1]}"
            await _tell(ctx, name, board, task.node, *why)
    if found or not board.under_way:
        await show_wait(ctx, name, "for a cluster", "" if found else said)
    return found


def _hindered(node: str, busy: Sequence[str], limits: Limits) -> bool:
    """Whether another member of one of its clusters has its turn, and may not be away together with it."""
    mine, peers = limits.clusters.get(node, ()), limits.together.get(node, ())
    return any(
        cluster in mine and not (cluster[0] == STORAGE and other in peers)
        for other in busy
        for cluster in limits.clusters.get(other, ())
    )


async def _why_not(
    ctx: Context,
    node: str,
    others: Sequence[str],
    busy: Sequence[str],
    limits: Limits,
) -> tuple[Code, str] | None:
    clusters, peers = limits.clusters, limits.together.get(node, frozenset())
    for cluster in clusters.get(node, ()):
        why = await in_the_way(ctx, node, cluster[0], peers, peers.intersection(busy))
        if why:
            return Code.UPG_CLUSTER, why
        if cluster[0] == CONTROL and any(cluster in clusters.get(other, ()) for other in others):
            master = (await ctx.clusters.control(node)).master
            if master == node:
                return Code.UPG_MASTER, "it is the master, and goes when no other member of its cluster can"
    return None


async def _tell(ctx: Context, name: str, board: Board, node: str, code: Code, why: str) -> None:
    board.look_s = min(board.look_s or ctx.pace.recheck_s, ctx.pace.recheck_s)
    # What holds for its cluster holds for the next member, too.
    if why not in board.announced:
        board.announced.add(why)
        await write(ctx, name, "campaign.waits", f"{node} waits: {why}", code=code, node=None)


async def expects_silence(job: Job) -> bool:
    """Whether the cloud may well not answer for a while: a control node of the campaign has its turn."""
    slots = await job.ctx.store.admission.node_slots()
    known = job.inventory.node_by_id
    return any(slot.campaign == job.ref.campaign and slot.node in known and CONTROL in known[slot.node].roles for slot in slots)
