"""Versions and ranges of them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalator.model.version_ranges import Range, Version, jump, version_or_none

ORDER = [
    "0.9",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "1.0.0-44-amd64",
    "1.0.1",
    "1.2",
    "1.10.0",
    "2",
    "12.10.0",
]
NUMBERS = st.lists(st.integers(0, 30), min_size=1, max_size=4).map(lambda numbers: ".".join(map(str, numbers)))
VERSIONS = st.builds(lambda n, rest: n + rest, NUMBERS, st.sampled_from(["", "-rc.1", "-rc.2", "-1", "~beta", "+build.5"]))


@pytest.mark.parametrize(("earlier", "later"), list(pairwise(ORDER)))
def test_versions_follow_one_another(earlier: str, later: str) -> None:
    assert Version(earlier) < Version(later)
    assert not Version(later) < Version(earlier)
    assert Version(earlier) != Version(later)


@pytest.mark.parametrize(("one", "other"), [("12", "12.0.0"), ("1.2.3+a", "1.2.3+b"), ("1.2.3.0", "1.2.3"), ("v2.0", "2")])
def test_what_means_the_same_is_equal(one: str, other: str) -> None:
    assert Version(one) == Version(other)
    assert hash(Version(one)) == hash(Version(other))


@pytest.mark.parametrize("text", ["", "x", "1..2", "-1", "1 2", "latest", "1.2;rm", "9" * 40])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no version"):
        Version(text)
    assert version_or_none(text) is None


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        (">=1.5, <3", ["1.5", "1.5.0-2", "2.99", "2.0.0-rc.1"], ["1.4.9", "1.5.0-rc.1", "3", "3.0.0-rc.1", "30"]),
        ("1.*", ["1", "1.0.0", "1.99.1", "1.0.0-rc.1"], ["0.9", "2", "11"]),
        ("1.5.*", ["1.5", "1.5.9"], ["1.50.0", "1.4"]),
        ("2.0.0", ["2", "2.0.0"], ["2.0.1", "2.0.0-rc.1"]),
        ("==2", ["2.0"], ["2.1"]),
        (">=1, !=1.4.2", ["1", "1.4.1", "1.4.3"], ["1.4.2", "0.9"]),
        (">=1, !=1.4.*", ["1.3", "1.5"], ["1.4", "1.4.7"]),
        ("*", ["0", "1.0.0-rc.1", "99"], []),
        ("<3.0.0-rc.2", ["3.0.0-rc.1", "2"], ["3.0.0-rc.2", "3"]),
        (">1, <=2", ["1.0.1", "2"], ["1", "2.0.1"]),
    ],
)
def test_a_range_holds_what_it_says(text: str, inside: list[str], outside: list[str]) -> None:
    assert [version for version in inside if version not in Range(text)] == []
    assert [version for version in outside if version in Range(text)] == []


@pytest.mark.parametrize("text", ["", ">", ">=x", "1,,2", ">=1.*", ">*", "1 - 2", ">= 1 2", "~>1", "," * 30, "1," * 150 + "1"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Range(text)


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("1.2.3", "1.2.4", "patch"),
        ("1.2.3", "1.3.0", "minor"),
        ("1.9", "2.0", "major"),
        ("2", "2.0.0", "same"),
        ("2.0.0", "1.9", "downgrade"),
        ("1.2.3", "1.2.3-1", "patch"),
    ],
)
def test_major_minor_and_patch_are_told_apart(before: str, after: str, kind: str) -> None:
    assert jump(Version(before), Version(after)) == kind


@given(VERSIONS, VERSIONS, VERSIONS)
def test_the_order_is_one(one: str, two: str, three: str) -> None:
    a, b, c = Version(one), Version(two), Version(three)
    assert sum((a < b, a == b, b < a)) == 1
    assert not (a < b and b < c) or a < c


@given(VERSIONS, VERSIONS)
def test_a_range_and_its_opposite_share_nothing(version: str, bound: str) -> None:
    assert (version in Range(f">={bound}")) != (Version(version) < Version(bound))
    assert (version in Range(f"={bound}")) != (version in Range(f"!={bound}"))
    assert not (version in Range(f"<{bound}") and version in Range(f">={bound}"))


def test_what_is_longer_than_any_version_is_none() -> None:
    assert version_or_none("1.0-" + "9" * 250) is not None
    assert version_or_none("1.0-" + "9" * 5000) is None
