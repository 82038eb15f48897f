"""Pytest fixtures of the OpenStack bed. `tests/conftest.py` imports them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from beds.openstack.bed import OpenStackBed
from beds.openstack.environment import UnmetError

__all__ = ["fresh_openstack", "openstack_bed"]

NODES = 4


@pytest.fixture(scope="session")
def openstack_bed() -> Iterator[OpenStackBed]:
    """Hosts cn-01 to cn-04. Skips where it cannot run; fails instead when ESCALATOR_REQUIRE_REAL names `openstack`."""
    bed = OpenStackBed()
    try:
        bed.start(NODES)
    except UnmetError as error:
        if "openstack" in os.environ.get("ESCALATOR_REQUIRE_REAL", "").replace(",", " ").split():
            pytest.fail(f"the OpenStack bed is required here and cannot run: {error}")
        pytest.skip(f"the OpenStack bed cannot run here: {error}")
    try:
        yield bed
    finally:
        bed.stop()


@pytest.fixture
def fresh_openstack(openstack_bed: OpenStackBed) -> Iterator[OpenStackBed]:
    """The bed, put back to an empty cloud of healthy hosts after the test."""
    yield openstack_bed
    openstack_bed.reset()
