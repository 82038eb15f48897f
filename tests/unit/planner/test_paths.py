"""The search for a way over imported releases, against every way there is."""

from __future__ import annotations

from itertools import pairwise, permutations

from hypothesis import given
from hypothesis import strategies as st

from escalator.model.document import Metadata
from escalator.model.release import Package, Release, ReleaseSpec
from escalator.model.version_ranges import Version
from escalator.upgrade_manager.planner.paths import goes_upon, path

NAMES = ["1.0.0", "1.5.0", "2.0.0", "2.5.0", "3.0.0"]


def release(version: str, upgrades_from: tuple[str, ...] = (), **more: object) -> Release:
    spec = ReleaseSpec(version=version, packages=(Package(name="agent", version=version),), upgrades_from=upgrades_from, **more)
    return Release(metadata=Metadata(name="agent"), spec=spec)


RANGES = st.lists(
    st.sampled_from(["*", "none", ">=1, <2", "1.5.*", ">=2", "=1.0.0", ">=1.5, <3", "<2.5", "=2.5"]), max_size=2
).map(tuple)
BACK = RANGES.map(lambda ranges: tuple(text for text in ranges if text != "none"))
RELEASES = st.lists(st.sampled_from(NAMES), unique=True, max_size=5).flatmap(
    lambda names: st.tuples(*(st.builds(release, st.just(name), RANGES, rollback_to=BACK) for name in names))
)
STARTS = st.none() | st.sampled_from([*NAMES, "0.5.0", "1.2.0"]).map(Version)


def every_way(goal: Release, start: Version | None, known: dict[Version, Release]) -> list[tuple[Release, ...]]:
    """By trying every order of every choice: slow, and plain."""
    end = Version(goal.spec.version)
    if start == end:
        return [(goal,)]
    others = [r for v, r in known.items() if v != end]
    found = []
    for count in range(len(others) + 1):
        for middle in permutations(others, count):
            way = (*middle, goal)
            stops = [start, *(Version(r.spec.version) for r in way)]
            up = start is None or start < end
            steady = all(a is None or ((a < b) if up else (b < a)) for a, b in pairwise(stops))
            if steady and all(goes_upon(r, at, known) for at, r in zip(stops, way, strict=False)):
                found.append(way)
    return found


@given(RELEASES, STARTS, st.sampled_from(NAMES), RANGES)
def test_the_way_is_one_of_the_shortest_there_are_and_found_whenever_there_is_one(
    imported: tuple[Release, ...], start: Version | None, goal: str, ranges: tuple[str, ...]
) -> None:
    wanted = release(goal, ranges)
    rest = [r for r in imported if r.spec.version != goal]
    known = {Version(r.spec.version): r for r in [*rest, wanted]}
    ways = every_way(wanted, start, known)
    found = path(wanted, start, rest)
    assert (found is None) == (not ways)
    if found is not None:
        assert len(found) == min(map(len, ways))
        assert found in ways


def test_the_way_goes_over_the_releases_that_take_what_is_there() -> None:
    imported = [release("1.5.0", ("1.*",)), release("2.0.0", (">=1.5, <2",))]
    found = path(imported[1], Version("1.0.0"), imported)
    assert found is not None
    assert [r.spec.version for r in found] == ["1.5.0", "2.0.0"]
    assert path(imported[1], Version("0.9.0"), imported) is None


def test_releases_of_another_name_lead_nowhere() -> None:
    other = release("1.5.0", ("1.*",)).model_copy(update={"metadata": Metadata(name="other")})
    assert path(release("2.0.0", (">=1.5",)), Version("1.0.0"), [other]) is None


def test_the_way_down_is_what_the_newer_one_allows() -> None:
    older = release("1.5.0", ("1.*",))
    assert path(older, Version("2.0.0"), [release("2.0.0")]) is None
    assert path(older, Version("2.0.0"), [release("2.0.0", rollback_to=(">=1.5",))]) == (older,)
    final = release("2.0.0", rollback_to=(">=1.5",), point_of_no_return="upgrade")
    assert path(older, Version("2.0.0"), [final]) is None
    assert path(release("1.0.0"), Version("2.0.0"), [final]) is None
    assert path(release("1.0.0"), Version("2.0.0"), []) is not None
