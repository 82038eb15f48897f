"""What happened in the world, for tests and for the demo: a bounded history, incidents, and peaks computed from them."""

from __future__ import annotations

from collections import Counter, defaultdict

from escalator.model.inventory import Instance
from escalator.world.records import Entry, Incident
from escalator.world.state import State

HISTORY_LIMIT = 500_000
"""Entries kept; a campaign over five thousand nodes makes about two hundred thousand."""
INCIDENT_LIMIT = 10_000
"""Incidents kept; one is too many already."""


class Audit:
    """The world's own record. Nothing that the manager does can change it."""

    def __init__(self, state: State, limit: int = HISTORY_LIMIT) -> None:
        self._state = state
        self._limit = limit
        self._entries = max((entry.seq for entry in state.history), default=0)

    def note(self, at: float, what: str, *, node: str | None = None, instance: str | None = None, detail: str = "") -> None:
        """Add a line to the history. Call it inside a change."""
        self._entries += 1
        entry = Entry(at=at, what=what, node=node, instance=instance, detail=detail, seq=self._entries)
        self._state.history.put(str(self._entries % self._limit), entry)

    def incident(self, at: float, what: str, node: str, instance: str | None, message: str) -> None:
        """Record what must not happen. Call it inside a change."""
        seq = len(self._state.incidents.rows) + 1
        if seq <= INCIDENT_LIMIT:
            row = Incident(at=at, what=what, node=node, instance=instance, message=message, seq=seq)
            self._state.incidents.put(str(seq), row)

    def carries_business(self, instance: Instance, at: float) -> bool:
        """Whether an impact on the instance where it is would lose business: it runs and nobody released it."""
        if not instance.running or instance.vacate == "in-place":
            return False
        released = self._state.released.rows.get(instance.id)
        return released is None or released.node != instance.node or released.at > at

    @property
    def incidents(self) -> tuple[Incident, ...]:
        """Everything that should not have happened, in order."""
        self._state.look()
        return tuple(self._state.incidents.rows.values())

    def history(self, *whats: str) -> tuple[Entry, ...]:
        """Lines of the history of these kinds (all, when none is named), in order of their time."""
        self._state.look()
        rows = (e for e in self._state.history if not whats or e.what in whats)
        return tuple(sorted(rows, key=lambda entry: (entry.at, entry.seq)))

    def most_unavailable(self) -> int:
        """The largest number of nodes that were cordoned or down at once."""
        reasons: defaultdict[str, Counter[str]] = defaultdict(Counter)
        away: set[str] = set()
        peak = 0
        for entry in self.history("cordon", "restore", "node-down", "node-up"):
            node = entry.node or ""
            kind = "cordon" if entry.what in ("cordon", "restore") else "down"
            reasons[node][kind] = int(entry.what in ("cordon", "node-down"))
            away.discard(node) if not any(reasons[node].values()) else away.add(node)
            peak = max(peak, len(away))
        return peak

    def moves_to_old(self) -> tuple[Entry, ...]:
        """Moves that began while their target was not upgraded yet; `extra` moves of a plan are among them."""
        upgraded: set[str | None] = set()
        found = []
        for entry in self.history("move-start", "upgrade-done", "upgrade-not-needed", "rollback-done", "restore-done"):
            if entry.what == "move-start":
                found += [entry] if entry.detail.rpartition(" to ")[2] not in upgraded else []
            elif entry.what in ("rollback-done", "restore-done"):
                upgraded.discard(entry.node)
            else:
                upgraded.add(entry.node)
        return tuple(found)

    def group_peaks(self) -> dict[str, int]:
        """The largest number of members of each group that were impacted at once."""
        impacted: defaultdict[str, Counter[str]] = defaultdict(Counter)
        peaks: Counter[str] = Counter()
        for entry in self.history("impact-start", "impact-end"):
            step = 1 if entry.what == "impact-start" else -1
            for group in filter(None, entry.detail.split(",")):
                impacted[group][entry.instance or ""] += step
                peaks[group] = max(peaks[group], sum(1 for count in impacted[group].values() if count > 0))
        return dict(peaks)

    def impact(self, at: float, instance: Instance, *, begins: bool) -> None:
        """Note that an instance's business is impacted from now, or no more. Call it inside a change."""
        what = "impact-start" if begins else "impact-end"
        self.note(at, what, node=instance.node, instance=instance.id, detail=",".join(instance.groups))
