"""Placing all instances that leave one node: all of them or none, the largest first."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from escalator.upgrade_manager.planner.chains import Chains
from escalator.upgrade_manager.planner.cloud import SLACK, Cloud, Guest, Shape
from escalator.upgrade_manager.planner.leaving import Leaving
from escalator.upgrade_manager.planner.space import Space
from escalator.upgrade_manager.planner.spread import Shut, Spread
from escalator.upgrade_manager.planner.standing import Standing
from escalator.upgrade_manager.planner.turns import Placed

made = tuple.__new__
"""Makes a named tuple without the call of its own: there is one for each of a hundred thousand instances."""
MANY = 10_000
"""Targets that are looked at for instances that have to stay together."""


class Placing:
    """Looks for room on upgraded nodes (`new`), and where that is allowed on nodes that have their turn later (`old`)."""

    def __init__(self, standing: Standing, new: Space) -> None:
        self._standing = standing
        self._cloud: Cloud = standing.cloud
        self.spread = Spread(standing.cloud)
        self.wary = True
        """Whether an instance waits for another place where it would leave a group closer together for good."""
        self.refused = False
        """Whether one did."""
        self.apart = ""
        """The group for which the instance waits that was refused last, where it is no room that lacks."""
        self._origin = -1
        """Node that is being emptied."""
        self._new = new
        self.kept: Mapping[str, tuple[int, tuple[int, ...]]] = {}
        """Node and cells that a plan so far gives to instances: taken when they still have room."""
        self.kept_old: Mapping[str, tuple[int, tuple[int, ...]]] = {}
        """The same for moves to nodes that have their turn later."""
        self._roots: dict[str, set[int]] | None = None
        """By group of hard affinity, nodes on which a member stays; null until somebody asks."""
        self._full: set[Shape] = set()
        """Shapes that no upgraded node has room for, until one more is upgraded."""

    def refreshed(self) -> None:
        """More nodes are upgraded: what was full may not be any more."""
        self._full.clear()

    def hopeless(self, leaving: Leaving) -> Guest | None:
        """An instance among these that finds no room on upgraded nodes, as far as that is known without trying."""
        if self._full and not self._full.isdisjoint(leaving.shapes):
            return next(guest for guest in leaving.guests if guest.shape in self._full)
        return leaving.longest if leaving.need > self._new.room + SLACK else None

    def all_of(
        self, node: int, leaving: Leaving, old: Space | None = None, extras: int = 0, chains: Chains | None = None
    ) -> list[Placed] | Guest:
        """Place them all and occupy the room, at most `extras` of them on old nodes; else the first that found no room.

        They leave `node`. With `chains` others make room for them.
        """
        self.apart, lacking = "", leaving.lacking
        if lacking is not None and old is None and chains is None and self._new.best(lacking, soft=False) is None:
            self._remember(lacking)
            return lacking
        self._origin = node
        placed: list[Placed] = []
        spent = 0
        if leaving.bundles is None and old is None and chains is None and not (self.kept or self.kept_old):
            return self._each(node, leaving)
        for bundle in leaving.bundles or [[guest] for guest in leaving.ordered]:
            found = self._bundle(bundle, self._new, extra=False)
            if found is None and chains is not None and len(bundle) == 1 and (place := chains.place(bundle[0])) is not None:
                found = [self._put(bundle[0], self._new, *place)]
            if found is None and old is not None and spent + len(bundle) <= extras:
                found = self._bundle(bundle, old, extra=True)
                spent += len(bundle)
            if found is None:
                self.undo(node, placed, old)
                leaving.lacking = bundle[0]
                self._remember(bundle[0])
                return bundle[0]
            placed += found
        return placed

    def _each(self, node: int, leaving: Leaving) -> list[Placed] | Guest:
        """The same where each may go where it likes, on upgraded nodes: next to all of a large plan."""
        space, spread, best = self._new, self.spread, self._new.order.best
        placed: list[Placed] = []
        for guest in leaving.ordered:
            watched = guest.watched
            place = best(guest, soft=bool(guest.soft), shut=spread.harm(guest, node) if watched else ())
            if place is None:
                other = self._bundle((guest,), space, extra=False) if watched or guest.soft else None
                if other is None:
                    self.undo(node, placed, None)
                    leaving.lacking = guest
                    self._remember(guest)
                    return guest
                placed += other
                continue
            target, cells = place
            space.take(guest, target, cells)
            if watched:
                spread.moves(guest, node, target)
            placed.append(made(Placed, (guest, target, cells, False)))
        return placed

    def undo(self, node: int, placed: Sequence[Placed], old: Space | None) -> None:
        """Give the room back: they stay on `node`."""
        for one in placed:
            space = old if one.extra and old is not None else self._new
            space.take(one.guest, one.target, one.cells, -1)
            if one.guest.watched:
                self.spread.moves(one.guest, node, one.target, again=one.extra, sign=-1)

    def _put(self, guest: Guest, space: Space, node: int, cells: tuple[int, ...]) -> Placed:
        space.take(guest, node, cells)
        if guest.watched:
            self.spread.moves(guest, self._origin, node, again=space is not self._new)
        return Placed(guest, node, cells, space is not self._new)

    def _remember(self, guest: Guest) -> None:
        alone = Guest(guest.instance, guest.shape, guest.kind, guest.leaves, guest.lasts_s, (), (), (), ())
        if self._new.best(alone, soft=False) is None:
            self._full.add(guest.shape)

    def _bundle(self, bundle: Sequence[Guest], space: Space, *, extra: bool) -> list[Placed] | None:
        """Where soft groups and the spread of groups are kept; where that cannot be, the latter is given up first."""
        barred = self._rooted(bundle) if extra and any(guest.tied for guest in bundle) else ()
        if len(bundle) == 1 and not barred:
            guest = bundle[0]
            if self.kept or self.kept_old:
                found = self._kept(guest, space, extra=extra)
                if found is not None:
                    return found
            if not guest.soft:
                return self._single(guest, space, soft=False)
        for soft in (True, False) if any(guest.soft for guest in bundle) else (False,):
            alone = len(bundle) == 1 and not barred
            found = self._single(bundle[0], space, soft=soft) if alone else self._anyhow(bundle, space, barred, soft=soft)
            if found is not None:
                return found
        return None

    def _kept(self, guest: Guest, space: Space, *, extra: bool) -> list[Placed] | None:
        kept = (self.kept_old if extra else self.kept).get(guest.id)
        if kept is not None and self._standing.foresees:
            # The node is the plan's to choose, the cells there are the cloud's.
            kept = kept[0], self._standing.together(guest.shape, kept[0])
        return [self._put(guest, space, *kept)] if kept and kept[1] and space.takes(guest, *kept) else None

    def _single(self, guest: Guest, space: Space, *, soft: bool) -> list[Placed] | None:
        harm = self.spread.harm(guest, self._origin) if guest.watched else ()
        place = space.best(guest, soft=soft, shut=harm)
        if place is None and harm and space.passed:
            place = next(filter(None, (space.best(guest, soft=soft, shut=shut) for shut in self._less(harm))), None)
        return [self._put(guest, space, *place)] if place is not None else None

    def _less(self, harm: Sequence[Shut]) -> Iterator[Sequence[Shut]]:
        """What stays shut where it cannot all be: what nothing would mend; and if the instance need not wait, zones; nothing."""
        for_good = self.spread.for_good(harm, self._origin)
        yield for_good
        if for_good and self.wary:
            self.refused = True
            self.apart = self.spread.group(for_good[0])
        elif for_good:
            yield self.spread.in_zones(for_good)
            yield ()

    def _rooted(self, bundle: Sequence[Guest]) -> Collection[int]:
        """Nodes on which a member stays of a group of hard affinity: who comes there could not leave it with all of them."""
        if self._roots is None:
            self._roots = {}
            for node, guests in enumerate(self._cloud.guests):
                for name in [name for guest in guests if not guest.leaves for name in guest.tied]:
                    self._roots.setdefault(name, set()).add(node)
        roots = self._roots
        return {node for guest in bundle for name in guest.tied for node in roots.get(name, ())}

    def _anyhow(self, bundle: Sequence[Guest], space: Space, barred: Collection[int], *, soft: bool) -> list[Placed] | None:
        """Where the spread of groups is kept if that can be."""
        keeps = (True, False) if any(guest.watched for guest in bundle) else (False,)
        return next(filter(None, (self._together(bundle, space, barred, soft=soft, keeps=keep) for keep in keeps)), None)

    def _together(
        self, bundle: Sequence[Guest], space: Space, barred: Collection[int], *, soft: bool, keeps: bool
    ) -> list[Placed] | None:
        tried: set[int] = {*barred}
        for node, _ in space.places(bundle[0], MANY, soft=soft, shut=self._shut(bundle[0], keeps=keeps)):
            if node in tried:
                continue
            tried.add(node)
            placed: list[Placed] = []
            for guest in bundle:
                there = space.places(guest, MANY, soft=soft, shut=self._shut(guest, keeps=keeps))
                cells = next((c for n, c in there if n == node), None)
                if cells is None:
                    break
                placed.append(self._put(guest, space, node, cells))
            if len(placed) == len(bundle):
                return placed
            self.undo(self._origin, placed, space)
        return None

    def _shut(self, guest: Guest, *, keeps: bool) -> Sequence[Shut]:
        return self.spread.harm(guest, self._origin) if keeps and guest.watched else ()
