"""The search: asynchronous waves. Whenever a node comes back, the next ones go whose instances all find room by then.

Nodes whose instances all stay, and empty ones, need no room and begin the growth; where there are none, the nodes that
are cheapest to empty are emptied onto others that have their turn later (moves beyond one per instance, within the
campaign's bound). What is placed goes onto upgraded nodes only, which therefore only fill up: capacity is looked at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from math import ceil, inf

from escalator.model.counting import counted
from escalator.upgrade_manager.planner.awaiting import Awaiting
from escalator.upgrade_manager.planner.chains import Chains
from escalator.upgrade_manager.planner.cloud import SLACK, Cloud, Guest
from escalator.upgrade_manager.planner.flow import Flow
from escalator.upgrade_manager.planner.leaving import Departures, Leaving
from escalator.upgrade_manager.planner.placing import Placing
from escalator.upgrade_manager.planner.queue import Queue
from escalator.upgrade_manager.planner.space import Space
from escalator.upgrade_manager.planner.spread import Spread, closer_of
from escalator.upgrade_manager.planner.stages import Stages
from escalator.upgrade_manager.planner.standing import Standing
from escalator.upgrade_manager.planner.turns import Found, Midway, NotYet, Placed, Policy, Rules

UNSTICK_TRIES = 50
"""Nodes that are looked at for moves beyond one per instance before the search gives up."""
START = Midway()
RESERVE = "the reserve of"
"""How the reason of a node begins that the reserve keeps from its turn."""
RECOVERS = "its groups recover until then"
FULL = NotYet(inf, "max_unavailable")
IDLE_SHARE = 0.05
"""Share of an upgrade's time that an emptied node may wait for the groups of what stays on it; else it begins later."""
LOOK_S = 60.0
"""Nodes whose groups would keep them half emptied are looked at again at whole multiples of it: each look costs time."""


