"""Cells by how well they suit an instance.

Room has several resources, and a cell is full when one of them is: what is left of the others is lost. So the best cell
is the one whose free room has most nearly the proportions of what the instance needs (the angle between the two, every
resource measured by what the cloud has of it). Small and large, thirsty and frugal instances then end up together, and
cells fill to the last CPU; the tightest cell alone would leave CPUs behind where something else ran out. Of cells that
suit alike, and all do where one resource is asked for, the tightest is the best.

An instance also waits for those that are on their way to its node before it: each counts beside the angle. Cells in which
the same is free, on nodes of one kind, have one *form*; those whose nodes expect equally many are in one *state*, and suit
alike. Instances come in few
sizes, so that twenty thousand cells are in some hundreds of states. Each shape has a heap of the states whose cells may take
one, the best on top. A state that is found empty there is dropped, and one that is no longer empty is put back.

Where more are on their way than before, a cell only gets worse: that is seen to when it is about to be chosen, and mostly
fewer are on their way again by then. So a cell is filed under at most as many as its node expects.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from collections.abc import Callable, Container, Hashable, Iterator, Mapping, Sequence
from itertools import islice
from math import inf, sqrt
from operator import itemgetter

from escalator.upgrade_manager.planner.cloud import SLACK, Cloud, Guest, Shape
from escalator.upgrade_manager.planner.spread import Shut, is_shut
from escalator.upgrade_manager.planner.standing import Standing, is_barred

TIGHT = 1e-3
"""What an average entry, all of it free, counts beside the cosine: of two that suit alike the tighter one is taken."""
MOST_KEPT = 20_000
"""Forms of which the worth for one shape is kept."""
NOTHING = -1
"""Form and state of cells that take no instance at all, or whose node does not."""
UNKNOWN = -2
"""A form or state that was not met yet."""


class _ByShape:
    """States whose cells may take one shape, the best on top."""

    __slots__ = ("entries", "kept", "parts", "read", "there")

    def __init__(self, cloud: Cloud, shape: Shape) -> None:
        length = sqrt(sum(amount * amount * cloud.scale[resource] for resource, amount in shape.demand)) or 1.0
        self.parts = tuple((resource, amount * cloud.scale[resource] / length) for resource, amount in shape.demand)
        self.entries: list[tuple[float, int]] = []
        self.there: set[int] = set()
        """States among the entries."""
        self.kept: dict[int, float] = {}
        """What a cell of each form is worth, the lower the better; infinite where it takes none."""
        self.read = 0
        """States put back that are seen to."""


class Angles:
    """The order of cells for every shape that was asked for."""

    def __init__(
        self, standing: Standing, nodes: Container[int], may_go: Callable[[Shape, int], bool], queue_weight: float
    ) -> None:
        self._standing, self._cloud, self._nodes, self._may_go = standing, standing.cloud, nodes, may_go
        self._arriving, self._weight = standing.arriving, queue_weight
        self._heard = 0
        """Nodes that expect fewer that are seen to."""
        self._shapes: dict[Shape, _ByShape] = {}
        asked = [resource for resource, scale in enumerate(standing.cloud.scale) if scale]
        self._free_of: Callable[[list[float]], Hashable] = itemgetter(*asked) if asked else len
        kinds = {kind: number for number, kind in enumerate(dict.fromkeys(standing.cloud.kinds))}
        self._kinds = [kinds[kind] for kind in standing.cloud.kinds]
        self._least = _least(standing.cloud)
        self._forms: dict[tuple[int, Hashable], int] = {}
        """By kind of node and what is free."""
        self._form = [NOTHING] * len(standing.cloud.host)
        """Form of each cell."""
        self._by_waits: list[dict[int, int]] = []
        """The states of each form, by how many are on their way to the node."""
        self._state = [NOTHING] * len(standing.cloud.host)
        """State of each cell."""
        self._cells: list[list[int]] = []
        """Cells in each state, in order."""
        self._of: list[int] = []
        """Form of each state."""
        self._waits: list[int] = []
        """How many are on their way to the nodes of each state."""
        self._back: list[int] = []
        """States that were empty and are not any more, in the order of time."""
        self.passed = False

    def changed(self, cells: tuple[int, ...], *, freed: bool) -> None:  # noqa: ARG002 - the other order asks for it
        """The cells have more room or less, or their node takes instances now or does not any more."""
        if not cells:
            return
        node = self._cloud.host[cells[0]]
        takes, arriving = node in self._nodes, self._arriving.each[node] if self._weight else 0
        for cell in cells:
            form = NOTHING
            if takes:
                free = self._standing.free[cell]
                key = (self._kinds[node], self._free_of(free))
                form = self._forms.get(key, UNKNOWN)
                if form == UNKNOWN:
                    form = self._forms[key] = self._new_form(free)
            self._form[cell] = form
            self._file(cell, form, arriving)

    def _new_form(self, free: Sequence[float]) -> int:
        if any(free[resource] + SLACK < amount for resource, amount in self._least):
            return NOTHING
        self._by_waits.append({})
        return len(self._by_waits) - 1

    def _file(self, cell: int, form: int, arriving: int) -> None:
        """Put the cell into the state that it is in now."""
        before = self._state[cell]
        state = NOTHING
        if form >= 0:
            state = self._by_waits[form].get(arriving, UNKNOWN)
            if state == UNKNOWN:
                state = self._new_state(form, arriving)
        if state == before:
            return
        self._state[cell] = state
        if before >= 0:
            there = self._cells[before]
            del there[bisect_left(there, cell)]
        if state >= 0:
            there = self._cells[state]
            if not there:
                self._back.append(state)
            insort(there, cell)

    def _new_state(self, form: int, arriving: int) -> int:
        state = self._by_waits[form][arriving] = len(self._cells)
        self._cells.append([])
        self._of.append(form)
        self._waits.append(arriving)
        return state

    def places(self, guest: Guest, most: int, *, soft: bool, shut: Sequence[Shut] = ()) -> list[tuple[int, tuple[int, ...]]]:
        """At most so many nodes that can take the instance, with the cells it would use, the best first; none `shut`."""
        found: list[tuple[int, tuple[int, ...]]] = []
        right = self._right(guest.shape)
        heap, seen = right.entries, []
        barred = self._standing.barred(guest, soft=soft)
        self.passed = False
        while heap and len(found) < most:
            entry = heapq.heappop(heap)
            fitting = self._fitting(self._cells[entry[1]], guest.shape, barred, shut)
            more = list(islice(fitting, most - len(found)))
            late = [node for node, _ in more if self._is_late(node)]
            if late:
                heapq.heappush(heap, entry)
                self._put_back(guest.shape, right)
                continue
            seen.append(entry)
            found += more
        for entry in seen:
            heapq.heappush(heap, entry)
        return found

    def best(self, guest: Guest, *, soft: bool, shut: Sequence[Shut]) -> tuple[int, tuple[int, ...]] | None:
        """The best node and cells."""
        shape = guest.shape
        if self._weight and self._heard < len(self._arriving.fewer):
            self._hear()
        fitting = self._shapes.get(shape)
        if fitting is None or fitting.read < len(self._back):
            fitting = self._right(shape)
        heap, states, waits = fitting.entries, self._cells, self._waits
        barred = self._standing.barred(guest, soft=soft) if guest.apart or guest.soft else ()
        plain, each = not barred and not shut and shape.span == 1 and not self._standing.foresees, self._arriving.each
        seen: list[tuple[float, int]] = []
        self.passed = False
        found = None
        while heap:
            state = heap[0][1]
            there = states[state]
            if not there:
                heapq.heappop(heap)
                fitting.there.discard(state)
                continue
            cell = there[0]
            found = (self._cloud.host[cell], (cell,)) if plain else self._first(there, shape, barred, shut)
            if found is None:
                seen.append(heapq.heappop(heap))
            elif waits[state] < each[found[0]] and self._is_late(found[0]):
                found = None
                self._put_back(shape, fitting)
            else:
                break
        for entry in seen:
            heapq.heappush(heap, entry)
        return found

    def _first(
        self, cells: Sequence[int], shape: Shape, barred: Sequence[Mapping[int, int]], shut: Sequence[Shut]
    ) -> tuple[int, tuple[int, ...]] | None:
        """Of these cells the first node and cells that can take the instance; mostly it is the first of all."""
        if shape.span > 1 or self._standing.foresees:
            return next(self._fitting(cells, shape, barred, shut), None)
        host = self._cloud.host
        if len(shut) == len(barred) == 1:  # the most frequent by far
            (_, of, places), members = shut[0], barred[0]
            for cell in cells:
                node = host[cell]
                if of[node] in places:
                    self.passed = True
                elif members.get(node, 0) <= 0:
                    return node, (cell,)
            return None
        for cell in cells:
            node = host[cell]
            if shut and is_shut(shut, node):
                self.passed = True
            elif not barred or not is_barred(barred, node):
                return node, (cell,)
        return None

    def _fitting(
        self, cells: Sequence[int], shape: Shape, barred: Sequence[Mapping[int, int]], shut: Sequence[Shut]
    ) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Of these cells the nodes and cells that can take the instance, in order."""
        host = self._cloud.host
        for cell in cells:
            node = host[cell]
            if shut and is_shut(shut, node):
                self.passed = True
            elif barred and is_barred(barred, node):
                continue
            elif cells_there := self._standing.given(shape, cell):
                yield node, cells_there

    def _right(self, shape: Shape) -> _ByShape:
        """The states for a shape as they are now."""
        if self._weight and self._heard < len(self._arriving.fewer):
            self._hear()
        fitting = self._shapes.get(shape)
        if fitting is None:
            fitting = self._shapes[shape] = _ByShape(self._cloud, shape)
        if fitting.read < len(self._back):
            self._put_back(shape, fitting)
        return fitting

    def _hear(self) -> None:
        """See to the nodes that expect fewer than their cells are filed under."""
        news, state, each = self._arriving.fewer, self._state, self._arriving.each
        cells, waits, form = self._cloud.cells, self._waits, self._form
        for node in dict.fromkeys(news[self._heard :]):
            arriving = each[node]
            for cell in cells[node]:
                there = state[cell]
                if there >= 0 and waits[there] > arriving:
                    self._file(cell, form[cell], arriving)
        self._heard = len(news)

    def _is_late(self, node: int) -> bool:
        """Whether more are on their way to the node than its cells are filed under, which is mended then."""
        if not self._weight:
            return False
        late, state, arriving = False, self._state, self._arriving.each[node]
        for cell in self._cloud.cells[node]:
            if state[cell] >= 0 and self._waits[state[cell]] < arriving:
                self._file(cell, self._form[cell], arriving)
                late = True
        return late

    def _put_back(self, shape: Shape, fitting: _ByShape) -> None:
        """See to the states that are no longer empty."""
        cells, forms, waits, weight = self._cells, self._of, self._waits, self._weight
        kept, there, entries = fitting.kept, fitting.there, fitting.entries
        for state in self._back[fitting.read :]:
            if state in there or not cells[state]:
                continue
            form = forms[state]
            worth = kept.get(form)
            if worth is None:
                if len(kept) >= MOST_KEPT:
                    kept.clear()
                cell = cells[state][0]
                allowed = self._may_go(shape, self._cloud.host[cell])
                worth = kept[form] = self._worth(shape, fitting, cell) if allowed else inf
            if worth < inf:
                there.add(state)
                heapq.heappush(entries, (weight * waits[state] + worth, state))
        fitting.read = len(self._back)

    def _worth(self, shape: Shape, fitting: _ByShape, cell: int) -> float:
        """The negative cosine between what is free and what is needed, and its size; infinite where the shape does not fit."""
        free = self._standing.free[cell]
        for resource, amount in shape.demand:
            if free[resource] + SLACK < amount:
                return inf
        along = length = 0.0
        for resource, part in fitting.parts:
            along += free[resource] * part
        for amount, scale in zip(free, self._cloud.scale, strict=True):
            length += amount * amount * scale
        size = sqrt(length)
        return TIGHT * size - along / size if size else 0.0


def _least(cloud: Cloud) -> Sequence[tuple[int, float]]:
    """What every instance needs at least in a cell, of resources that all of them need."""
    least: dict[int, float] | None = None
    for shape in cloud.takes:
        each = dict(shape.demand)
        least = each if least is None else {name: min(amount, each[name]) for name, amount in least.items() if name in each}
    return tuple((least or {}).items())
