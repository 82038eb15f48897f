"""What beds start from, made before the first test.

On a new machine it takes minutes, which would count against the time-out of whichever test comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import pytest

from beds.masakari.fixtures import installed as masakari
from beds.nodes.base import CannotRunError, base
from beds.nodes.bed import check_can_run
from beds.openstack.bed import prepare as openstack
from beds.published.fixtures import installed


def nodes() -> None:
    check_can_run()
    base()


BEDS: Mapping[str, Callable[[], object]] = {
    "openstack": openstack,
    "nodes": nodes,
    "masakari_service": masakari,
    "tacker5": lambda: installed("tacker5"),
    "tacker16": lambda: installed("tacker16"),
}
"""By the marker, or the fixture, of tests that need it."""


def needed(items: Iterable[pytest.Item]) -> list[str]:
    """Beds of these tests, in the order of `BEDS`."""
    found: set[str] = set()
    for item in items:
        found |= {mark.name for mark in item.iter_markers()}
        found |= set(getattr(item, "fixturenames", ()))
    return [name for name in BEDS if name in found]


def prepare(items: Iterable[pytest.Item]) -> None:
    """Make what the beds of these tests start from. What cannot be made is told by the bed itself, when it starts."""
    for name in needed(items):
        try:
            BEDS[name]()
        except (RuntimeError, CannotRunError) as error:
            print(f"{name}: {error}")
