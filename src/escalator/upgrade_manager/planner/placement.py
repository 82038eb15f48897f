"""Where an instance goes: upgraded nodes first, then nodes whose turn comes last; never one that is about to go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from escalator.model.inventory import Instance, Node
from escalator.upgrade_manager.planner.room import Room


@dataclass(frozen=True, slots=True)
class Target:
    """A node chosen for an instance, with the NUMA entries used; `extra` when it still has to be upgraded itself."""

    node: Node
    cells: tuple[int, ...]
    extra: bool


def choose_target(instance: Instance, room: Room, upgraded: Sequence[Node], waiting: Sequence[Node]) -> Target | None:
    """Choose the fullest upgraded node that takes the instance; else the last waiting one; None when none does.

    The fullest first keeps whole nodes empty for what does not fit beside others (best fit).
    """
    for node in sorted(upgraded, key=lambda n: (-room.fill(n), n.id)):
        # What this campaign upgrades before is not older then, whatever the inventory tells of it now.
        cells = room.fit(instance, node, renewed=node.progress != "done")
        if cells is not None:
            return Target(node, cells, extra=False)
    for node in reversed(waiting):
        cells = room.fit(instance, node)
        if cells is not None:
            return Target(node, cells, extra=True)
    return None
