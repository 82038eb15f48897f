"""Which tests go to one worker where several run side by side (`make test`), and which go first.

Half of the time of the whole suite is spent waiting for real services, the other half calculating.
"""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadFileScheduling

OPENSTACK = (
    "tests/acceptance/",
    "tests/contract/cloud_manager/",
    "tests/integration/openstack/",
    "tests/integration/vnfm/test_published_",
)
"""All that ask for the one bed that takes minutes to start."""
WAITING = ("tests/acceptance/", "tests/durability/", "tests/integration/", "tests/contract/")
"""Tests that take seconds to minutes each: begun late, one of them would run on alone."""


class Scheduling(LoadFileScheduling):
    """Files are given out whole, as what they share lasts for one; those of the OpenStack bed are given out together."""

    def _split_scope(self, nodeid: str) -> str:
        return "openstack" if nodeid.startswith(OPENSTACK) else super()._split_scope(nodeid)


def long_ones_first(items: list[pytest.Item]) -> None:
    """Put them in the order in which they are given out, else as they are.

    Raises pytest.UsageError for a test that would have a second OpenStack started.
    """
    strays = [item.nodeid for item in items if item.get_closest_marker("openstack") and not item.nodeid.startswith(OPENSTACK)]
    if strays:
        raise pytest.UsageError(f"{strays[0]} needs the openstack bed: name its file in OPENSTACK of {__file__}")
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    if item.nodeid.startswith(OPENSTACK):
        return 0
    return 1 if item.nodeid.startswith(WAITING) else 2
