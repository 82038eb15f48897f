"""What a release's impact means for a plan: what it does not touch is not there to be cared for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from escalator.model.inventory import Inventory
from escalator.model.release import Impact, spares_instances
from escalator.model.roles import Order


class Brings(NamedTuple):
    """What a plan has to know of the release: the version it brings to each layer, what it touches, what goes first."""

    layers: Mapping[str, str]
    impact: Impact | None = None
    order: Order = {}  # noqa: RUF012 - a mapping, and never written; a proxy could not be sent to a worker


NOTHING = Brings({})
"""Of a campaign without a release nothing is known."""


def seen_by(inventory: Inventory, impact: Impact | None) -> Inventory:
    """The cloud as a plan for such a release sees it: without instances where they run on undisturbed."""
    if not spares_instances(impact):
        return inventory
    return Inventory.model_construct(nodes=inventory.nodes, instances=(), groups=())


def apart(impact: Impact | None) -> bool:
    """Whether kinds of nodes have conditions of their own: not where nothing that anybody uses is touched."""
    return impact != "none"
