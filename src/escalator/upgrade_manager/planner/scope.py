"""Which nodes a campaign is about, and which of them cannot be upgraded now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from escalator.model.campaign import Campaign
from escalator.model.inventory import Inventory, Node

OURS = "Escalator campaign "
"""How every reason begins for which a campaign of ours takes a node out of service."""
UNDER_WAY = ("upgrading", "draining")
"""Values of a node's `progress` whose turn has begun and not ended."""


@dataclass(frozen=True, slots=True)
class ScopedNodes:
    """Nodes in scope, by what can be done with them. `left_out` gives the reason per node id."""

    eligible: tuple[Node, ...]
    upgraded: tuple[Node, ...]
    left_out: Mapping[str, str]
    others: tuple[str, ...] = field(default=(), kw_only=True)
    """Campaigns of ours that have nodes of the scope out of service."""
    apart: bool = field(default=True, kw_only=True)
    """Whether kinds of nodes go one after the other, and members of a cluster one at a time."""
    unavailable: int
    """How many nodes in scope are out of service already: they count against `max_unavailable`."""

    @property
    def count(self) -> int:
        """How many nodes are in scope."""
        return len(self.eligible) + len(self.upgraded) + len(self.left_out)


def select(campaign: Campaign, inventory: Inventory) -> ScopedNodes:
    """Sort the nodes of the scope into those to upgrade, those that are upgraded already, and those left out."""
    eligible, upgraded, left_out = [], [], {}
    unavailable = 0
    others = set()
    for node in inventory.nodes:
        if not campaign.spec.scope.includes(node):
            continue
        unavailable += is_out(node)
        others |= {campaign_of(node)} - {""}
        reason = unavailable_reason(node) or held_reason(node)
        if reason is not None:
            left_out[node.id] = reason
        elif node.progress == "done":
            upgraded.append(node)
        else:
            eligible.append(node)
    return ScopedNodes(tuple(eligible), tuple(upgraded), left_out, unavailable, others=tuple(sorted(others)))


def is_out(node: Node) -> bool:
    """Whether the node is out of service, and not for its turn: one that has begun is counted with the turns."""
    return node.progress not in UNDER_WAY and (node.state == "down" or node.maintenance)


def campaign_of(node: Node) -> str:
    """The campaign of ours that has the node out of service; empty when none does, or it is the node's turn that is planned."""
    return campaign_in(node.maintenance_reason) if node.maintenance and node.progress not in UNDER_WAY else ""


def campaign_in(reason: str | None) -> str:
    """The campaign of ours that the reason of a disabled service names; empty where it names none."""
    said = reason or ""
    return said.removeprefix(OURS).partition(":")[0] if said.startswith(OURS) else ""


def held_reason(node: Node) -> str | None:
    """Why nobody may begin the node; what is upgraded or has begun is no matter of that."""
    return node.hold if node.progress == "old" else None


def unavailable_reason(node: Node) -> str | None:
    """Why the node can neither be upgraded nor be a target; None when it can, or is about to be."""
    if node.progress in UNDER_WAY:
        return None
    if node.state == "down":
        return "its compute service is down"
    if node.maintenance:
        if campaign := campaign_of(node):
            return f"campaign {campaign} has it out of service"
        why = f" ({node.maintenance_reason})" if node.maintenance_reason else ""
        return f"it is in maintenance for someone else's reason{why}"
    if node.progress == "failed":
        return "its upgrade failed before"
    return None
