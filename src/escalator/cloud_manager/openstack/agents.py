"""Nova's services and Neutron's agents on a node."""

from __future__ import annotations

from urllib.parse import urlencode

from escalator.cloud_manager.agents import Agent
from escalator.cloud_manager.openstack import reading
from escalator.cloud_manager.openstack.client import Api, Client, Json


class OpenStackAgents:
    """The port's verb. It raises TemporaryError or PermanentError (`CLD_*`)."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def on(self, node: str) -> tuple[Agent, ...]:
        """The services and agents on the node."""
        return await self._client.run(lambda api: agents(api, node))


def agents(api: Api, node: str) -> tuple[Agent, ...]:
    """Nova's services and Neutron's agents on the node; of the latter none where the plug-in has none.

    Raises PermanentError (`CLD_NOT_FOUND`) when the node has no compute service.
    """
    reading.service(api, node)
    rows: list[Json] = api.compute.get("/os-services", f"list the services of {node}", {"host": node})["services"]
    found = [
        Agent(row["binary"], row["state"] == "up" and not row["forced_down"], row["status"] == "enabled", row["disabled_reason"])
        for row in rows
        if row["host"] == node
    ]
    body = api.network.find(f"/agents?{urlencode({'host': node})}", f"list the network agents of {node}")
    found += [
        Agent(row.get("agent_type") or row["binary"], bool(row["alive"]), bool(row["admin_state_up"]))
        for row in (() if body is None else body["agents"])
        if row["host"] == node
    ]
    return tuple(sorted(found, key=lambda agent: agent.name))
