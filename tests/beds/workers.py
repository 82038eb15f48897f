"""Which tests go to one worker where several run side by side (`pytest -n 2 --dist loadgroup`), and which go first.

Half of the time of the whole suite is spent waiting for real services, the other half calculating.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

WAITING = ("acceptance", "durability", "integration", "contract")
"""Folders whose tests take seconds to minutes each: begun late, one of them would run on alone."""


OPENSTACK = "openstack"


def group(item: pytest.Item) -> str:
    """Tests of one file share what lasts for a module; all tests of OpenStack share the one bed that takes minutes to start."""
    if "openstack_bed" in getattr(item, "fixturenames", ()):
        return OPENSTACK
    return item.nodeid.partition("::")[0]


def grouped(items: Iterable[pytest.Item]) -> None:
    """Mark each test with its group."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group(item)))


def long_ones_first(items: list[pytest.Item], tests: Path) -> None:
    """Put them in the order in which they are given out, else as they are. `tests` is the folder that holds them all."""
    items.sort(key=lambda item: _turn(item, tests))


def _turn(item: pytest.Item, tests: Path) -> int:
    if group(item) == OPENSTACK:
        return 0
    return 1 if item.path.relative_to(tests).parts[0] in WAITING else 2
