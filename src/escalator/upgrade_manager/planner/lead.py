"""The lead time of notices in a node's turn: it is waited for after the node is asked about, and before anything is touched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from escalator.model.campaign import CampaignSpec
from escalator.model.inventory import Instance


def waits_s(spec: CampaignSpec, instances: Iterable[Instance]) -> float:
    """Seconds that a turn may wait for what is announced to those who do not answer; nothing for an empty node.

    Where every VNF manager answers, work goes on before. Planner, verifier and engine count it into what a node needs of its
    maintenance window, whoever will answer.
    """
    return longest_s(spec, [instance.lead_s for instance in instances])


def longest_s(spec: CampaignSpec, wanted: Sequence[float]) -> float:
    """The same from the lead times that the node's instances want."""
    return max(spec.workloads.notify.lead_time_s, *wanted) if wanted else 0.0
