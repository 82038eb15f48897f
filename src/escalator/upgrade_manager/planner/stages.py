"""Groups of nodes and waves that go one after the other: who is in which, and when the next may begin.

A group begins when all those before it are through and have soaked. With a pause between waves a wave begins when the
last is wholly through and the pause is over; without one, waves overlap.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from math import inf

from escalator.model.campaign import Campaign, Spread
from escalator.model.codes import Code
from escalator.model.inventory import Inventory, Node
from escalator.model.node_groups import NodeGroup, Sample, earlier
from escalator.model.plan import Condition, Plan, PlanGroup
from escalator.upgrade_manager.planner.cloud import SLACK, Cloud
from escalator.upgrade_manager.planner.scope import held_reason, unavailable_reason
from escalator.upgrade_manager.planner.turns import Midway, NotYet, Staging
from escalator.upgrade_manager.planner.windows import Windows

OTHERS = "(others)"
"""The group of nodes that no group takes; no name that a document can give."""


def groups_of(campaign: Campaign, inventory: Inventory, parent: Plan | None) -> tuple[PlanGroup, ...]:
    """The campaign's groups with their nodes. What a parent plan has put into a group stays there: a sample is drawn once."""
    wanted = campaign.spec.scope.groups
    if not wanted:
        return ()
    free = {node.id: node for node in inventory.nodes if campaign.spec.scope.includes(node)}
    known = {group.name: group.nodes for group in parent.groups} if parent is not None else {}
    taken: dict[str, list[str]] = {group.name: [node for node in known.get(group.name, ()) if node in free] for group in wanted}
    for name in [name for nodes in taken.values() for name in nodes]:
        free.pop(name, None)
    for group in wanted:
        if group.name in known and group.sample is not None:
            continue
        for node in _taken_by(campaign, group, list(free.values())):
            taken[group.name].append(node.id)
            del free[node.id]
    before = earlier(wanted)
    found = [
        PlanGroup(name=g.name, after=tuple(sorted(before[g.name])), soak_s=g.soak_s, nodes=tuple(sorted(taken[g.name])))
        for g in wanted
    ]
    if free:
        found.append(PlanGroup(name=OTHERS, after=tuple(sorted(before)), nodes=tuple(sorted(free))))
    return tuple(found)


def _taken_by(campaign: Campaign, group: NodeGroup, free: Sequence[Node]) -> Sequence[Node]:
    there = [node for node in free if group.select is None or group.select.matches(node)]
    if group.sample is None:
        return there
    # A node that cannot be upgraded now proves nothing.
    fit = [n for n in there if n.progress == "old" and unavailable_reason(n) is None and held_reason(n) is None]
    return _drawn(group.sample, fit, group.sample.size(len(there)), f"{campaign.metadata.name}/{group.name}")


def _drawn(sample: Sample, nodes: Sequence[Node], size: int, seed: str) -> Sequence[Node]:
    """A choice that is the same whenever it is made, in whatever order the cloud tells its nodes."""
    lots = sorted(nodes, key=lambda node: sha256(f"{seed}/{node.id}".encode()).digest())
    if sample.spread is None:
        return lots[:size]
    rule = Spread(by=sample.spread, max=1)
    chosen: list[Node] = []
    there: Counter[str] = Counter()
    while lots and len(chosen) < size:
        best = min(range(len(lots)), key=lambda n: (max((there[v] for v in rule.values(lots[n])), default=0), n))
        node = lots.pop(best)
        chosen.append(node)
        there.update(rule.values(node))
    return chosen


def groups_condition(groups: Sequence[PlanGroup]) -> tuple[Condition, ...]:
    """Every group that others come after has a node: else it would prove nothing. Nothing is said without groups."""
    if not groups:
        return ()
    waited_for = {name for group in groups for name in group.after}
    empty = [group.name for group in groups if not group.nodes and group.name in waited_for]
    code = Code.PLN_NODE_GROUPS.value
    if empty:
        message = f"{', '.join(empty)}: no node in service for what others come after"
        remedy = "change its select or sample, let held nodes go, or bring nodes back"
        return (Condition(code=code, ok=False, message=message, remedy=remedy),)
    said = ", ".join(f"{group.name} {len(group.nodes)}" for group in groups)
    return (Condition(code=code, ok=True, message=f"nodes go group by group: {said}"),)


