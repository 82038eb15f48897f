"""The cloud as it is now, with what VNFs declare as it is now: a constraint that changes counts from the next look on."""

from __future__ import annotations

from collections.abc import Sequence

from escalator.model.campaign import Migration
from escalator.model.inventory import Group, Instance, Inventory
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.planner.constraints import (
    Key,
    constrained,
    declared,
    keys_of,
    made_group,
    on_group,
    on_instance,
    vnf_of,
)


async def inventory(ctx: Context, policy: Migration) -> Inventory:
    """All of it. Raises what the cloud raises."""
    found = await ctx.cloud.inventory(policy)
    return constrained(found, declared(await ctx.store.constraints.list()))


async def instances_on(ctx: Context, node: str, policy: Migration) -> Sequence[Instance]:
    """Instances on the node."""
    found = await ctx.cloud.instances_on(node, policy)
    by_key = declared(await ctx.store.constraints.find(keys_of(found)))
    return [on_instance(instance, by_key) for instance in found] if by_key else found


async def instance(ctx: Context, instance_id: str) -> Instance | None:
    """One instance, or None when the cloud has it no more."""
    found = await ctx.cloud.instance(instance_id)
    if found is None:
        return None
    by_key = declared(await ctx.store.constraints.find(keys_of((found,))))
    return on_instance(found, by_key) if by_key else found


async def groups(ctx: Context, known: Inventory, names: Sequence[str]) -> list[tuple[Group, Sequence[Instance]]]:
    """Groups of these names with their members as far as `known` has them, under what is declared now.

    What was declared when `known` was read and is withdrawn since still holds there: that is no reason to allow more than was
    planned.
    """
    members = {name: _members(known, name) for name in names}
    keys: set[Key] = {("vnf", vnf) if (vnf := vnf_of(name)) is not None else ("group", name) for name in names}
    keys |= {("project", instance.project) for instances in members.values() for instance in instances}
    by_key = declared(await ctx.store.constraints.find(keys))
    found = []
    for name in names:
        group = on_group(known.group_by_id.get(name) or made_group(name), members[name], by_key)
        if name not in known.group_by_id and not members[name] and group.max_impacted is None:
            # It came since, and who is in it is not known here: nothing says that it has a limit.
            group = group.model_copy(update={"max_impacted": len(known.instances) + 1})
        found.append((group, members[name]))
    return found


def _members(known: Inventory, name: str) -> Sequence[Instance]:
    if name in known.group_by_id or (vnf := vnf_of(name)) is None:
        return known.members.get(name, ())
    return [instance for instance in known.instances if instance.vnf == vnf]
