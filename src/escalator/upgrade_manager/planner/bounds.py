"""Lower bounds: what no plan can do with less, so that a plan tells how good it is. Proofs in docs/explanation/planner.md.

Every bound holds for all plans of the nodes given, whatever their order, within the campaign's own rules. Those of
`growth` hold for plans with at most so many moves beyond one per instance.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import ceil, floor, inf

from escalator.upgrade_manager.planner.cloud import SLACK, Cloud, Limit
from escalator.upgrade_manager.planner.growth import growth
from escalator.upgrade_manager.planner.sorts import Counts, counted, takes_of
from escalator.upgrade_manager.planner.turns import Midway, Rules
from escalator.upgrade_manager.planner.windows import Windows


def moves(cloud: Cloud, nodes: Sequence[int]) -> int:
    """Moves of any plan: what has to leave moves once; without a node that can go first, one node's instances move twice."""
    leaving = {node: sum(guest.leaves for guest in cloud.guests[node]) for node in nodes}
    if len(nodes) < len(cloud.nodes) or not all(leaving.values()):
        # Somebody else may keep what the first node gives away.
        return sum(leaving.values())
    return sum(leaving.values()) + min(leaving.values(), default=0)


def makespan(cloud: Cloud, nodes: Sequence[int], rules: Rules) -> dict[str, float]:
    """Each bound on the makespan by name, seconds; the largest is the bound."""
    if not nodes:
        return {}
    there = counted(cloud)
    aways = {node: _drain_s(there[node], rules) + cloud.upgrade_s[node] for node in nodes}
    found = {
        "node": max(aways.values()),
        # Nodes are away for their departures and their upgrade, and at most `width` of them at once.
        "parallel": sum(aways.values()) / max(1, rules.width),
        "bandwidth": _bandwidth(cloud, nodes, there, rules),
        "group": _group(cloud, nodes, rules, rules.windows),
        "area": _area(cloud, nodes, there),
        "growth": growth(cloud, nodes, rules, there),
        "window": _window(aways, rules),
        "groups": _stages(cloud, aways, rules),
    }
    return {name: round(seconds, 6) for name, seconds in found.items() if seconds > 0}


def remaining(cloud: Cloud, nodes: Sequence[int], rules: Rules, midway: Midway) -> dict[str, float]:
    """Each bound on the makespan by name in the middle of a campaign: from `rules.at_s`, as if what is under way ended then.

    Windows are left out of it: how much of the open one is left is not known here.
    """
    if not midway.begun and not rules.at_s:
        return makespan(cloud, nodes, rules)
    under_way = {begun.node for begun in midway.begun}
    done = list(cloud.done)
    for node in under_way:
        done[node] = True
    limits = [replace(limit, lead_s=max(0.0, limit.lead_s - rules.at_s)) for limit in cloud.limits]
    eased = replace(cloud, done=done, used=_without_leaving(cloud, under_way), limits=limits)
    rest = [node for node in nodes if node not in under_way]
    found = makespan(eased, rest, replace(rules, windows=Windows()))
    if rest and "group" in found and not rules.windows.open:
        found["group"] = _group(eased, rest, rules, rules.windows.rest(rules.at_s))  # between windows groups recover all the same
    return {name: round(rules.at_s + seconds, 6) for name, seconds in found.items()}


def _without_leaving(cloud: Cloud, nodes: set[int]) -> list[list[float]]:
    """What is used in each cell once everything has left these nodes that leaves them: less than it can come to."""
    used = [list(row) for row in cloud.used]
    for node in nodes:
        for guest in cloud.guests[node]:
            if guest.leaves:
                for entry in guest.instance.cells:
                    for resource, amount in guest.shape.demand:
                        used[cloud.cells[node][entry]][resource] -= amount
    return used


def _drain_s(there: Counts, rules: Rules) -> float:
    """A node's departures one after the other, so many at once as the campaign lets leave."""
    whole = longest = 0.0
    for (_, lasts_s, leaves), count in there.items():
        if leaves:
            whole += lasts_s * count
            longest = max(longest, lasts_s)
    return max(whole / rules.per_node, longest)


def _bandwidth(cloud: Cloud, nodes: Sequence[int], there: Sequence[Counts], rules: Rules) -> float:
    """At most `total` moves at once, and behind the last one its node's upgrade."""
    leaving = [node for node in nodes if any(sort.leaves for sort in there[node])]
    if not leaving:
        return 0.0
    whole = sum(sort.lasts_s * count for node in leaving for sort, count in there[node].items() if sort.leaves)
    return whole / rules.total + min(cloud.upgrade_s[node] for node in leaving)


def _first_s(cloud: Cloud, nodes: Sequence[int], rules: Rules) -> float:
    """Before that no instance moves: where no node is upgraded and none else takes any, one has to be upgraded first."""
    if any(cloud.done) or rules.extra_moves:
        return 0.0
    return min((cloud.upgrade_s[node] for node in nodes if not any(guest.leaves for guest in cloud.guests[node])), default=0.0)


