"""The suite runs over every driver."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from contract.cloud_manager.harness import Harness
from contract.cloud_manager.openstack_harness import OpenStackHarness
from contract.cloud_manager.simulated_harness import SimulatedHarness


@pytest.fixture(params=["simulated", pytest.param("openstack", marks=pytest.mark.openstack)])
def harness(request: pytest.FixtureRequest) -> Iterator[Harness]:
    if request.param == "simulated":
        yield SimulatedHarness()
        return
    made = OpenStackHarness(request.getfixturevalue("fresh_openstack"))
    yield made
    made.cloud.close()
