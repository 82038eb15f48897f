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
    targets = _place((instance,), room, upgraded, waiting)
    if targets is None:
        return None
    room.leave(instance, targets[0].node.id, targets[0].cells)
    return targets[0]


def place_together(
    bundle: Sequence[Instance], room: Room, upgraded: Sequence[Node], waiting: Sequence[Node]
) -> tuple[Target, ...] | None:
    """Choose one node that takes all instances of the bundle, by the same order, and occupy it; None when none does."""
    return _place(bundle, room, upgraded, waiting)


def _place(
    bundle: Sequence[Instance], room: Room, upgraded: Sequence[Node], waiting: Sequence[Node]
) -> tuple[Target, ...] | None:
    for node in sorted(upgraded, key=lambda n: (-room.fill(n), n.id)):
        # What this campaign upgrades before is not older then, whatever the inventory tells of it now.
        cells = _all_fit(bundle, node, room, renewed=node.progress != "done")
        if cells is not None:
            return tuple(Target(node, used, extra=False) for used in cells)
    for node in reversed(waiting):
        cells = _all_fit(bundle, node, room, renewed=False)
        if cells is not None:
            return tuple(Target(node, used, extra=True) for used in cells)
    return None


def _all_fit(bundle: Sequence[Instance], node: Node, room: Room, *, renewed: bool) -> list[tuple[int, ...]] | None:
    taken: list[tuple[int, ...]] = []
    for instance in bundle:
        cells = room.fit(instance, node, renewed=renewed)
        if cells is None:
            for other, used in zip(bundle, taken, strict=False):
                room.leave(other, node.id, used)
            return None
        room.take(instance, node.id, cells)
        taken.append(cells)
    return taken