class Stages:
    """Which groups and waves are through, during one run of a search."""

    def __init__(self, cloud: Cloud, staging: Staging, windows: Windows, midway: Midway) -> None:
        self._groups, self._soak_s, self._windows = staging.groups, staging.wave_soak_s, windows
        group_of = {node: number for number, group in enumerate(self._groups) for node in group.nodes}
        self._of = [group_of.get(node.id) for node in cloud.nodes]
        numbers = {group.name: number for number, group in enumerate(self._groups)}
        self._before = [tuple(numbers[name] for name in group.after) for group in self._groups]
        begun = {one.node for one in midway.begun}
        self._left: Counter[int | None] = Counter(self._of[n] for n in range(len(cloud.nodes)) if cloud.ready[n] or n in begun)
        self._ended_s = [max((midway.over.get(node, -inf) for node in group.nodes), default=-inf) for group in self._groups]
        self._lost: set[int | None] = set()
        self._masters = {master: set(others) for master, others in staging.masters.items()}
        self._wave: dict[int, int] = {one.node: one.wave for one in midway.begun}
        self._wave_s = max(midway.over.values(), default=-inf)

    def held_back(self, node: int, level: int, now: float) -> NotYet | None:
        """What of groups and waves keeps the node from its turn, `level` being the last wave of which a node is through."""
        number = self._of[node]
        if number in self._lost:
            return NotYet(inf, "no room was made for its group, which others come after")
        for first in self._before[number] if number is not None else ():
            name = self._groups[first].name
            if self._left[first] > 0:
                return NotYet(now, f"group {name} comes first")
            opens = self._windows.after(self._ended_s[first], self._groups[first].soak_s)
            if opens > now + SLACK:
                soaks = self._groups[first].soak_s > 0
                return NotYet(opens, f"group {name} soaks until then" if soaks else f"group {name} comes first")
        if self._masters.get(node):
            return NotYet(now, "it is the current master; the other members of its cluster come first")
        return None if self._soak_s is None else self._paused(level, now)

    def _paused(self, level: int, now: float) -> NotYet | None:
        """What of the pause between waves keeps a node from its turn."""
        if any(wave <= level for wave in self._wave.values()):
            return NotYet(now, "the wave before comes first")
        opens = self._windows.after(self._wave_s, self._soak_s or 0.0)
        return NotYet(opens, "the pause between waves") if opens > now + SLACK else None

    def began(self, node: int, wave: int) -> None:
        """The node's turn has begun."""
        self._wave[node] = wave

    def ended(self, node: int, at: float) -> None:
        """The node's turn has ended."""
        self._wave.pop(node, None)
        for others in self._masters.values():
            others.discard(node)
        self._wave_s = max(self._wave_s, at)
        number = self._of[node]
        self._left[number] -= 1
        if number is not None:
            self._ended_s[number] = max(self._ended_s[number], at)

    def give_up(self) -> Sequence[int]:
        """Let those go on that wait for a group which cannot end; its nodes get no turn. Empty when nobody waits for any.

        Such a plan is not smooth; what follows the group is the part of it that is feasible.
        """
        waited_for = {first for number in range(len(self._groups)) if self._left[number] > 0 for first in self._before[number]}
        stuck = [first for first in sorted(waited_for) if self._left[first] > 0]
        if not stuck:
            return ()
        free = next((n for n in stuck if not any(self._left[first] > 0 for first in self._before[n])), stuck[0])
        self._left[free] = 0
        self._lost.add(free)
        return [node for node, number in enumerate(self._of) if number == free]
