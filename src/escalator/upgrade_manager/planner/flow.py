"""What is under way, event by event: moves as the bounds on migration and the groups let them begin, then the upgrade.

Times are found by letting time pass, as the engine does: whatever may begin begins, older turns first. At equal times
ends come first.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from math import inf

from escalator.upgrade_manager.planner.cloud import SLACK, Cloud, Guest
from escalator.upgrade_manager.planner.doors import Door, latest
from escalator.upgrade_manager.planner.lines import Lines
from escalator.upgrade_manager.planner.standing import Arrivals
from escalator.upgrade_manager.planner.turns import Begun, Midway, Placed, Policy, Rules, Timed, Turn

MOVE_ENDS, UPGRADE_ENDS, WAKE = range(3)
made = tuple.__new__
"""Makes a named tuple without the call of its own: there are two for each of a hundred thousand instances."""


@dataclass(slots=True)
class Drain:
    """A node whose turn has begun."""

    node: int
    pending: list[Placed]
    stays: tuple[Guest, ...]
    counts: dict[int, int]
    """Members of each group that stay on the node and are impacted by its upgrade."""
    wave: int
    active: int = 0
    upgrading: bool = False
    waits: bool = False
    """For places of the rest of its instances: a turn that was under way at the start."""
    since_s: float = inf
    """When the node's turn began, if that is not told by its first move."""
    moves: list[Timed] = field(default_factory=list)
    asked: set[int] = field(default_factory=set)
    """Targets in whose queues it is."""


