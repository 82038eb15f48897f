"""Re-checking a move's target just before the move, and choosing another one with the planner's own rules."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from escalator.model.errors import EscalatorError
from escalator.model.inventory import Instance, Inventory, Node
from escalator.model.progress import NodeTask, TaskKind, TaskState
from escalator.upgrade_manager.engine import observed
from escalator.upgrade_manager.engine.job import Job
from escalator.upgrade_manager.planner.constraints import is_declared, words_about
from escalator.upgrade_manager.planner.placement import choose_target
from escalator.upgrade_manager.planner.room import Room
from escalator.upgrade_manager.planner.scope import unavailable_reason


async def target_lost(job: Job, target: str, instance: Instance) -> str | None:
    """Why the target can not take the instance now; None when it can."""
    if any(slot.node == target for slot in await job.ctx.store.admission.node_slots()):
        return "it is in maintenance"
    try:
        service = await job.ctx.cloud.service(target)
    except EscalatorError as error:
        return error.message
    if not service.up:
        return "its compute service is down"
    if not service.enabled:
        return f"it is disabled: {service.reason or 'no reason given'}"
    task = await job.ctx.store.tasks.get(job.ref.campaign, target)
    move = next((m for m in job.plan.moves if m.target == target and m.origin == job.node), None)
    if task is not None and not _through(task, job) and move is not None and not move.extra:
        what = "rolled back" if job.ref.back else "upgraded"
        return f"it was to be {what} before and is {task.state.value}"
    return await joins(job, target, instance)


async def is_full(job: Job, target: str, instance: Instance) -> bool:
    """Whether the target has no room for the instance beside what is there now.

    What is on its way there is not counted: to read all impacts for each move would cost more than a refusal does.
    """
    # What it offers is as it was when the plan was made: to ask the cloud for that costs several calls.
    node = job.inventory.node_by_id.get(target) or await job.ctx.cloud.node(target)
    there = [i for i in await job.ctx.cloud.instances_on(target, job.spec.migration) if i.id != instance.id]
    seen = Inventory.model_construct(nodes=(node,), instances=tuple(there), groups=())
    return not Room(seen).holds(instance.model_copy(update={"node": target}))


async def joins(job: Job, target: str, instance: Instance) -> str | None:
    """Which group would have more members there than one node may have by what is declared: the cloud would not refuse that."""
    ours = await _kept_by_us(job, instance)
    if not ours:
        return None
    policy = job.spec.migration
    there = {i.id for i in await job.ctx.cloud.instances_on(target, policy)}
    moves = await job.ctx.store.admission.impacts(job.ref.campaign)
    there |= {row.instance for row in moves if row.target == target and row.ended_at is None}
    for group, members in await observed.groups(job.ctx, job.inventory, ours, policy):
        beside = len((there - {instance.id}) & {member.id for member in members})
        if group.per_node is not None and beside >= group.per_node:
            several = f"{beside} members of group {group.id} are there, and it allows no more"
            return several if beside > 1 else f"another member of group {group.id} is there"
    return None


async def _kept_by_us(job: Job, instance: Instance) -> list[str]:
    """Its groups that are kept apart by what is declared: those that constraints make up, and the cloud's with such a word."""
    words = {word: group for group in instance.groups if not is_declared(group) for word in words_about(group, instance.project)}
    said = await job.ctx.store.constraints.find(words) if words else ()
    kept = {words[constraint.kind, constraint.id] for constraint in said if constraint.spec.keeps_apart}
    return [group for group in instance.groups if is_declared(group) or group in kept]


@dataclass(frozen=True, slots=True)
class Others:
    """Other nodes for an instance than the planned one; None where there is none."""

    spare: str | None
    """One that is upgraded and has room beyond what the plan has meant for others."""
    any: str | None
    """One whose room may be meant for others, or that is upgraded later."""


async def local_targets(job: Job, instance: Instance, tried: Collection[str]) -> Others:
    """Other nodes, from the cloud as it is now: upgraded ones first, never one whose turn is near.

    Who takes room that is meant for another sends that one elsewhere too, and so on.
    """
    inventory = await observed.inventory(job.ctx, job.spec.migration)
    current = inventory.instance_by_id.get(instance.id)
    if current is None:
        return Others(None, None)
    tasks = {task.node: task for task in await job.ctx.store.tasks.list(job.ref.campaign, ladders=False)}
    busy = {slot.node for slot in await job.ctx.store.admission.node_slots()}
    usable = [n for n in inventory.nodes if _usable(n, job) and n.id not in busy.union(tried)]
    upgraded = [n for n in usable if _there(n, tasks, job)]
    waiting = [n for n in _waiting(usable, tasks) if n not in upgraded]
    arriving = await _with_arrivals(job, inventory)
    full = await _with_planned(job, arriving, instance)
    spare = choose_target(current, Room(full, job.spec.waves.max_fill), upgraded, ())
    found = spare or choose_target(current, Room(arriving, job.spec.waves.max_fill), upgraded, waiting)
    return Others(*(None if target is None else target.node.id for target in (spare, found)))


