"""What a release's impact means for a plan: what it does not touch is not there to be cared for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from escalator.model.codes import Code
from escalator.model.inventory import Inventory, Node
from escalator.model.plan import Condition
from escalator.model.release import Impact, spares_instances


class Brings(NamedTuple):
    """What a plan has to know of the release: the version it brings to each layer, and what it touches."""

    layers: Mapping[str, str]
    impact: Impact | None = None


NOTHING = Brings({})
"""Of a campaign without a release nothing is known."""
SHOWN = 10
BUILT = "compute"
"""The one role whose procedure is built: what else a node is has conditions of its own that nobody would keep."""


def seen_by(inventory: Inventory, impact: Impact | None) -> Inventory:
    """The cloud as a plan for such a release sees it: without instances where they run on undisturbed."""
    if not spares_instances(impact):
        return inventory
    return Inventory.model_construct(nodes=inventory.nodes, instances=(), groups=())


def unready(nodes: Sequence[Node], impact: Impact | None) -> Mapping[str, str]:
    """Nodes that have a role whose procedure is not built, each with the reason; none where nothing of them is touched.

    Where nothing is known of the release, nothing is known of what it touches either.
    """
    if impact in (None, "none"):
        return {}
    found = {}
    for node in nodes:
        others = [role for role in node.roles if role != BUILT]
        if others:
            what = f"{' and '.join(others)} node" + (" too" if BUILT in node.roles else "")
            found[node.id] = f"it is a {what}, and there is no procedure for a release of impact {impact} on one yet"
    return found


def role_condition(refused: Mapping[str, str]) -> tuple[Condition, ...]:
    """No node has a role whose procedure is not built; nothing is said where none has."""
    if not refused:
        return ()
    said = [f"{node}: {reason}" for node, reason in sorted(refused.items())]
    more = f"; and {len(said) - SHOWN} more" if len(said) > SHOWN else ""
    remedy = f"leave these {len(said)} nodes out: scope.exclude; a release of impact none can go there"
    return (Condition(code=Code.UPG_ROLE.value, ok=False, message="; ".join(said[:SHOWN]) + more, remedy=remedy),)
