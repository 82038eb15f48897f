"""A campaign cut off in the middle, as its plan lets it be at that moment; and what may happen to it until then."""

from __future__ import annotations

import random
from collections.abc import Mapping

from escalator.model.inventory import Instance, Inventory, Node
from escalator.model.plan import Move, Plan
from escalator.upgrade_manager.planner.progress import Progress, Started


def moment(plan: Plan, share: float, *, moving: bool) -> float:
    """A moment of the plan; in the middle of a move, if it has any and one is asked for."""
    if not moving or not plan.moves:
        return share * plan.totals.makespan_s
    move = plan.moves[min(int(share * len(plan.moves)), len(plan.moves) - 1)]
    return (move.start_s + move.end_s) / 2


def state_at(inventory: Inventory, plan: Plan, at_s: float) -> tuple[Inventory, Progress]:
    """The inventory at that moment of the plan, and how far the campaign is."""
    here: dict[str, Instance] = dict(inventory.instance_by_id)
    running: list[Move] = []
    ended: dict[str, float] = {}
    for move in sorted(plan.moves, key=lambda m: (m.end_s, m.start_s)):
        if move.end_s <= at_s:
            moved = here[move.instance].model_copy(update={"node": move.target, "numa_cell": move.numa_cell})
            here[move.instance] = moved
            _end(ended, moved, move.end_s)
        elif move.start_s < at_s:
            running.append(move)
    for impact in plan.impacts:
        if impact.end_s <= at_s and impact.kind != "offline":
            _end(ended, here[impact.instance], impact.end_s)
    progress: dict[str, str] = {}
    started: dict[str, Started] = {}
    first: dict[str, float] = {}
    for move in plan.moves:
        first[move.origin] = min(first.get(move.origin, move.start_s), move.start_s)
    for upgrade in plan.upgrades:
        away = min(upgrade.start_s, first.get(upgrade.node, upgrade.start_s))
        if upgrade.end_s <= at_s:
            progress[upgrade.node] = "done"
        elif upgrade.start_s < at_s:
            progress[upgrade.node], started[upgrade.node] = "upgrading", Started(away_s=away, start_s=upgrade.start_s)
        elif away < at_s:
            progress[upgrade.node], started[upgrade.node] = "draining", Started(away_s=away)
    now = Inventory(
        nodes=tuple(_at(node, progress) for node in inventory.nodes),
        instances=tuple(here[instance.id] for instance in inventory.instances),
        groups=inventory.groups,
    )
    return now, Progress(at_s=at_s, parent=plan, started=started, moves=running, ended=ended)


def _end(ended: dict[str, float], instance: Instance, at_s: float) -> None:
    for group in instance.groups:
        ended[group] = max(ended.get(group, 0.0), at_s)


def _at(node: Node, progress: Mapping[str, str]) -> Node:
    """The node as it is then. A node that is out of service has no turn."""
    if node.id not in progress:
        return node
    new = progress[node.id] == "done" and "hypervisor" in node.versions
    versions = {**node.versions, "hypervisor": "99"} if new else node.versions
    return node.model_copy(update={"progress": progress[node.id], "versions": versions})


def disturbed(inventory: Inventory, rng: random.Random) -> Inventory:
    """Something happened meanwhile: a node failed, an instance is gone, another one grew, one more came."""
    nodes, instances = list(inventory.nodes), list(inventory.instances)
    old = [n for n, node in enumerate(nodes) if node.progress == "old"]
    what = rng.choice(("failed", "down", "gone", "new", "pinned"))
    if what in ("failed", "down") and old:
        number = rng.choice(old)
        change = {"progress": "failed"} if what == "failed" else {"state": "down"}
        nodes[number] = nodes[number].model_copy(update=change)
    elif what == "gone" and instances:
        instances.pop(rng.randrange(len(instances)))
    elif what == "new" and instances:
        like = rng.choice(instances)
        instances.append(like.model_copy(update={"id": "vm-new", "groups": ()}))
    elif instances:
        number = rng.randrange(len(instances))
        instances[number] = instances[number].model_copy(update={"migration": "none"})
    return Inventory(nodes=tuple(nodes), instances=tuple(instances), groups=inventory.groups)
