"""How far a running campaign is, from what is stored and what the cloud shows: what a plan for the rest starts from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from escalator.model.campaign import CampaignSpec
from escalator.model.inventory import Instance, Inventory, Node
from escalator.model.plan import Move, Plan
from escalator.model.progress import NodeTask, Rung, TaskState
from escalator.storage.port import CampaignRow, ImpactRow
from escalator.upgrade_manager.engine import observed
from escalator.upgrade_manager.engine.brought import done_before, with_done
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.lost import is_lost
from escalator.upgrade_manager.engine.states import ENDED, UNDER_WAY
from escalator.upgrade_manager.planner.nights import worked_s
from escalator.upgrade_manager.planner.progress import Progress, Started

FAILED = (TaskState.FAILED, TaskState.ROLLED_BACK, TaskState.SKIPPED)
SOFTWARE = (
    "back-up",
    "pre-maintenance",
    "upgrade",
    "reboot",
    "maintenance",
    "verify",
    "post-maintenance",
    "resume",
    "uncordon",
    "announce",
)
"""Steps from which on nothing leaves the node any more."""


@dataclass(frozen=True, slots=True)
class Midway:
    """The middle of a campaign: the cloud as it is now with its nodes marked, how far it is, and the tasks by node."""

    inventory: Inventory
    progress: Progress
    tasks: Mapping[str, NodeTask]
    lost: frozenset[str]
    """Nodes in their turns that nobody counts on any more."""

    @property
    def over(self) -> frozenset[str]:
        """Nodes whose turn has ended, well or not, or will not end well."""
        return self.lost.union(n for n, task in self.tasks.items() if task.state not in (TaskState.PENDING, *UNDER_WAY))


async def midway(ctx: Context, row: CampaignRow, spec: CampaignSpec, parent: Plan) -> Midway:
    """Look at the cloud and at what is stored of the campaign. Raises TemporaryError when the cloud does not answer."""
    tasks = {task.node: task for task in await ctx.store.tasks.list(row.name)}
    impacts = await ctx.store.admission.impacts(row.name)
    now = await observed.inventory(ctx, spec.migration)
    # What ran the release before the campaign began has no task.
    before = done_before((await ctx.book.plan(parent.id))[1]) - tasks.keys()
    now = with_done(now, before)
    start = row.started_at if row.started_at is not None else ctx.clock.now()
    # A node that was held and waits for another try is out of service already: it goes first.
    held = {slot.node for slot in await ctx.store.admission.node_slots() if slot.campaign == row.name}
    # From a node that fails something may still be on its way: that has its place first.
    leaving = {impact.node for impact in impacts if impact.ended_at is None and impact.target is not None}
    lost = {node for node, task in tasks.items() if is_lost(task) and node not in leaving}
    inventory = _marked(now, tasks, lost, held, [row for row in impacts if row.ended_at is None])
    started = {
        node: _started(task, lambda at: worked_s(spec, start, at))
        for node, task in tasks.items()
        if task.state in UNDER_WAY and node not in lost and node in inventory.node_by_id
    }
    running = [
        _move(impact, worked_s(spec, start, impact.started_at), parent)
        for impact in impacts
        if impact.ended_at is None and impact.target is not None and _still(inventory, impact)
    ]
    ended: dict[str, float] = {}
    for impact in impacts:
        if impact.ended_at is not None:
            for group in impact.groups:
                ended[group] = max(ended.get(group, 0.0), worked_s(spec, start, impact.ended_at))
    at_s = worked_s(spec, start, ctx.clock.now())
    through = {node: task for node, task in tasks.items() if task.state in ENDED or node in lost}
    over = {node: worked_s(spec, start, task.updated_at) for node, task in through.items()}
    reasons = {n: task.message or task.state.value for n, task in tasks.items() if task.state in FAILED or n in lost}
    started |= {
        node.id: Started(away_s=at_s) for node in inventory.nodes if node.progress == "draining" and node.id not in started
    }
    # Waves are counted on over any number of plans: gates between waves and soak times go by their numbers.
    level = max((task.wave for task in tasks.values() if task.state is TaskState.DONE), default=0)
    times = Progress(at_s=at_s, parent=parent, started=started, moves=running, ended=ended, over=over)
    progress = replace(times, reasons=reasons, level=level)
    return Midway(inventory, progress, tasks, frozenset(lost))


def _marked(
    now: Inventory, tasks: Mapping[str, NodeTask], lost: Collection[str], held: Collection[str], impacts: Sequence[ImpactRow]
) -> Inventory:
    """The cloud with our own doings taken out of it: what they make of nodes and instances is not what those are."""
    moving = {row.instance: row.node for row in impacts if row.target is not None}
    staying = {row.instance for row in impacts if row.target is None}
    return Inventory.model_construct(
        nodes=tuple(
            node.model_copy(update={"progress": "failed"}) if node.id in lost else _node(node, tasks.get(node.id), held)
            for node in now.nodes
        ),
        instances=tuple(_instance(instance, moving, staying) for instance in now.instances),
        groups=now.groups,
    )


def _node(node: Node, task: NodeTask | None, held: Collection[str]) -> Node:
    if task is None or (task.state is TaskState.PENDING and node.id not in held):
        return node
    if task.state is TaskState.DONE:
        return node.model_copy(update={"progress": "done"})
    if task.state in FAILED:
        return node.model_copy(update={"progress": "failed"})
    progress = "upgrading" if task.step in SOFTWARE else "draining"
    return node.model_copy(update={"progress": progress, "state": "up", "maintenance": False})


def _instance(instance: Instance, moving: Mapping[str, str], staying: set[str]) -> Instance:
    if instance.id not in moving and instance.id not in staying:
        return instance
    update: dict[str, object] = {"state": "active", "task_state": None, "blocked": None}
    if instance.id in staying:
        update["vacate"] = "in-place"
    return instance.model_copy(update=update)


def _still(inventory: Inventory, impact: ImpactRow) -> bool:
    """Whether the instance has not arrived yet."""
    instance = inventory.instance_by_id.get(impact.instance)
    return instance is not None and instance.node == impact.node


def _move(impact: ImpactRow, start_s: float, parent: Plan) -> Move:
    row = next((m for m in parent.moves_from.get(impact.node, ()) if m.instance == impact.instance), None)
    kept = row is not None and row.target == impact.target
    return Move(
        instance=impact.instance,
        origin=impact.node,
        target=impact.target or "",
        numa_cell=impact.cells or (row.numa_cell if kept and row is not None else None),
        kind="cold" if impact.kind == "cold" else "live",
        start_s=start_s,
        end_s=start_s,
        extra=row.extra if kept and row is not None else False,
    )


def _started(task: NodeTask, worked: Callable[[float], float]) -> Started:
    reached = {condition.rung: condition.since for condition in task.ladder if condition.status}
    away = reached.get(Rung.CORDONED, task.updated_at)
    start = reached.get(Rung.VACATED, task.updated_at) if task.step in SOFTWARE else None
    return Started(away_s=worked(away), start_s=None if start is None else worked(start))