class Flow:
    """Turns that have begun and not ended, and the events to come."""

    def __init__(self, cloud: Cloud, rules: Rules, midway: Midway, arriving: Arrivals, policy: Policy) -> None:
        self._cloud, self._rules, self._pressed_first = cloud, rules, policy.order == "timed"
        windows = None if rules.windows.open else rules.windows
        self.doors = [Door(limit, midway.ended.get(group, -inf), windows) for group, limit in enumerate(cloud.limits)]
        self.turns: list[Turn] = []
        self.away = len(midway.begun)
        """Nodes that are out of service."""
        self._arriving = arriving
        self._drains: dict[int, Drain] = {}
        self._events: list[tuple[float, int, int, int, Placed | None]] = []
        self._numbers = count()
        self._moves = 0
        self._incoming = [0] * len(cloud.nodes)
        self._queued: defaultdict[int, dict[int, None]] = defaultdict(dict)
        """Nodes that wait for a target to take one more."""
        self._lines = Lines(cloud, self._is_shut) if policy.foresees else None
        self._for_total: dict[int, None] = {}
        self._wakes: dict[int, float] = {}
        self._ask_groups = False
        """Whether a node ever asked to hear of it when an impact of a group has ended."""
        self._keeps = any(door.keeps for door in self.doors)
        """Whether a group may ever have kept a place, or has none at all."""
        self._now = rules.at_s
        """When anything ended last, or woke."""

    def take_up(self, begun: Begun, guests: Sequence[Guest], now: float) -> None:
        """A turn that began before: what of it is under way counts from here on. It waits for `go_on` if instances still leave.

        All of them are taken up before anything begins: each counts for the bounds of all others.
        """
        stays = tuple(guest for guest in guests if not guest.leaves)
        counts = Counter(group for guest in stays if guest.kind != "offline" for group in guest.groups)
        drain = Drain(begun.node, [], stays, dict(counts), begun.wave, since_s=begun.away_s)
        self._drains[begun.node] = drain
        if begun.start_s is not None:
            end = max(now, begun.start_s + self._cloud.upgrade_s[begun.node])
            self._upgrade_runs(drain, begun.away_s, begun.start_s, end)
            return
        drain.waits = True
        for move in begun.running:
            self._arriving.expect(move.placed.target, 1)
            self._move_runs(drain, move)
        for group, number in counts.items() if len(stays) < len(guests) else ():
            self._keep(group, begun.node, number)

    def go_on(self, node: int, placed: Sequence[Placed], now: float) -> None:
        """The rest of what leaves a node that was taken up has its places."""
        drain = self._drains[node]
        drain.waits = False
        self._leave(drain, placed, now)

    def begin(self, node: int, placed: Sequence[Placed], stays: tuple[Guest, ...], wave: int, now: float) -> None:
        """The node's turn begins."""
        counts = Counter(group for guest in stays if guest.kind != "offline" for group in guest.groups)
        drain = self._drains[node] = Drain(node, [], stays, dict(counts), wave)
        self.away += 1
        if placed:
            for group, number in counts.items():
                self._keep(group, node, number)
        self._leave(drain, placed, now)

    def _leave(self, drain: Drain, placed: Sequence[Placed], now: float) -> None:
        doors, pressed = self.doors, self._pressed_first
        self._arriving.expect_all([one[1] for one in placed])
        if self._lines is not None:
            self._lines.join(drain.node, placed)
        for one in placed:
            for group in one[0].groups:
                doors[group].owed += 1
        order = []
        for one in placed:
            guest = one[0]
            presses_s = self._presses_s(guest.groups) if pressed and guest.groups else 0.0
            order.append((-presses_s, -guest.lasts_s, guest.id, one))
        order.sort()  # no two instances have the same id
        drain.pending = [row[3] for row in order]
        self._go(drain, now)

    def next_s(self) -> float:
        """When something happens next."""
        return self._events[0][0] if self._events else inf

    def advance(self, now: float) -> tuple[list[int], bool]:
        """Let everything happen until then: the nodes that come back, and whether a node got what it takes until its turn."""
        back: list[int] = []
        arrived = False
        events, drains = self._events, self._drains
        while events and events[0][0] <= now + SLACK:
            at = self._now = events[0][0]
            asking: dict[int, None] = {}
            """Nodes that may go on, and by their complements targets that can take one more."""
            while events and events[0][0] <= at + SLACK:
                _, kind, _, node, placed = heapq.heappop(events)
                if kind == MOVE_ENDS and placed is not None:
                    self._move_ends(node, placed, at, asking)
                    arrived |= placed.extra
                elif kind == UPGRADE_ENDS:
                    self._upgrade_ends(node, at)
                    back.append(node)
                else:
                    self._wakes.pop(node, None)
                    asking[node] = None
            for asks in asking:
                if asks < 0:
                    self._take_in(~asks, at)
                elif asks in drains:
                    self._go(drains[asks], at)
            self._refill(at)
        return back, arrived

    def stays_from(self, node: int, guests: Sequence[Guest], now: float) -> tuple[float, int | None]:
        """When the groups of what stays on the node let it be upgraded, as far as it is known now, and the last that does."""
        counts = Counter(group for guest in guests if not guest.leaves and guest.kind != "offline" for group in guest.groups)
        return max(((self.doors[group].opens(now, node, number), group) for group, number in counts.items()), default=(now, None))

    def may_wait_for_ever(self, node: int, guests: Sequence[Guest], now: float) -> int | None:
        """A group in which an instance that leaves needs a place that is kept for a node whose turn has begun.

        Such a node begins later: turns then wait for those that began after them only, and no two for one another.
        """
        if not self._keeps:
            return None
        doors = self.doors
        for guest in guests:
            for group in guest.groups:
                if doors[group].keeps and doors[group].opens(now, node) == inf:
                    return group
        return None

    def give_way(self, now: float) -> bool:
        """Where nothing goes on, let one node that is being emptied keep no places in groups any more; whether one did.

        Of turns that were under way at the start two may wait for one another: no plan let them begin as groups are now.
        """
        for node, drain in self._drains.items():
            kept = [group for group in drain.counts if node in self.doors[group].kept]
            for group in kept:
                self.doors[group].keep(node, 0)
            if kept:
                for other in self._drains:
                    self._wake(other, max(now, self._now))
                return True
        return False

    def leaves_by(self, node: int, recovering: Sequence[tuple[int, float]], now: float) -> tuple[float, int | None]:
        """About when the last of these would have left the node if only groups that recover counted, and the last group.

        They are given by their groups, each with the duration of its member's move.
        """
        last, which = now, None
        for group, lasts_s in recovering:
            by = self.doors[group].reaches(now, node, lasts_s) + lasts_s
            if by > last:
                last, which = by, group
        return last, which

    # -- inside

    def _keep(self, group: int, node: int, number: int) -> None:
        self.doors[group].keep(node, number)
        self._keeps = True

    def _presses_s(self, groups: Sequence[int]) -> float:
        """How long these groups recover between all that is owed of them."""
        presses_s = 0.0
        for group in groups:
            door = self.doors[group]
            if door.recovery_s:
                presses_s = max(presses_s, door.owed * door.recovery_s / max(1, door.most))
        return presses_s

    def _go(self, drain: Drain, now: float) -> None:
        """Begin what may begin now of a node's turn."""
        if drain.pending:
            self._moves_begin(drain, now)
        if not (drain.pending or drain.active or drain.upgrading or drain.waits):
            self._upgrade_begins(drain, now)

    def _moves_begin(self, drain: Drain, now: float) -> None:
        node, per_node, pending = drain.node, self._rules.per_node, drain.pending
        incoming, asked, lines = self._incoming, drain.asked, self._lines
        began = True
        while began and pending and drain.active < per_node:  # else it asks again when one of its moves has ended
            if self._moves >= self._rules.total:
                self._for_total[node] = None
                return
            began = False
            for number, one in enumerate(pending):
                target = one[1]
                if incoming[target] >= per_node or (lines is not None and not lines.is_next(one, now)):
                    if target not in asked:
                        asked.add(target)
                        self._queued[target][node] = None
                elif self._move_begins(drain, one, now):
                    del pending[number]
                    began = True
                    break

    def _move_begins(self, drain: Drain, one: Placed, now: float) -> bool:
        guest = one[0]
        groups, doors = guest.groups, self.doors
        if groups:
            opens = doors[groups[0]].opens(now, drain.node)
            for group in groups[1:]:
                opens = max(opens, doors[group].opens(now, drain.node))
            if opens > now + SLACK:
                self._ask_again(drain.node, groups, opens)
                if opens == inf and self._lines is not None and self._lines.steps_aside(one):
                    self._ask_those_behind(one[1], now)
                return False
        elif now < self._rules.lead_s - SLACK:
            self._ask_again(drain.node, (), self._rules.lead_s)
            return False
        for group in groups:
            doors[group].owed -= 1
        self._move_runs(drain, made(Timed, (one, now, now + guest.lasts_s)))
        if self._lines is not None:
            self._lines.leave(one)
            if self._incoming[one[1]] < self._rules.per_node:
                self._ask_those_behind(one[1], now)
        return True

    def _is_shut(self, groups: Sequence[int], node: int, now: float) -> bool:
        """Whether one of the groups keeps its places for other nodes, which may wait for anyone."""
        return any(self.doors[group].keeps and self.doors[group].opens(now, node) == inf for group in groups)

    def _ask_those_behind(self, target: int, now: float) -> None:
        for node in self._queued.get(target, ()):
            self._wake(node, now)

    def _move_runs(self, drain: Drain, move: Timed) -> None:
        one, start_s, end_s = move
        for group in one[0].groups:
            if end_s > start_s:
                heapq.heappush(self.doors[group].ends, end_s)
            else:
                self.doors[group].enter(start_s, end_s)
        drain.active += 1
        drain.moves.append(move)
        self._moves += 1
        self._incoming[one[1]] += 1
        heapq.heappush(self._events, (end_s, MOVE_ENDS, next(self._numbers), drain.node, one))

    def _upgrade_begins(self, drain: Drain, now: float) -> None:
        node = drain.node
        impacted = any(guest.kind != "offline" for guest in drain.stays)
        opens = max(latest(self.doors, drain.counts, now, node), self._rules.lead_s if impacted else now)
        if opens > now + SLACK:
            self._ask_again(node, tuple(drain.counts), opens)
            return
        away = drain.moves[0].start_s if drain.moves else now  # they are in the order in which they began
        self._upgrade_runs(drain, min(away, drain.since_s), now, now + self._cloud.upgrade_s[node])

    def _upgrade_runs(self, drain: Drain, away: float, start: float, end: float) -> None:
        drain.upgrading = True
        for group, number in drain.counts.items():
            self.doors[group].keep(drain.node, 0)
            self.doors[group].enter(start, end, number)
        self.turns.append(Turn(drain.node, tuple(drain.moves), drain.stays, away, start, end, drain.wave))
        self._event(end, UPGRADE_ENDS, drain.node, None)

    def _move_ends(self, node: int, one: Placed, at: float, asking: dict[int, None]) -> None:
        guest, target, _, _ = one
        self._drains[node].active -= 1
        self._moves -= 1
        self._incoming[target] -= 1
        self._arriving.expect(target, -1)
        asking[node] = None
        if self._queued.get(target):
            asking[~target] = None
        if self._ask_groups:
            self._group_freed(guest.groups, at)

    def _take_in(self, target: int, now: float) -> None:
        """Let those that wait for the target go on until it takes as many as it can; whoever did wait longest is first."""
        waiting, per_node = self._queued.pop(target), self._rules.per_node
        for node in list(waiting):
            if self._incoming[target] >= per_node:
                break
            del waiting[node]
            drain = self._drains.get(node)
            if drain is not None:
                drain.asked.discard(target)
                if drain.active < per_node:
                    self._go(drain, now)
        waiting.update(self._queued.get(target, ()))
        if waiting:
            self._queued[target] = waiting

    def _upgrade_ends(self, node: int, at: float) -> None:
        drain = self._drains.pop(node)
        self.away -= 1
        self._group_freed(tuple(drain.counts), at)

    def _group_freed(self, groups: Sequence[int], at: float) -> None:
        for group in groups:
            door = self.doors[group]
            if door.waiting:
                for node in door.waiting:
                    self._wake(node, door.recovers(at))
                door.waiting.clear()

    def _ask_again(self, node: int, groups: Sequence[int], opens: float) -> None:
        if opens < inf:
            self._wake(node, opens)
        else:
            self._ask_groups = True
            for group in groups:
                self.doors[group].waiting[node] = None

    def _wake(self, node: int, at: float) -> None:
        if self._wakes.get(node, inf) > at + SLACK:
            self._wakes[node] = at
            self._event(at, WAKE, node, None)

    def _refill(self, now: float) -> None:
        """Moves that wait for their turn among all; each node that asks takes what it can."""
        while self._for_total and self._moves < self._rules.total:
            node = next(iter(self._for_total))
            del self._for_total[node]
            if node in self._drains:
                self._go(self._drains[node], now)

    def _event(self, at: float, kind: int, node: int, placed: Placed | None) -> None:
        heapq.heappush(self._events, (at, kind, next(self._numbers), node, placed))
