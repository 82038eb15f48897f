"""Commands about single nodes, among those that a campaign says make sense now."""

from __future__ import annotations

from collections.abc import Sequence


def node_verbs(campaign: str, nodes: Sequence[str], most: int) -> list[str]:
    """Another turn or none for the first `most` nodes; how many there are beyond stands behind the command that lists them."""
    verbs = [f"escalator node {verb} {campaign} {node}" for node in nodes[:most] for verb in ("retry", "skip")]
    beyond = len(nodes) - most
    if beyond > 0:
        verbs.append(f"escalator node list --campaign {campaign}  # {beyond} more node{'s' if beyond > 1 else ''} like these")
    return verbs
