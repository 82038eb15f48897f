"""The order of large clouds: the emptiest first, but before them those whose groups would not get through in the time left.

A group of which one member may be impacted at a time, and that then recovers for ten minutes, lets few nodes go while the
last generation of them is emptied. Its members have to be spread over the plan, and how long that takes is foreseen here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf

from escalator.upgrade_manager.planner.cloud import Cloud, Guest, Limit, Shape
from escalator.upgrade_manager.planner.doors import Door
from escalator.upgrade_manager.planner.turns import Rules

TOGETHER = 0.5
"""How many of the places of a group beside its first are taken at once: others are rarely free at the same moment."""
SOON_S, LATER_S = 60.0, 300.0
"""How long an order holds; the latter in clouds in which making one takes long."""
MANY = 1500


def last_s(cloud: Cloud, guests: Sequence[Sequence[Guest]], order: Sequence[int], rules: Rules) -> float:
    """About when the last node of the order begins, if nothing counts but room, moves in all and nodes out at once."""
    key = cloud.key
    free = sum(
        cloud.capacity[cell][key] - cloud.used[cell][key] for n, done in enumerate(cloud.done) if done for cell in cloud.cells[n]
    )
    ends: list[tuple[float, float]] = []
    now = taken = moving = away = 0.0
    back = 0
    for node in order:
        leaving, staying, drain_s = _amounts(guests[node], cloud.takes)
        taken += leaving
        while leaving and taken > free and back < len(ends):
            now = max(now, ends[back][0])
            free += ends[back][1]
            back += 1
        now = max(now, moving / rules.total, away / max(1, rules.width))
        room = sum(cloud.capacity[cell][key] for cell in cloud.cells[node]) - staying
        lasts_s = drain_s / rules.per_node + cloud.upgrade_s[node]
        ends.append((now + lasts_s, max(0.0, room)))
        moving += drain_s
        away += lasts_s
    return now


def _amounts(guests: Sequence[Guest], takes: Mapping[Shape, float]) -> tuple[float, float, float]:
    """Of the scarcest resource, what leaves a node and what stays; and the seconds of its moves."""
    leaving = staying = drain_s = 0.0
    for guest in guests:
        if guest.leaves:
            leaving += takes[guest.shape]
            drain_s += guest.lasts_s
        else:
            staying += takes[guest.shape]
    return leaving, staying, drain_s


def _pace(limit: Limit) -> tuple[float, float]:
    """How long the group recovers, and about how many of its members are impacted together."""
    return limit.recovery_s, 1 + TOGETHER * (max(1, limit.most) - 1)


class Timed:
    """Nodes in the order of their sizes, those first whose groups press; made anew now and then."""

    def __init__(
        self, cloud: Cloud, rules: Rules, guests: Sequence[Sequence[Guest]], waiting: Sequence[int], managing: Sequence[bool]
    ) -> None:
        self._managing = managing
        self._end_s = rules.at_s + last_s(cloud, guests, waiting, rules)
        self._holds_s = LATER_S if len(cloud.nodes) > MANY else SOON_S
        self._pitch_s = [0.0] * len(cloud.limits)
        """Seconds from one impact of a group to the next."""
        self._left = [0] * len(cloud.limits)
        """Members of each group that wait with their nodes."""
        self._groups: dict[int, list[int]] = {node: [] for node in waiting}
        paces = [_pace(limit) for limit in cloud.limits]
        for node in waiting:
            for guest in guests[node]:
                for group in guest.groups if guest.leaves else ():
                    recovery_s, at_once = paces[group]
                    if recovery_s > 0:
                        self._add(node, group, (recovery_s + guest.lasts_s) / at_once)
        self._nodes: dict[int, list[int]] = {}
        """The nodes of each group that recovers, those that have begun among them: they are told by who waits."""
        for node, groups in self._groups.items():
            for group in groups:
                self._nodes.setdefault(group, []).append(node)
        self._most_s = sorted([(cloud.limits[g].members * self._pitch_s[g], g) for g in self._nodes], reverse=True)
        """What each of them needs if all its members wait."""
        self._looked_s = -inf
        self._order: list[int] = []
        self._by_size: list[int] | None = None

    def _add(self, node: int, group: int, pitch_s: float) -> None:
        self._pitch_s[group] = max(self._pitch_s[group], pitch_s)
        self._left[group] += 1
        self._groups[node].append(group)

    def begun(self, node: int) -> None:
        """The node's turn has begun: its groups wait for one member less."""
        for group in self._groups.get(node, ()):
            self._left[group] -= 1

    def order(self, waiting: Mapping[int, object], size: Callable[[int], float], now: float, doors: Sequence[Door]) -> list[int]:
        """The nodes that wait, first to last; some that do not any more may be among them."""
        if now < self._looked_s + self._holds_s:
            return self._order
        self._looked_s = now
        if self._by_size is None:
            self._by_size = sorted(waiting, key=lambda n: (self._managing[n], size(n), n))
        else:
            self._by_size = [n for n in self._by_size if n in waiting]
        presses = self._presses(self._end_s - now, doors)
        pressed = sorted([(-over_s, size(n), n) for n, over_s in presses.items() if n in waiting])
        order = [row[2] for row in pressed]
        order += [n for n in self._by_size if n not in presses] if presses else self._by_size
        order.sort(key=self._managing.__getitem__)  # what is managing comes last, and else all stays as it is
        self._order = order
        return order

    def changed(self) -> None:
        """A node's size is another one."""
        self._by_size = None

    def _presses(self, left_s: float, doors: Sequence[Door]) -> dict[int, float]:
        """For nodes whose groups would not get through in the time left: by how many seconds, of the latest of them."""
        found: dict[int, float] = {}
        over: list[tuple[float, int]] = []
        for most_s, group in self._most_s:
            if most_s <= left_s:
                break  # none of those that follow can press yet
            if self._left[group]:
                over.append(((self._left[group] + doors[group].owed) * self._pitch_s[group], group))
        # The least pressing first: of a node's groups the latest one stays.
        for needs_s, group in sorted([row for row in over if row[0] > left_s]):
            found.update(dict.fromkeys(self._nodes[group], needs_s - left_s))
        return found