async def upgraded_targets(job: Job, instance: Instance) -> list[str]:
    """Nodes in service that run what this one does now and have room for an instance that no inventory shows; fullest first."""
    inventory = await observed.inventory(job.ctx, job.spec.migration)
    tasks = {task.node: task for task in await job.ctx.store.tasks.list(job.ref.campaign, ladders=False)}
    busy = {slot.node for slot in await job.ctx.store.admission.node_slots()}
    room = Room(await _with_arrivals(job, inventory), job.spec.waves.max_fill)
    fit = [n for n in inventory.nodes if _usable(n, job) and n.id not in busy and _there(n, tasks, job)]
    return [n.id for n in sorted(fit, key=lambda n: (-room.fill(n), n.id)) if room.fit(instance, n) is not None]


async def has_room(job: Job, instance: Instance) -> bool:
    """Whether the instance fits onto its own node, beside what is there."""
    inventory = await observed.inventory(job.ctx, job.spec.migration)
    return Room(inventory).holds(instance)


def _there(node: Node, tasks: dict[str, NodeTask], job: Job) -> bool:
    """Whether the node runs already what this one is on its way to. On the way back that is so for all that was not changed."""
    task = tasks.get(node.id)
    if task is not None:
        return _through(task, job)
    planned = job.inventory.node_by_id.get(node.id)
    return job.ref.back or (planned is not None and planned.progress == "done")


def _through(task: NodeTask, job: Job) -> bool:
    if job.ref.back and task.kind is TaskKind.UPGRADE:
        return True
    return task.state is TaskState.DONE


def _usable(node: Node, job: Job) -> bool:
    return job.spec.scope.includes(node) and unavailable_reason(node) is None


def _waiting(usable: list[Node], tasks: dict[str, NodeTask]) -> list[Node]:
    """Nodes that are upgraded later, in order of their turn, without those that go next."""
    still = [n for n in usable if n.id in tasks and tasks[n.id].state is TaskState.PENDING]
    still.sort(key=lambda n: (tasks[n.id].wave, n.id))
    nearest = tasks[still[0].id].wave if still else 0
    later = [n for n in still if tasks[n.id].wave > nearest]
    # Nodes that no task waits for are not going anywhere: they come before any that is.
    return later + [n for n in usable if n.id not in tasks and n.progress != "done"]


async def _with_arrivals(job: Job, inventory: Inventory) -> Inventory:
    """The inventory with instances that are on their way counted at their targets too."""
    impacts = [r for r in await job.ctx.store.admission.impacts(job.ref.campaign) if r.ended_at is None and r.target]
    arriving = [
        instance.model_copy(update={"id": _arrival(instance.id, row.target or ""), "node": row.target})
        for row in impacts
        if (instance := inventory.instance_by_id.get(row.instance)) is not None and instance.node != row.target
    ]
    return inventory.with_instances([*inventory.instances, *arriving]) if arriving else inventory


async def _with_planned(job: Job, inventory: Inventory, instance: Instance) -> Inventory:
    """The inventory with what is still to come counted at its targets, as the plan that is followed now wants it."""
    row = await job.ctx.store.campaigns.get(job.ref.campaign)
    plan, _ = await job.ctx.book.plan(job.ref.plan if row is None or row.plan is None else row.plan)
    here = inventory.instance_by_id
    meant = [
        there.model_copy(update={"id": arrival, "node": move.target, "numa_cell": move.numa_cell})
        for move in plan.moves
        if (there := here.get(move.instance)) is not None
        and there.node == move.origin
        and move.instance != instance.id
        and move.target in inventory.node_by_id
        and (arrival := _arrival(move.instance, move.target)) not in here
    ]
    return inventory.with_instances([*inventory.instances, *meant])


def _arrival(instance: str, target: str) -> str:
    """Id of an instance at the node where it is to arrive."""
    return f"{instance}@{target}"
