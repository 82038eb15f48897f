"""Alarms of VNF managers that are told per instance, such as Tacker: where to tell, and what came of it. Plain values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One VNF manager's wish to be told about one instance. Times are Unix seconds."""

    id: str
    project: str
    server: str
    """Id of the instance."""
    fault_action: str
    """Address that takes notifications about it."""
    fault_ids: tuple[str, ...]
    """Words of the VNF manager for what it wants to be told; one of them goes with each notification."""
    registered_at: float
    notice: str | None = None
    """Id of the last notice that it was told for. Written before it is told: what then ends is taken for its answer."""
    turn: str | None = None
    """Id of that notice's node task, without the round of asking."""
    told_at: float | None = None
    """When the VNF manager confirmed that notification; null while it is not known whether it has it."""
    ended_at: float | None = None
    """When the VNF manager took it back. Only those are kept that were told for a notice."""