class Search:
    """One run with one policy. `slow`: seconds that single nodes need more of their window than their moves tell.

    With `keep`, instances go where the plan so far wants them, and a node waits until it can be so where the policy `awaits`.
    """

    def __init__(
        self,
        cloud: Cloud,
        rules: Rules,
        policy: Policy,
        slow: Mapping[int, float] | None = None,
        midway: Midway = START,
        *,
        keep: bool = False,
    ) -> None:
        self._cloud, self._rules, self._policy, self._slow = cloud, rules, policy, slow or {}
        self._midway = midway
        self._guests = [list(guests) for guests in cloud.guests]
        self._departures = Departures(cloud, self._guests)
        self._standing = Standing(cloud, rules.max_fill, foresees=policy.foresees)
        self._new = Space(self._standing, renewed=True, angle=policy.angle, queue_weight=policy.queue_weight)
        self._old: Space | None = None
        self._flow = Flow(cloud, rules, midway, self._standing.arriving, policy)
        self._placing = Placing(self._standing, self._new)
        self._placing.kept = midway.kept if keep else {}
        self._placing.kept_old = midway.kept_old
        self._chains = Chains(self._standing, self._new, rules)
        self._awaiting: Awaiting | None = None
        self._draining = {begun.node: begun for begun in midway.begun}
        """Turns that were under way at the start and for which the rest of the instances has no place yet."""
        self._queue = Queue(cloud, rules, policy, self._guests)
        self._cells: dict[str, tuple[int, ...]] = {}
        """Cells of instances that were moved to a node that has its turn later."""
        self._waiting: dict[int, NotYet] = {n: NotYet(rules.at_s, "") for n in range(len(cloud.nodes)) if cloud.ready[n]}
        self._out: list[Counter[str]] = [Counter(domain.down) for domain in rules.domains]
        for domain, out in zip(rules.domains, self._out, strict=True):
            for begun in midway.begun:
                out.update(domain.counted(begun.node))
        self._stages = Stages(cloud, rules.staging, rules.windows, midway)
        self._level = midway.level
        self._wave = [0] * len(cloud.nodes)
        self._extra = 0
        self._lacking: dict[int, Guest] = {}
        """An instance without a place, per node that is emptied."""
        self._tried: dict[int, tuple[float, NotYet]] = {}
        """When each node was looked at last, and what kept it from its turn then."""
        self._full_s = -inf
        """When nodes had to wait last because as many as may be were out of service."""
        self._waited: dict[int, NotYet] = {}
        self._empty = sum(
            not self._standing.count[n] for n in range(len(cloud.nodes)) if n not in self._draining and cloud.kinds[n].compute
        )

    @property
    def spread(self) -> Spread:
        """How far apart the members of groups are by what is decided."""
        return self._placing.spread

    def run(self) -> Found:
        """Every node's turn, and the nodes that got none."""
        for node, done in enumerate(self._cloud.done):
            if done:
                self._new.add(node)
        now = looked = self._rules.at_s
        if self._placing.kept and self._policy.awaits:
            self._awaiting = Awaiting(self._midway.order, self._kept_targets())
        self._take_up(now)
        wake = self._start_all(now, seeds=self._policy.seeds, patient=True)
        changed = False
        while self._waiting or self._draining:
            following = min(self._flow.next_s(), wake)
            if following == inf:
                begun = len(self._waiting) + len(self._draining)
                wake, changed = self._start_all(now, patient=True), False
                stopped = len(self._waiting) + len(self._draining) == begun and wake == inf
                if stopped and not self._goes_on(now):
                    break
                continue
            now = following
            back, arrived = self._flow.advance(now)
            for node in back:
                self._come_back(node, now)
            changed |= arrived or bool(back)
            if (changed and now >= looked + self._policy.batch_s) or now >= wake - SLACK:
                wake, changed, looked = self._start_all(now), False, now
        self._flow.advance(inf)
        while self._flow.give_way(now):
            self._flow.advance(inf)
        left = self._waiting | {node: NotYet(now, "", self._lacking[node]) for node in self._draining}
        # What still leaves a node that is never upgraded has no turn to be a part of.
        closer = closer_of(self._cloud, self._flow.turns) if self._draining else self.spread.closer()
        return Found(self._flow.turns, left, self._extra, self._waited, closer)

    def _goes_on(self, now: float) -> bool:
        """Whether anything does once something is given up, where nothing goes on any more."""
        if self._flow.give_way(now):
            return True
        if self._placing.kept:
            # What the plan so far wants cannot be: from here on it is as good as any other.
            self._placing.kept, self._awaiting = {}, None
            return True
        return self._anyhow(now) or self._let_go()

    def _anyhow(self, now: float) -> bool:
        """Go on where nothing does: at the cost of a group's spread, of moves beyond one per instance, or of both."""
        ways = (self._jointly, self._unstick)
        return self._loosely(self._one_more, now) or any(way(now) for way in ways) or any(self._loosely(way, now) for way in ways)

    def _loosely(self, go_on: Callable[[float], bool], now: float) -> bool:
        if not self._placing.refused:
            return False
        self._placing.wary = False
        done = go_on(now)
        self._placing.wary = True
        return done

    def _one_more(self, now: float) -> bool:
        """Let one node begin, the first that can."""
        if self._flow.away >= self._rules.width:
            return False
        return any(node in self._waiting and self._look(node, now) is None for node in self._in_order(now))

    def _in_order(self, now: float) -> Iterable[int]:
        if self._awaiting is not None:
            return self._awaiting.order(self._waiting)
        return self._queue.order(self._waiting, now, self._flow.doors)

    def _let_go(self) -> bool:
        """Let nodes go on that wait for a group which finds no room; whether there is one."""
        lost = self._stages.give_up()
        for node in lost:
            if node in self._waiting:
                self._waiting[node] = replace(self._waiting[node], ready_s=inf)
        return bool(lost)

    # -- turns that were under way at the start

    def _take_up(self, now: float) -> None:
        """Go on with what is under way: its moves end where they go; what else leaves gets its place before anything begins."""
        for begun in self._midway.begun:
            for move in begun.running:
                one = move.placed
                self._empty -= not self._standing.count[one.target] and one.target not in self._draining
                self._standing.take(one.guest, begun.node, self._cells_of(one.guest), -1)
                (self._new if one.target in self._new else self._standing).take(one.guest, one.target, one.cells)
                self._placing.spread.moves(one.guest, begun.node, one.target, again=one.extra)
                if one.extra:
                    self._takes_in(one)
            self._wave[begun.node] = begun.wave
            self._flow.take_up(begun, self._guests[begun.node], now)
        self._draining = {node: begun for node, begun in self._draining.items() if begun.start_s is None}
        for node in list(self._draining):
            self._go_on(node, now)

    def _go_on(self, node: int, now: float, *, anywhere: bool = False) -> bool:
        """Give what else leaves the node its places, on nodes that have their turn later where the plan so far did so.

        Such moves were decided with the turn: they are none of those that may still be made. `anywhere`: nothing else helps.
        """
        begun = self._draining[node]
        under_way = {move.placed.guest.id for move in begun.running}
        leaving = self._departures.these([g for g in self._guests[node] if g.leaves and g.id not in under_way])
        self._placing.wary = False  # the node is out of service: it waits for room, and for nothing else
        placed = self._placing.all_of(node, leaving)
        if isinstance(placed, Guest) and (anywhere or any(g.id in self._placing.kept_old for g in leaving.guests)):
            placed = self._placing.all_of(node, leaving, self._old_space(node), len(leaving.guests))
        self._placing.wary = True
        if isinstance(placed, Guest):
            self._lacking[node] = placed
            return False
        del self._draining[node]
        self._empty -= self._first_ones(placed)
        self._leave(node, placed)
        self._guests[node] = [guest for guest in self._guests[node] if not guest.leaves]
        self._departures.changed(node)
        self._flow.go_on(node, placed, now)
        return True

    def _come_back(self, node: int, now: float) -> None:
        self._stages.ended(node, now)
        for domain, out in zip(self._rules.domains, self._out, strict=True):
            out.subtract(domain.counted(node))
        self._level = max(self._level, self._wave[node])
        self._new.add(node)
        self._empty += self._cloud.kinds[node].compute and not self._standing.count[node]
        self._placing.refreshed()
        if self._awaiting is not None:
            self._awaiting.came_back(node)

    # -- starting turns

    def _start_all(self, now: float, seeds: int = 0, *, patient: bool = False) -> float:
        """Begin every turn that may begin now; when it is worth to look again without any other event."""
        patience = inf if patient else self._policy.patience
        without_room, waiting = 0, len(self._waiting)
        wake = inf
        self._placing.refused = False
        for node in list(self._draining):
            self._go_on(node, now)
        for node in self._in_order(now):
            if self._flow.away >= self._rules.width or without_room > patience:
                break
            wait = self._look(node, now)
            if wait is not None:
                without_room += wait.lacking is not None
                wake = min(wake, wait.ready_s) if wait.ready_s > now + SLACK else wake
        for _ in range(seeds - waiting + len(self._waiting)):
            if not self._unstick(now):
                break
        if self._flow.away < self._rules.width:
            return wake
        self._full_s = now
        return inf

    def _look(self, node: int, now: float) -> NotYet | None:
        """Begin the node's turn if it may; else what keeps it from it."""
        wait = self._waiting.get(node)
        if wait is None or wait.ready_s > now + SLACK:
            return wait
        found = self._try(node, now)
        if found is not None:
            self._waiting[node] = found
            self._tried[node] = (now, found)
        return found

    def _try(self, node: int, now: float, extras: int = 0, chains: Chains | None = None) -> NotYet | None:
        """Begin the node's turn now; else when it may be tried again, and why."""
        leaving = self._departures.of(node)
        held = self._stages.held_back(node, self._level, now) or self._held_back(node, leaving, now)
        if held is not None:
            return held
        anyhow = extras or chains is not None
        if not anyhow and (hopeless := self._placing.hopeless(leaving)) is not None:
            return NotYet(now, "", hopeless)
        if not anyhow and (recovers := self._recovers(node, leaving, now)) is not None:
            return recovers
        old = self._old_space(node) if extras else None
        placed = self._placing.all_of(node, leaving, old, extras, chains)
        if isinstance(placed, Guest):
            self._give_up(node)
            return NotYet(now, "", placed, apart=self._placing.apart)
        wait = self._reserved(node, placed, now) or self._too_slow(node, placed, now)
        if wait is not None:
            self._placing.undo(node, placed, old)
            self._give_up(node)
            return wait
        self._begin(node, placed, now)
        return None

    def _held_back(self, node: int, leaving: Leaving, now: float) -> NotYet | None:
        """Bounds that need no look at targets: domains, groups of what stays, and the end of the window."""
        for domain, out in zip(self._rules.domains, self._out, strict=True):
            full = domain.full(node, out)
            if full is not None:
                return NotYet(now, f"{domain.by} {full} has {counted(domain.most, 'node')} out of service")
        if self._extra and self._standing.arriving[node]:
            return NotYet(now, "it takes instances until then")
        group = self._flow.may_wait_for_ever(node, leaving.guests, now)
        if group is not None:
            return NotYet(now, RECOVERS, group=group)
        guests = self._guests[node]
        lasts_s = self._cloud.upgrade_s[node]
        drain_s = leaving.drain_s / self._rules.per_node
        if len(leaving.guests) < len(guests):
            stays, group = self._flow.stays_from(node, guests, now)
            impacted = bool(leaving.guests) or any(guest.kind != "offline" for guest in guests)
            stays = max(stays, self._rules.lead_s if impacted else now)
            idle_s = IDLE_SHARE * lasts_s if leaving.guests else 0.0
            if stays > now + drain_s + idle_s + SLACK:
                return NotYet(stays - drain_s if stays < inf else now, RECOVERS, group=group)
        elif leaving.guests and now < self._rules.lead_s - drain_s - SLACK:
            return NotYet(self._rules.lead_s - drain_s, "the lead time: no impact is allowed before")
        more_s = self._slow.get(node, 0.0) + self._cloud.lead_s[node]
        return self._too_late(now, now + drain_s + lasts_s, more_s) or self._recovers_late(node, leaving, now, lasts_s + more_s)

    def _recovers_late(self, node: int, leaving: Leaving, now: float, rest_s: float) -> NotYet | None:
        """Whether groups of what leaves the node would let it go too late for the window, and sooner in a later one."""
        windows = self._rules.windows
        if windows.open or not leaving.recovering:
            return None
        by, group = self._flow.leaves_by(node, leaving.recovering, now)
        if now + self._rules.needs_s(now, by + rest_s) <= windows.end(now) + SLACK:
            return None
        return NotYet(windows.next(now), "no window is left in which its groups let it go in time", group=group)

    def _recovers(self, node: int, leaving: Leaving, now: float) -> NotYet | None:
        """Whether the groups of what leaves the node would keep it half emptied for long, while others could use the time."""
        idle_share = self._policy.idle_share
        if idle_share == inf or not leaving.recovering:
            return None
        by, group = self._flow.leaves_by(node, leaving.recovering, now)
        longest = leaving.longest
        # However many leave at once, the longest of their moves takes its time: nobody else can use that.
        drain_s = max(leaving.drain_s / self._rules.per_node, longest.lasts_s if longest is not None else 0.0)
        over_s = by - now - drain_s - idle_share * self._cloud.upgrade_s[node]
        if over_s <= SLACK:
            return None
        at = LOOK_S * ceil((now + over_s) / LOOK_S + SLACK) if over_s < inf else now
        return NotYet(at, RECOVERS, group=group)

    def _kept_targets(self) -> dict[int, set[int]]:
        """For each node that waits, the nodes that the plan so far wants its instances on and that are not upgraded yet."""
        kept = self._placing.kept
        found: dict[int, set[int]] = {}
        for node in self._waiting:
            targets = {kept[g.id][0] for g in self._guests[node] if g.leaves and g.id in kept}
            found[node] = {target for target in targets if target not in self._new}
        return found

    def _too_late(self, now: float, end: float, more_s: float) -> NotYet | None:
        windows = self._rules.windows
        if windows.open:
            return None
        needs_s = self._rules.needs_s(now, end) + more_s
        if now + needs_s <= windows.end(now) + SLACK:
            return None
        if needs_s > windows.longest_s + SLACK:
            longest = f"no window is longer than {windows.longest_s:.0f} s"
            return NotYet(inf, f"it needs {needs_s:.0f} s, its rollback included, and {longest}", needs_s=needs_s)
        return NotYet(windows.next(now), "no window is left that is long enough")

    def _reserved(self, node: int, placed: list[Placed], now: float) -> NotYet | None:
        """Whether enough nodes in service stay without any instance."""
        if not self._rules.reserve:
            return None
        if self._empty - self._first_ones(placed) - self._vacant(node) >= self._rules.reserve:
            return None
        return NotYet(now, f"{RESERVE} {counted(self._rules.reserve, 'host')} would not hold")

    def _too_slow(self, node: int, placed: list[Placed], now: float) -> NotYet | None:
        """Whether what arrives at the targets before would make the departures too long for the window."""
        if self._rules.windows.open or not placed:
            return None
        drain_s = sum(one.guest.lasts_s for one in placed) / self._rules.per_node
        waits_s = max(self._standing.arriving[one.target] * one.guest.lasts_s for one in placed) / self._rules.per_node
        lasts_s = self._cloud.upgrade_s[node]
        return self._too_late(now, now + max(drain_s, waits_s) + lasts_s, self._slow.get(node, 0.0) + self._cloud.lead_s[node])

    def _first_ones(self, placed: list[Placed]) -> int:
        """Nodes that these are the first instances of."""
        if not self._rules.reserve:  # nobody asks then
            return 0
        arrived: Counter[int] = Counter(one.target for one in placed)
        return sum(self._standing.count[target] == number for target, number in arrived.items())

    def _begin(self, node: int, placed: list[Placed], now: float) -> None:
        self._queue.begun(node)
        self._empty -= self._first_ones(placed) + self._vacant(node)
        self._extra += self._leave(node, placed)
        self._guests[node] = [guest for guest in self._guests[node] if not guest.leaves]
        self._departures.changed(node)
        del self._waiting[node]
        why = self._kept(node, now)
        if why is not None:
            self._waited[node] = why
        self._wave[node] = self._level + 1
        self._stages.began(node, self._level + 1)
        self._flow.begin(node, placed, tuple(self._guests[node]), self._level + 1, now)
        for domain, out in zip(self._rules.domains, self._out, strict=True):
            out.update(domain.counted(node))

    def _kept(self, node: int, now: float) -> NotYet | None:
        """What kept the node last, which begins now."""
        at, why = self._tried.pop(node, (-inf, None))
        # What it waited for was over before, and nobody looked since, as no more nodes might go.
        over = why is not None and at < why.ready_s < now - SLACK
        full = now > self._full_s and (self._full_s > at or (over and self._full_s == at))
        return FULL if full else why

    def _vacant(self, node: int) -> bool:
        """Whether the node could be one of the reserve."""
        return self._cloud.kinds[node].compute and not self._guests[node]

    def _leave(self, node: int, placed: list[Placed]) -> int:
        """The room of these on their node is free, once it is upgraded; how many of them go to nodes with their turn later."""
        cells = self._cells
        gone = [one[0] for one in placed]
        self._standing.leave(node, [(guest, cells.get(guest.id, guest.cells) if cells else guest.cells) for guest in gone])
        again = [one for one in placed if one[3]]
        for one in again:
            self._takes_in(one)
        return len(again)

    def _takes_in(self, one: Placed) -> None:
        """What goes to a node that has its turn later leaves it again then."""
        self._guests[one.target].append(one.guest)
        self._departures.changed(one.target)
        self._cells[one.guest.id] = one.cells
        self._queue.changed(one.target)

    def _cells_of(self, guest: Guest) -> tuple[int, ...]:
        return self._cells.get(guest.id, guest.cells) if self._cells else guest.cells

    # -- moves beyond one per instance

    def _old_space(self, node: int) -> Space:
        """Nodes that have their turn later and may take something until then, the given one left out."""
        if self._old is None:
            policy = self._policy
            self._old = Space(self._standing, renewed=False, angle=policy.angle, queue_weight=policy.queue_weight)
            for other in self._waiting:
                self._old.add(other)
        for other in [n for n in range(len(self._cloud.nodes)) if n in self._old and (n == node or n not in self._waiting)]:
            self._old.remove(other)
        return self._old

    def _give_up(self, node: int) -> None:
        if self._old is not None and node not in self._old:
            self._old.add(node)

    def _jointly(self, now: float) -> bool:
        """Let one node begin for which instances that were placed before make room; the cheapest that can."""
        under_way = self._flow.next_s() < inf or self._draining
        if under_way or self._flow.away >= self._rules.width or self._rules.reserve:
            return False
        self._chains.begin(self._flow.turns)
        for node in self._lacking_room():
            if self._departures.of(node).need <= self._new.room + SLACK:
                if self._try(node, now, chains=self._chains) is None:
                    self._chains.keep()
                    return True
                self._chains.revert()
        return False

    def _unstick(self, now: float) -> bool:
        """Empty one node, in part or whole, onto nodes that have their turn later; the cheapest that can be."""
        if any(self._go_on(node, now, anywhere=True) for node in list(self._draining)):
            return True
        left = self._rules.extra_moves - self._extra
        if left <= 0 or self._flow.away >= self._rules.width:
            return False
        return any(self._try(node, now, extras=left) is None for node in self._lacking_room())

    def _lacking_room(self) -> list[int]:
        """Nodes that wait for room, the cheapest to empty first; as many as are looked at."""
        ready = [node for node, wait in self._waiting.items() if wait.lacking is not None]
        ready.sort(key=lambda n: (sum(guest.leaves for guest in self._guests[n]), self._queue.size(n), n))
        return ready[:UNSTICK_TRIES]
