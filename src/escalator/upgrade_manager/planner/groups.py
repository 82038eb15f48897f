"""What groups forbid for a whole node, whenever its turn comes: more members on it than may be impacted at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from escalator.model.counting import counted
from escalator.model.inventory import Group, Inventory, Node
from escalator.upgrade_manager.planner.actions import Action, Leaves, Stays, Stuck, any_of


def blocked_by_groups(inventory: Inventory, nodes: Sequence[Node], actions: Mapping[str, Action]) -> dict[str, str]:
    """The nodes that the limits of groups, or hard affinity, keep from being upgraded, each with the reason."""
    down = _down(inventory)
    found: dict[str, str] = {}
    roomy = {group.id for group in inventory.groups if _lets_one_go(inventory, group, down)}
    # Where all members leave one after the other, and their groups let one go, there is nothing to look at.
    wary = {i.node for group in inventory.groups if group.id not in roomy for i in inventory.members.get(group.id, ())}
    if any_of(actions, (Stays, Stuck)):
        wary |= {inventory.instance_by_id[i].node for i, action in actions.items() if not isinstance(action, Leaves)}
    for node in nodes:
        reason = _reason(inventory, node, actions, down) if node.id in wary else None
        if reason is not None:
            found[node.id] = reason
    return found


def _down(inventory: Inventory) -> Counter[str]:
    """Members of each group on nodes that are down: they count as impacted."""
    nodes = (node.id for node in inventory.nodes if node.state == "down")
    return Counter(g for node in nodes for i in inventory.instances_by_node.get(node, ()) for g in i.groups)


def _lets_one_go(inventory: Inventory, group: Group, down: Counter[str]) -> bool:
    """Whether members that all leave their node, one after the other, are nothing that the group could forbid."""
    return group.policy != "affinity" and group.limit(len(inventory.members.get(group.id, ()))) - down[group.id] >= 1


def _reason(inventory: Inventory, node: Node, actions: Mapping[str, Action], down: Counter[str]) -> str | None:
    staying: dict[str, int] = {}
    leaving: dict[str, int] = {}
    present: dict[str, int] = {}
    for instance in inventory.instances_by_node.get(node.id, ()):
        if not instance.groups:
            continue
        action = actions[instance.id]
        for name in instance.groups:
            present[name] = present.get(name, 0) + 1
            if isinstance(action, Leaves):
                leaving[name] = leaving.get(name, 0) + 1
            elif isinstance(action, Stays) and action.kind != "offline":
                staying[name] = staying.get(name, 0) + 1
    for name in sorted(present):
        group = inventory.group_by_id[name]
        members = len(inventory.members[name])
        allowed = group.limit(members) - down[name]
        at_once = max(staying.get(name, 0), min(leaving.get(name, 0), 1))
        if at_once > allowed:
            more = f", {down[name]} of them on nodes that are down" if down[name] else ""
            why = _preserved(group, members)
            allows = f"group {name} allows {counted(max(allowed, 0), 'member')} to be impacted{why}{more}"
            return f"{allows}, and here {at_once} would be at once"
        if group.policy == "affinity" and 0 < leaving.get(name, 0) < present[name]:
            return f"members of affinity group {name} leave together or not at all, and one of them has to stay"
    return None


def _preserved(group: Group, members: int) -> str:
    """That the limit comes from how many have to be left alone; nothing where it does not."""
    least = group.min_preserved
    if least is None or group.limit(members) != max(0, members - least):
        return ""
    return f" (min_preserved {least} of its {counted(members, 'member')})"
