"""When the limits were declared that leave nodes without a turn: those that came during the campaign are no part of its plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from escalator.model.inventory import Inventory
from escalator.model.progress import NodeTask
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.planner.constraints import key_of_group

MOST = 5000
"""Declarations since the campaign's start that are looked through: a VNF manager may declare one for each instance."""
SHOWN = 3
SET = "constraint.set"


async def declared_since(ctx: Context, name: str, tasks: Sequence[NodeTask]) -> str:
    """Which of the groups that keep these nodes from a turn had their limits declared since the campaign began, and when."""
    row = await ctx.store.campaigns.get(name)
    if row is None or row.plan is None or row.started_at is None:
        return ""
    _, inventory = await ctx.book.plan(row.plan)
    groups = sorted(set(_named(inventory, tasks)))
    if not groups:
        return ""
    events = await ctx.store.events.read(action=SET, since=row.started_at, limit=MOST)
    at = {event.object_id: event.at for event in events}
    found = [(group, _of(key)) for group in groups for key in _keys(inventory, group) if _of(key) in at]
    said = [
        f"the limit of group {group} was declared {_utc(at[word])}, after the start: escalator constraint show {word}"
        for group, word in found
    ]
    return "".join(f"; {one}" for one in said[:SHOWN])


def _named(inventory: Inventory, tasks: Iterable[NodeTask]) -> Iterator[str]:
    """Groups of what is on these nodes that their reasons name."""
    for task in tasks:
        said = f"{task.message} "
        for instance in inventory.instances_by_node.get(task.node, ()):
            yield from (group for group in instance.groups if any(f"group {group}{end}" in said for end in " ):;,"))


def _keys(inventory: Inventory, group: str) -> Iterator[tuple[str, str]]:
    """What declares a limit for the group, the most particular first."""
    yield key_of_group(group)
    projects = {instance.project for instance in inventory.members.get(group, ())}
    yield from (("project", project) for project in sorted(projects) if len(projects) == 1)


def _of(key: tuple[str, str]) -> str:
    return f"{key[0]} {key[1]}"


def _utc(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%SZ}"
