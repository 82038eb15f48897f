"""Which clusters the settings ask for."""

from __future__ import annotations

from escalator.model.node_settings import ClusterCommands
from escalator.settings import Settings
from escalator.system_support.clusters.commands import CommandClusters
from escalator.system_support.clusters.port import Clusters
from escalator.system_support.clusters.simulated import SimulatedClusters
from escalator.system_support.port import Commands
from escalator.world.world import World


def opened(settings: Settings, world: World | None, commands: Commands) -> Clusters:
    """Those of the operator's commands; those of a simulated cloud where none is named."""
    if world is not None and settings.system.clusters == ClusterCommands():
        return SimulatedClusters(world)
    return CommandClusters(settings.system.clusters, settings.commands, commands)
