"""Which releases lead from what a node runs to where it is to go: a search over the imported ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from escalator.model.release import Release
from escalator.model.requires import NONE
from escalator.model.version_ranges import Range, Version

MAX_STEPS = 10_000
"""Releases looked at; a name has some dozens of versions."""


def allows(ranges: Iterable[str], version: Version | None) -> bool:
    """Whether one of the ranges holds the version; `none` stands for a node without any."""
    return any((version is None) if text == NONE else (version is not None and version in Range(text)) for text in ranges)


def goes_upon(release: Release, version: Version | None, newer: Mapping[Version, Release]) -> bool:
    """Whether a release may be installed over a version of it.

    It may by its own `upgrades_from`, or, on the way down, by `rollback_to` of the version that is there. Who says
    nothing in `upgrades_from` takes every earlier version; and the way down is open where neither side says anything.
    """
    spec, own = release.spec, Version(release.spec.version)
    if version == own:
        return True
    if spec.upgrades_from and allows(spec.upgrades_from, version):
        return True
    if version is None or version < own:
        return not spec.upgrades_from
    there = newer.get(version)
    if there is not None and there.spec.rollback_to:
        return there.spec.point_of_no_return is None and allows(there.spec.rollback_to, own)
    if there is not None and there.spec.point_of_no_return is not None:
        return False
    return not spec.upgrades_from


def path(release: Release, version: Version | None, imported: Sequence[Release]) -> tuple[Release, ...] | None:
    """The fewest releases that lead from that version to the release, which is the last; None when there is no way.

    Steps on the way go up where the goal is above what runs, and down where it is below; of ways of the same length the
    one over the latest versions is taken.
    """
    goal = Version(release.spec.version)
    same = {Version(other.spec.version): other for other in [*imported, release] if other.metadata.name == release.metadata.name}
    up = version is None or version <= goal
    queue: deque[tuple[Version | None, tuple[Release, ...]]] = deque([(version, ())])
    seen = {version}
    for _ in range(MAX_STEPS):
        if not queue:
            return None
        at, way = queue.popleft()
        if at == goal:
            return way or (release,)
        # Of ways of the same length the first that is found counts: those over late versions come first.
        for then, other in sorted(same.items(), key=lambda pair: pair[0], reverse=up):
            onward = (at is None or then > at) and then <= goal if up else (at is not None and goal <= then < at)
            if then not in seen and onward and goes_upon(other, at, same):
                seen.add(then)
                queue.append((then, (*way, other)))
    return None
