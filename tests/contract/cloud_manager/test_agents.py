"""The cloud's own services and agents on a node, with their states."""

from __future__ import annotations

import pytest

from contract.cloud_manager.harness import Harness
from escalator.cloud_manager.agents import Agent
from escalator.model.codes import Code
from escalator.model.errors import PermanentError


async def test_the_compute_service_is_among_the_services_of_its_node_with_its_state(harness: Harness) -> None:
    node = harness.nodes[0]
    found = {agent.name: agent for agent in await harness.cloud.agents.on(node)}
    assert found["nova-compute"] == Agent("nova-compute", up=True, enabled=True)
    await harness.disable(node, "bad fan")
    found = {agent.name: agent for agent in await harness.cloud.agents.on(node)}
    assert found["nova-compute"] == Agent("nova-compute", up=True, enabled=False, reason="bad fan")
    assert list(found) == sorted(found)


async def test_a_node_that_the_cloud_does_not_know_is_an_error(harness: Harness) -> None:
    with pytest.raises(PermanentError) as caught:
        await harness.cloud.agents.on("cn-99")
    assert caught.value.code is Code.CLD_NOT_FOUND
