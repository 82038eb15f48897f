"""How far apart the members of groups are during one run of a search: in how many places, and how many of them in one.

At the end neither may be worse than at the start, wherever that can be. A move is sound that goes to a place without any
member, or leaves as many places as there were and goes where no more are than were in the fullest one: from a state that is
no worse than the start every sound move leads to another, and from one that is worse it leads back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from escalator.model.plan import Closer, Level
from escalator.upgrade_manager.planner.cloud import Cloud, Guest
from escalator.upgrade_manager.planner.turns import Turn
from escalator.upgrade_manager.planner.watching import place_of


class Shut(NamedTuple):
    """Places that an instance does not go to, for the sake of what is watched by that number. `of` is the place of each node."""

    number: int
    of: Sequence[str | None]
    places: Collection[str | None]


class Spread:
    """Members of watched groups by place, each counted once: where it is, or will be when what is decided is done."""

    def __init__(self, cloud: Cloud) -> None:
        self._watched = cloud.watched
        levels = {watched.level for watched in cloud.watched}
        of: dict[Level, list[str | None]] = {level: [place_of(n, level) for n in cloud.nodes] for level in levels}
        self._of = [of[watched.level] for watched in cloud.watched]
        self._start = [(len(watched.start), watched.most) for watched in cloud.watched]
        self._there = [dict(watched.start) for watched in cloud.watched]
        self._movers: list[dict[str | None, int]] = [{} for _ in cloud.watched]
        """Members in each place that have a move to come."""
        for node, guests in enumerate(cloud.guests):
            for guest in guests:
                for number in guest.watched if guest.leaves else ():
                    movers, place = self._movers[number], self._of[number][node]
                    movers[place] = movers.get(place, 0) + 1

    def moves(self, guest: Guest, origin: int, target: int, *, again: bool = False, sign: int = 1) -> None:
        """The instance goes from one node to another, and with `again` from there once more; with `sign` -1 it does not."""
        for number in guest.watched:
            of = self._of[number]
            here, place = of[origin], of[target]
            movers = self._movers[number]
            movers[here] = movers.get(here, 0) - sign
            if again:
                movers[place] = movers.get(place, 0) + sign
            if here != place:
                there = self._there[number]
                _add(there, here, -sign)
                _add(there, place, sign)

    def harm(self, guest: Guest, origin: int) -> list[Shut]:
        """Where an instance from that node would leave a group closer together than it may end, as far as is decided by now."""
        found = []
        for number in guest.watched:
            there, of = self._there[number], self._of[number]
            needed, most = self._start[number]
            here = of[origin]
            alone = here is not None and there[here] == 1
            places: set[str | None]
            if len(there) - alone < needed:
                places = {None, *there}
                if alone:
                    places.remove(here)
            else:
                places = {place for place, count in there.items() if count - (place == here) >= most}
            if places:
                found.append(Shut(number, of, places))
        return found

    def for_good(self, harm: Sequence[Shut], origin: int) -> list[Shut]:
        """Of these places those where so few members have their move to come that nothing would mend it."""
        found = []
        for number, of, places in harm:
            lasting = {place for place in places if self._lasts(number, place, of[origin])}
            if lasting:
                found.append(Shut(number, of, lasting))
        return found

    def _lasts(self, number: int, place: str | None, here: str | None) -> bool:
        if place is None:
            return True
        mine = place == here
        too_many = self._there[number][place] - mine + 1 - self._watched[number].most
        return self._movers[number].get(place, 0) - mine < max(1, too_many)

    def group(self, shut: Shut) -> str:
        """Id of the group for whose sake places are shut."""
        return self._watched[shut.number].group

    def in_zones(self, shut: Sequence[Shut]) -> list[Shut]:
        """What of it is for the sake of zones."""
        return [one for one in shut if self._watched[one.number].level == "az"]

    def closer(self) -> tuple[Closer, ...]:
        """Groups whose members are closer together than at the start, in order."""
        found = []
        for watched, there in zip(self._watched, self._there, strict=True):
            most = max(there.values(), default=0)
            if len(there) < len(watched.start) or most > watched.most:
                before, after = (len(watched.start), watched.most), (len(there), most)
                found.append(_row(watched.group, watched.level, before, after))
        return tuple(sorted(found, key=lambda row: (row.group, row.level)))


def _row(group: str, level: Level, before: tuple[int, int], after: tuple[int, int]) -> Closer:
    return Closer(
        group=group, level=level, places_before=before[0], places_after=after[0], most_before=before[1], most_after=after[1]
    )


def closer_of(cloud: Cloud, turns: Iterable[Turn]) -> tuple[Closer, ...]:
    """Groups whose members these turns leave closer together than at the start."""
    if not cloud.watched:
        return ()
    spread = Spread(cloud)
    for turn in turns:
        for move in turn.moves:
            spread.moves(move.placed.guest, turn.node, move.placed.target, again=move.placed.extra)
    return spread.closer()


def _add(counts: dict[str, int], place: str | None, count: int) -> None:
    if place is None:
        return
    count += counts.get(place, 0)
    if count:
        counts[place] = count
    else:
        del counts[place]


def is_shut(shut: Sequence[Shut], node: int) -> bool:
    """Whether the node is in one of the places."""
    for _, of, places in shut:  # noqa: SIM110 - a generator costs three times as much, and this is the hot spot
        if of[node] in places:
            return True
    return False
