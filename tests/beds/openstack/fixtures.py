"""Pytest fixtures of the OpenStack bed. A conftest imports them: `from beds.openstack.fixtures import *`."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from beds.openstack.bed import OpenStackBed
from beds.openstack.environment import UnmetError

__all__ = ["fresh_openstack", "openstack_bed"]

NODES = 4


class _Shared:
    """One bed for the whole run, also when several conftests import the fixture."""

    def __init__(self) -> None:
        self._bed: OpenStackBed | None = None
        self._refused: UnmetError | None = None

    def get(self) -> OpenStackBed:
        if self._refused is not None:
            raise self._refused
        if self._bed is None:
            bed = OpenStackBed()
            try:
                bed.start(NODES)
            except UnmetError as error:
                self._refused = error
                raise
            self._bed = bed
        return self._bed

    def stop(self) -> None:
        if self._bed is not None:
            self._bed.stop()
            self._bed = None


_SHARED = _Shared()


@pytest.fixture(scope="session")
def openstack_bed() -> Iterator[OpenStackBed]:
    """Hosts cn-01 to cn-04. Skips where it cannot run; fails instead when ESCALATOR_REQUIRE_REAL names `openstack`."""
    try:
        bed = _SHARED.get()
    except UnmetError as error:
        if "openstack" in os.environ.get("ESCALATOR_REQUIRE_REAL", "").replace(",", " ").split():
            pytest.fail(f"the OpenStack bed is required here and cannot run: {error}")
        pytest.skip(f"the OpenStack bed cannot run here: {error}")
    try:
        yield bed
    finally:
        _SHARED.stop()


@pytest.fixture
def fresh_openstack(openstack_bed: OpenStackBed) -> Iterator[OpenStackBed]:
    """The bed, put back to an empty cloud of healthy hosts after the test."""
    yield openstack_bed
    openstack_bed.reset()
