"""Check of what a plan says of the spread of groups: members that end closer together than they began."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.plan import Closer, Level
from escalator.upgrade_manager.planner.verify.replay import Replay, Violation

LEVELS: tuple[Level, ...] = ("node", "rack", "az")


def check_spread(replay: Replay) -> Iterator[Violation]:
    """The plan names those groups, and no others, with the right numbers; one that says nothing about it says nothing wrong."""
    said = replay.plan.closer
    if said is None:
        return
    found = set(_closer(replay))
    for row in sorted(found - set(said), key=str):
        yield _wrong(row.group, f"members of {row.group} {_told(row)}, and the plan does not say so")
    for row in sorted(set(said) - found, key=str):
        yield _wrong(row.group, f"the plan says that members of {row.group} {_told(row)}, and it is not so")
    if len(said) != len(set(said)):
        yield _wrong(None, "the plan names a group twice that ends closer together")
    noted = any(c.code == Code.PLN_SPREAD.value and c.remedy for c in replay.plan.conditions)
    if bool(found) != noted:
        times = counted(len(found), "time")
        yield _wrong(None, f"{times} a group ends closer together, and the condition that says so is {noted}")


def _wrong(group: str | None, message: str) -> Violation:
    return Violation(code=Code.PLN_V_REPORT, group=group, message=message)


def _told(row: Closer) -> str:
    before, after = (row.places_before, row.most_before), (row.places_after, row.most_after)
    return f"go from {before[0]} ({row.level}, at most {before[1]} in one) to {after[0]} ({after[1]})"


def _closer(replay: Replay) -> Iterator[Closer]:
    places = _places(replay)
    for group in replay.inventory.groups:
        if group.policy not in ("anti-affinity", "soft-anti-affinity"):
            continue
        members = replay.journeys.apart[group.id]
        if not any(members.ends):
            continue  # nobody moves
        here, ends = [*members.here.values()], members.there
        # Of hard anti-affinity no two members share a node at any time: that is checked elsewhere.
        for level in LEVELS if group.policy == "soft-anti-affinity" else LEVELS[1:]:
            of = places[level]
            if len({of[node] for node in ends if node in of}) == len(ends):
                continue  # each is in a place of its own
            before = _counts(of, here)
            if len(before) < 2:  # in one place nothing can come closer
                continue
            after = _counts(of, ends)
            count, most = len(before), max(before.values())
            count_after, most_after = len(after), max(after.values(), default=0)
            if count_after < count or most_after > most:
                yield Closer(
                    group=group.id,
                    level=level,
                    places_before=count,
                    places_after=count_after,
                    most_before=most,
                    most_after=most_after,
                )


def _places(replay: Replay) -> dict[Level, dict[str, str]]:
    """The place of each node at each level; a node of which no place is told is in none."""
    nodes = replay.inventory.nodes
    return {
        "node": {node.id: node.id for node in nodes},
        "rack": {node.id: node.rack for node in nodes if node.rack is not None},
        "az": {node.id: node.az for node in nodes if node.az is not None},
    }


def _counts(places: Mapping[str, str], nodes: Iterable[str]) -> dict[str, int]:
    """Members in each place."""
    found: dict[str, int] = {}
    for name in nodes if places else ():
        place = places.get(name)
        if place is not None:
            found[place] = found.get(place, 0) + 1
    return found
