"""Nodes that carry something together with others: what stands in the way of one that is to go, and who goes first.

| role | before it goes | before it is touched | after it is back |
|---|---|---|---|
| control | the others keep the quorum; the master is the last | it hands over | it serves, and the cloud answers |
| network | its peers do their parts | what is active on it goes elsewhere | that is back, and all do their parts |
| storage | it may stop; all is stored whole | the cluster does not recover | it does again; all is stored whole |
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from escalator.model.codes import Code
from escalator.model.errors import EscalatorError
from escalator.model.inventory import Inventory, Node, Role
from escalator.model.progress import NodeTask
from escalator.model.roles import clusters_of
from escalator.upgrade_manager.engine.board import Board
from escalator.upgrade_manager.engine.changes import show_wait, write
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.job import Job
from escalator.upgrade_manager.engine.states import UNDER_WAY

CONTROL: Role = "control"


def roles_of(job: Job) -> tuple[Role, ...]:
    """Roles of the job's node, as the plan knows it."""
    return job.inventory.node_by_id[job.node].roles


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
    return Inventory.model_construct(nodes=marked, instances=found.instances, groups=found.groups)


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


async def in_the_way(ctx: Context, node: str, role: Role) -> str:
    """Why the node may not go now for its cluster's sake; empty when it may."""
    try:
        match role:
            case "control":
                return await _quorum(ctx, node)
            case "network":
                network = await ctx.clusters.network(node)
                return "" if network.whole else network.why or "its peers do not do their parts"
            case "storage":
                storage = await ctx.clusters.storage(node)
                if not storage.ok_to_stop:
                    return storage.why or "something that is stored would be out of reach"
                return "" if storage.clean else storage.why or "not everything is stored whole"
            case _:
                return ""
    except EscalatorError as error:
        return error.message


async def _quorum(ctx: Context, node: str) -> str:
    cluster = await ctx.clusters.control(node)
    left = cluster.without(node)
    if left >= cluster.quorum or len(cluster.members) == 1:
        return ""
    away = [name for name, serves in sorted(cluster.members.items()) if name != node and not serves]
    said = f": {', '.join(away)} does not serve" if away else ""
    return f"{left} other members would serve, the quorum is {cluster.quorum}{said}"


async def admitted(ctx: Context, name: str, board: Board, ready: Sequence[NodeTask]) -> Sequence[NodeTask]:
    """Those of the nodes that may go for their clusters' sake. Why others wait is told once."""
    clusters = board.limits.clusters
    if not clusters:
        return ready
    # One that an earlier turn left out of service is away anyway: nobody else of its cluster may go before it is back.
    away = {slot.node for slot in await ctx.store.admission.node_slots()}
    ready = sorted(ready, key=lambda task: task.node not in away)
    busy = {
        cluster for task in board.open if task not in ready for cluster in clusters.get(task.node, ()) if task.state in UNDER_WAY
    }
    found, said = [], ""
    for task in ready:
        mine = clusters.get(task.node, ())
        if busy.intersection(mine):
            continue
        why = await _why_not(ctx, task.node, mine, [one.node for one in ready if one.node != task.node], clusters)
        if why is None:
            found.append(task)
            busy.update(mine)
        else:
            said = said or f"of {task.node}: {why[1]}"
            await _tell(ctx, name, board, task.node, *why)
    if found or not board.under_way:
        await show_wait(ctx, name, "for a cluster", "" if found else said)
    return found


async def _why_not(
    ctx: Context,
    node: str,
    mine: Sequence[tuple[Role, str]],
    others: Sequence[str],
    clusters: Mapping[str, Sequence[tuple[Role, str]]],
) -> tuple[Code, str] | None:
    for cluster in mine:
        why = await in_the_way(ctx, node, cluster[0])
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