def _group(cloud: Cloud, nodes: Sequence[int], rules: Rules, windows: Windows) -> float:
    """The longest chain of impacts that a group's limit and recovery force; of the moves among them, behind the first upgrade."""
    impacts: defaultdict[int, list[tuple[float, float]]] = defaultdict(list)
    moves: defaultdict[int, list[tuple[float, float]]] = defaultdict(list)
    for node in nodes:
        together: set[int] = set()  # members that stay on one node are impacted as one
        upgrade_s = cloud.upgrade_s[node]
        for guest in cloud.guests[node]:
            if guest.kind == "offline":
                continue
            for group in guest.groups:
                if guest.leaves:
                    impacts[group].append((guest.lasts_s, upgrade_s))
                    moves[group].append((guest.lasts_s, upgrade_s))
                elif group not in together:
                    together.add(group)
                    impacts[group].append((upgrade_s, 0.0))
    first_s = _first_s(cloud, nodes, rules)
    longest = max((_chain(cloud.limits[group], found, windows, 0.0) for group, found in impacts.items()), default=0.0)
    if not first_s:
        return longest
    return max([longest, *(_chain(cloud.limits[group], found, windows, first_s) for group, found in moves.items())])


def _chain(limit: Limit, impacts: Sequence[tuple[float, float]], windows: Windows, first_s: float) -> float:
    """With a limit of one all of them follow one another; else every k-th in order of start follows the one k before."""
    most, begins_s = max(1, limit.most), max(limit.lead_s, first_s)
    after = min([upgrade for _, upgrade in impacts])
    shortest = min([lasts for lasts, _ in impacts])
    rounds = len(impacts) if most == 1 else ceil(len(impacts) / most)
    impacted_s = sum([lasts for lasts, _ in impacts]) if most == 1 else rounds * shortest
    in_a_row_s = begins_s + impacted_s + (rounds - 1) * limit.recovery_s
    if windows.open or not limit.recovery_s:
        return in_a_row_s + after
    return (
        max(_with_nights(windows, in_a_row_s, limit.recovery_s), _apart(windows, limit, rounds, begins_s + shortest, shortest))
        + after
    )


def _with_nights(windows: Windows, in_a_row_s: float, recovery_s: float) -> float:
    """The same where between two windows, whatever lies between them, one recovery may pass that is not waited for."""
    last = len(windows.starts) - 1
    return next(
        (
            max(start, in_a_row_s - number * recovery_s)
            for number, start in enumerate(windows.starts)
            if number == last or in_a_row_s - number * recovery_s <= windows.starts[number + 1]
        ),
        0.0,
    )


def _apart(windows: Windows, limit: Limit, rounds: int, first_ends_s: float, shortest_s: float) -> float:
    """So many of the shortest impacts, each as soon after the one ahead as the group has recovered by the clock."""
    at = first_ends_s
    for _ in range(rounds - 1):
        at = windows.recovers(at, limit.recovery_s) + shortest_s
    return at


def _area(cloud: Cloud, nodes: Sequence[int], there: Sequence[Counts]) -> float:
    """A node being upgraded takes its free room away, a moving instance counts twice; both have to fit in what is free."""
    best = 0.0
    todo = set(nodes)
    for resource in range(len(cloud.resources)):
        free = needed = 0.0
        takes = takes_of(cloud, resource)
        for node, cells in enumerate(cloud.cells):
            room = sum([cloud.capacity[cell][resource] for cell in cells])
            free += max(0.0, room - sum([cloud.used[cell][resource] for cell in cells]))
            if node not in todo:
                continue
            staying = 0.0
            for (shape, lasts_s, leaves), count in there[node].items():
                if leaves:
                    needed += takes[shape] * lasts_s * count
                else:
                    staying += takes[shape] * count
            needed += max(0.0, room - staying) * cloud.upgrade_s[node]
        if free > SLACK:
            best = max(best, needed / free)
    return best if any(sort.leaves for node in nodes for sort in there[node]) else 0.0


def _stages(cloud: Cloud, aways: Mapping[int, float], rules: Rules) -> float:
    """Groups of nodes that go one after the other: the longest chain of their longest turns, with what they soak between.

    In windows soaking may fall between two of them, so it is left out of the bound.
    """
    turns: dict[str, float] = {}
    group_of = {node: group.name for group in rules.staging.groups for node in group.nodes}
    for node, away_s in aways.items():
        name = group_of.get(cloud.nodes[node].id)
        if name is not None:
            turns[name] = max(turns.get(name, 0.0), away_s)
    ends: dict[str, float] = {}
    soaks = {group.name: group.soak_s * rules.windows.open for group in rules.staging.groups}
    for group in sorted(rules.staging.groups, key=lambda one: len(one.after)):
        if group.name in turns:
            begins = max((ends[first] + soaks[first] for first in group.after if first in ends), default=0.0)
            ends[group.name] = begins + turns[group.name]
    return max(ends.values(), default=0.0)


def _window(aways: Mapping[int, float], rules: Rules) -> float:
    """Turns do not cross the end of a window: so many windows as the nodes need at least, all but the last one in full."""
    windows = rules.windows
    if windows.open or windows.longest_s == inf:
        return 0.0
    shortest = min(aways.values())
    spare = windows.longest_s - rules.needs_s(0.0, shortest)
    if spare < -SLACK or shortest <= 0:
        return 0.0
    a_night = max(1, rules.width) * (1 + floor((spare + SLACK) / shortest))
    nights = ceil(len(aways) / a_night)
    lengths = sorted(b - a for a, b in zip(windows.starts, windows.starts[1:], strict=False))
    return sum(lengths[: nights - 1]) + shortest
