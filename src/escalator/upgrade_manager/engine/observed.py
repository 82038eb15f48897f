"""The cloud as it is now, with what VNFs declare as it is now: a constraint that changes counts from the next look on."""

from __future__ import annotations

from collections.abc import Sequence

from escalator.model.campaign import Migration
from escalator.model.hold import Hold
from escalator.model.inventory import Group, Instance, Inventory
from escalator.upgrade_manager.engine import kinds
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.seen_before import with_seen
from escalator.upgrade_manager.planner.constraints import (
    Declared,
    Key,
    constrained,
    declared,
    keys_of,
    keys_of_group,
    keys_of_made,
    on_group,
    on_instance,
)


async def inventory(ctx: Context, policy: Migration) -> Inventory:
    """All of it. Raises what the cloud raises."""
    found = await kinds.seen(ctx, await ctx.cloud.inventory(policy))
    under = constrained(found, declared(await ctx.store.constraints.list()))
    instances = await with_seen(ctx, under.instances)
    if instances is not under.instances:
        under = Inventory.model_construct(nodes=under.nodes, instances=tuple(instances), groups=under.groups)
    return _held(under, await ctx.store.holds.list())


def _held(found: Inventory, holds: Sequence[Hold]) -> Inventory:
    """With what people hold."""
    said = {hold.node: hold.said for hold in holds}
    if not said.keys() & found.node_by_id.keys():
        return found
    nodes = tuple(node.model_copy(update={"hold": said[node.id]}) if node.id in said else node for node in found.nodes)
    return found.with_nodes(nodes)


async def instances_on(ctx: Context, node: str, policy: Migration) -> Sequence[Instance]:
    """Instances on the node."""
    found = await ctx.cloud.instances_on(node, policy)
    by_key = await _declared_for(ctx, found)
    return await with_seen(ctx, [on_instance(instance, by_key) for instance in found]) if by_key else found


async def instance(ctx: Context, instance_id: str) -> Instance | None:
    """One instance, or None when the cloud has it no more."""
    found = await ctx.cloud.instance(instance_id)
    if found is None:
        return None
    return (await with_seen(ctx, (on_instance(found, await _declared_for(ctx, (found,))),)))[0]


async def _declared_for(ctx: Context, instances: Sequence[Instance]) -> Declared:
    by_key = declared(await ctx.store.constraints.find(keys_of(instances)))
    made = keys_of_made(by_key)
    return {**by_key, **declared(await ctx.store.constraints.find(made))} if made else by_key


async def groups(
    ctx: Context, known: Inventory, names: Sequence[str], policy: Migration, *, counted: bool = False
) -> list[tuple[Group, Sequence[Instance]]]:
    """Groups of these names with their members as `known` has them, under what is declared now.

    Those that came since are read from the cloud as it is now. What was declared when `known` was read and is withdrawn since
    still holds there: that is no reason to allow more than was planned. With `counted` a limit that depends on how many members
    there are leaves out those that are gone by now: a VNF that was scaled in since has fewer to give.
    """
    newer = any(name not in known.group_by_id for name in names)
    now = await inventory(ctx, policy) if newer else known
    found = []
    for name in names:
        there = known if name in known.group_by_id else now
        if name in there.group_by_id:
            found.append((there.group_by_id[name], there.members.get(name, ())))
    keys: set[Key] = {key for group, members in found for key in keys_of_group(group, members)}
    by_key = declared(await ctx.store.constraints.find(keys))
    under: list[tuple[Group, Sequence[Instance]]] = [(on_group(group, members, by_key), members) for group, members in found]
    if not counted:
        return under
    sized = [group.min_preserved is not None or bool(by_key) for group, _ in under]
    left = [await _left(ctx, members) if one else members for one, (_, members) in zip(sized, under, strict=True)]
    return [(on_group(group, members, by_key), members) for (group, _), members in zip(found, left, strict=True)]


async def _left(ctx: Context, members: Sequence[Instance]) -> list[Instance]:
    """Those of the members that the cloud still has."""
    return [member for member in members if await ctx.cloud.instance(member.id) is not None]
