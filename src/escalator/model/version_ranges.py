"""Versions and ranges of them, as releases write them.

A version is what follows MAJOR.MINOR.PATCH, and also what operating systems, kernels and packages carry: numbers with dots,
and a rest. Parts that are missing count as 0, so `12` is `12.0.0`. The rest says what it is by its first letter: `-rc.1`
or `~beta` is a version before the one that is named, as in Semantic Versioning; a rest that begins with a digit, as in
`6.1.0-44-amd64`, is a later build of it. What follows `+` does not count.

A range is one or more conditions with commas between them, all of which have to hold::

    >=1.5, <3        from 1.5 on, below 3 (and not 3.0.0-rc.1 either)
    1.*              every 1.something
    2.0.0            exactly that; also written =2.0.0
    >=1, !=1.4.2     from 1 on, but not that one
    *                every version
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from functools import cached_property, total_ordering
from itertools import zip_longest
from typing import Literal

_REST = r"[A-Za-z0-9][A-Za-z0-9.~-]*"
_NUMBERS = r"\d{1,12}(?:\.\d{1,12}){0,7}"
_VERSION = re.compile(rf"(?:\d+:)?v?({_NUMBERS})(?:(?:[-~.]|(?=[A-Za-z]))({_REST}))?(?:\+[A-Za-z0-9.~-]*)?")
_CONDITION = re.compile(r"(>=|<=|!=|==|=|>|<)?\s*(\S+)")
_COMPARE = {"=": operator.eq, "!=": operator.ne, ">": operator.gt, ">=": operator.ge, "<=": operator.le}
MAX_RANGE = 200
"""Characters of a range; nobody needs more to say from where to where."""
MAX_VERSION = 255
"""Characters of a version. Nodes and clouds say theirs, and a number of thousands of digits cannot even be read."""
MAX_CONDITIONS = 20
Jump = Literal["same", "patch", "minor", "major", "downgrade"]


@total_ordering
@dataclass(frozen=True)
class Version:
    """A version that can be compared. Raises ValueError for what is none."""

    text: str

    def __post_init__(self) -> None:
        if len(self.text) > MAX_VERSION or _VERSION.fullmatch(self.text) is None:
            raise ValueError(f"{self.text[:60]!r} is no version")

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        """The numbers before the rest, at least three."""
        found = _VERSION.fullmatch(self.text)
        numbers = [int(part) for part in found[1].split(".")] if found else []
        while len(numbers) > 3 and not numbers[-1]:
            numbers.pop()
        return tuple(numbers + [0] * (3 - len(numbers)))

    @cached_property
    def rest(self) -> str:
        """What stands behind the numbers, without what follows `+`."""
        found = _VERSION.fullmatch(self.text)
        return (found[2] or "") if found else ""

    @property
    def early(self) -> bool:
        """Whether it comes before the version that its numbers name."""
        return self.rest[:1].isalpha()

    @property
    def major(self) -> int:
        """The first number."""
        return self.numbers[0]

    @cached_property
    def _key(self) -> tuple[tuple[int, ...], int, tuple[tuple[int, int, str], ...]]:
        rank = -1 if self.early else (1 if self.rest else 0)
        parts = re.split(r"[.~-]", self.rest) if self.rest else []
        # As in Semantic Versioning: numbers by their value and before words, words by their letters.
        return self.numbers, rank, tuple((0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __lt__(self, other: Version) -> bool:
        return self._key < other._key

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Range:
    """A range of versions. Raises ValueError, in words for people, for what is none."""

    text: str

    def __post_init__(self) -> None:
        if len(self.text) > MAX_RANGE or self.text.count(",") >= MAX_CONDITIONS:
            raise ValueError("this range is too long")
        for part in self.text.split(","):
            _condition(part)

    @cached_property
    def _conditions(self) -> tuple[tuple[str, str, Version | None], ...]:
        return tuple(_condition(part) for part in self.text.split(","))

    def __contains__(self, version: object) -> bool:
        found = version if isinstance(version, Version) else Version(str(version))
        return all(_holds(found, *condition) for condition in self._conditions)

    def __str__(self) -> str:
        return self.text


def _condition(text: str) -> tuple[str, str, Version | None]:
    """Operator, text of the version, and the version; none for `*` and for `1.*`."""
    found = _CONDITION.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text.strip()[:60]!r} is no condition on a version, such as >=1.5 or 2.*")
    sign, name = found[1] or "=", found[2]
    if name in ("*", "x"):
        if found[1]:
            raise ValueError(f"{text.strip()!r}: * stands alone")
        return "*", "", None
    if name.endswith((".*", ".x")):
        if sign not in ("=", "==", "!="):
            raise ValueError(f"{text.strip()!r}: a version with * stands alone, or behind = or !=")
        Version(name[:-2])
        return "!*" if sign == "!=" else "*", name[:-2], None
    return ("=" if sign == "==" else sign), name, Version(name)


def _holds(version: Version, sign: str, name: str, bound: Version | None) -> bool:
    if bound is None:
        wanted = [int(part) for part in name.split(".")] if name else []
        under = all(a == b for a, b in zip_longest(version.numbers[: len(wanted)], wanted, fillvalue=0))
        return under if sign == "*" else not under
    if sign == "<":
        # What comes before 3.0.0 but is already a 3 is not meant by <3, unless the bound itself is such a one.
        return version < bound and not (version.early and version.numbers == bound.numbers and not bound.early)
    return bool(_COMPARE[sign](version, bound))


def jump(before: Version, after: Version) -> Jump:
    """What kind of step it is from one version to another, by the first number that differs."""
    if after < before:
        return "downgrade"
    if after == before:
        return "same"
    if after.numbers[0] != before.numbers[0]:
        return "major"
    return "minor" if after.numbers[1] != before.numbers[1] else "patch"


def version_or_none(text: str | None) -> Version | None:
    """The version, or None for what is none."""
    try:
        return None if text is None else Version(text)
    except ValueError:
        return None
