"""Drift: how the cloud differs from the one a plan was made for, as a diff that people read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from escalator.model.counting import counted
from escalator.model.inventory import Instance, Inventory, Node
from escalator.model.plan import Plan


@dataclass(frozen=True, slots=True)
class Drift:
    """The differences, one line each: `+` new, `-` gone, `~` changed."""

    lines: tuple[str, ...]

    @property
    def empty(self) -> bool:
        """Whether the cloud is as it was."""
        return not self.lines

    def beyond(self, plan: Plan, before: Inventory, child: Plan, now: Inventory) -> list[str]:
        """What a plan for the changed cloud would do that the approved plan does not: nodes, projects, VNFs, moves."""
        found = []
        if plan.smooth and not child.smooth:
            found.append("the upgrade would not be smooth any more")
        nodes = sorted(set(child.upgrade_of) - set(plan.upgrade_of))
        if nodes:
            found.append(f"nodes {', '.join(nodes)} would be upgraded too")
        done = {node.id for node in now.nodes if node.progress == "done"}
        lost = sorted(set(plan.upgrade_of) - set(child.upgrade_of) - done)
        if lost:
            found.append(f"nodes {', '.join(lost)} would not be upgraded")
        owners = sorted(touched(child, now) - touched(plan, before))
        if owners:
            found.append(f"{', '.join(owners)} would be impacted too")
        if len(child.moves) > len(plan.moves):
            found.append(f"{counted(len(child.moves), 'move')} instead of {len(plan.moves)}")
        return found


def compare(before: Inventory, now: Inventory) -> Drift:
    """Compare what a plan depends on: nodes, their state and room, instances, where they are and what they may do."""
    lines = _objects("node", _nodes(before), _nodes(now)) + _objects("instance", _instances(before), _instances(now))
    lines += _objects("group", {g.id: repr(g) for g in before.groups}, {g.id: repr(g) for g in now.groups}, show=False)
    return Drift(tuple(lines))


def _objects(what: str, before: dict[str, str], now: dict[str, str], *, show: bool = True) -> list[str]:
    lines = [f"- {what} {name}" for name in sorted(before.keys() - now.keys())]
    lines += [f"+ {what} {name}" for name in sorted(now.keys() - before.keys())]
    for name in sorted(before.keys() & now.keys()):
        if before[name] != now[name]:
            lines.append(f"~ {what} {name}: {before[name]} -> {now[name]}" if show else f"~ {what} {name}")
    return lines


def _nodes(inventory: Inventory) -> dict[str, str]:
    return {node.id: _node(node) for node in inventory.nodes}


def _node(node: Node) -> str:
    there = "maintenance" if node.maintenance else node.state
    state = f"{there}, upgraded" if node.progress == "done" else there
    room = "; ".join(", ".join(f"{key} {amount:g}" for key, amount in sorted(entry.items())) for entry in node.numa)
    return f"{state} ({room})"


def _instances(inventory: Inventory) -> dict[str, str]:
    return {instance.id: _instance(instance) for instance in inventory.instances}


def _instance(instance: Instance) -> str:
    blocked = ", blocked" if instance.blocked else ""
    return f"on {instance.node}, {instance.state}, migration {instance.migration}{blocked}"


def touched(plan: Plan, inventory: Inventory) -> set[str]:
    """Projects and VNFs with an instance that the plan moves or impacts."""
    ids = {m.instance for m in plan.moves} | {i.instance for i in plan.impacts}
    return owning(inventory.instance_by_id[i] for i in ids if i in inventory.instance_by_id)


def owning(instances: Iterable[Instance]) -> set[str]:
    """Projects and VNFs of the instances."""
    found = set()
    for instance in instances:
        found.add(f"project {instance.project}")
        if instance.vnf:
            found.add(f"VNF {instance.vnf}")
    return found
