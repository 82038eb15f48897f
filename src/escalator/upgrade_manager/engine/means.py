"""What the driver of a campaign can and cannot do with its release, said in the plan before anything is begun."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.inventory import Inventory
from escalator.model.plan import Condition, Plan
from escalator.model.release import Release
from escalator.model.roles import CLUSTERED
from escalator.system_support.clusters.port import Clusters
from escalator.system_support.port import EVERYTHING, SystemSupport

CANNOT: Mapping[str, str] = {
    "rollback": "put the old software back",
    "backup": "keep a backup",
    "reboot": "reboot nodes",
    "stage": "bring files to nodes ahead",
}
"""In words, what is missing; the gravest first."""
TYPES: Mapping[str, str] = {"packages": "deb-set", "ansible": "ansible"}
"""The only type of release that a driver takes."""
SHOWN = 10


class Means:
    """Conditions of a plan about its driver; nothing is said of one that can do everything."""

    def __init__(
        self, systems: Mapping[str, SystemSupport], release_of: Callable[[str], Awaitable[Release]], clusters: Clusters
    ) -> None:
        self._systems = systems
        self._clusters = clusters
        self._release_of = release_of

    def roles(self, plan: Plan, inventory: Inventory) -> tuple[Condition, ...]:
        """Nodes whose role the settings have no commands for fail the plan; not where the release touches nothing."""
        known = inventory.node_by_id
        there = [known[name] for name in sorted(plan.upgrade_of)] if plan.impact != "none" else []
        found = []
        for role in CLUSTERED:
            nodes, lacks = [node.id for node in there if role in node.roles], self._clusters.missing(role)
            if nodes and lacks:
                more = f" and {len(nodes) - SHOWN} more" if len(nodes) > SHOWN else ""
                message = f"{role} nodes {', '.join(nodes[:SHOWN])}{more}: the settings lack {', '.join(lacks)}"
                remedy = f"name these commands, or leave the {role} nodes out: scope.exclude"
                found.append(Condition(code=Code.UPG_ROLE.value, ok=False, message=message, remedy=remedy))
        return tuple(found)

    async def conditions(self, campaign: Campaign) -> tuple[Condition, ...]:
        """What a person has to know before the start. A release that the driver cannot take fails the plan."""
        system = self._systems.get(campaign.spec.node.driver)
        if system is None or campaign.spec.release is None:
            return ()
        release = await self._release_of(campaign.spec.release)
        wanted = TYPES.get(system.name, release.spec.type)
        if release.spec.type != wanted:
            message = f"driver {system.name} takes releases of type {wanted}; {release.id} has type {release.spec.type}"
            remedy = "name the driver that installs it under node.driver, or another release"
            return (Condition(code=Code.SYS_WRONG_TYPE.value, ok=False, message=message, remedy=remedy),)
        missing = lacking(system, release)
        if not missing:
            return ()
        message = f"driver {system.name} cannot {', cannot '.join(CANNOT[name] for name in missing)} ({release.id})"
        if "rollback" in missing:
            policy = campaign.spec.failure.on_node_failure
            message += "; a node whose upgrade fails stays out of service until a person has put it right"
            message += "" if policy == "leave" else f", whatever failure.on_node_failure ({policy}) says"
        return (Condition(code=Code.SYS_CANNOT.value, ok=True, message=message, remedy=_remedy(system.name, missing)),)


def lacking(system: SystemSupport, release: Release) -> tuple[str, ...]:
    """What the driver cannot do with the release, the gravest first."""
    able = system.capabilities(release)
    return tuple(name for name in CANNOT if name in EVERYTHING - able)


def _remedy(driver: str, missing: tuple[str, ...]) -> str:
    match driver:
        case "ansible":
            return f"a playbook for {', '.join(name for name in missing if name != 'reboot') or 'it'} in the release"
        case "command":
            return "commands in the settings: " + ", ".join(f"system.command.{name}_argv" for name in missing)
        case _:
            return "another driver"
