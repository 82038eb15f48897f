"""Times for the waves: each move as early as the bounds on migration and the groups' recovery allow."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from escalator.model.campaign import Campaign
from escalator.model.inventory import Instance, Inventory
from escalator.model.plan import Impact, Move, Upgrade
from escalator.upgrade_manager.planner.waves import NodeTurn, Placed


@dataclass(slots=True)
class Timetable:
    """Rows of a plan while it is being made."""

    upgrades: list[Upgrade] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    impacts: list[Impact] = field(default_factory=list)

    @property
    def end_s(self) -> float:
        """When the last upgrade ends."""
        return max((u.end_s for u in self.upgrades), default=0.0)


class Scheduler:
    """Lays waves out one after the other. One object serves one planning run."""

    def __init__(self, campaign: Campaign, inventory: Inventory) -> None:
        self._spec = campaign.spec
        self._groups = inventory.group_by_id
        self._group_free: defaultdict[str, float] = defaultdict(float)
        self._table = Timetable()

    def run(self, waves: Sequence[Sequence[NodeTurn]]) -> Timetable:
        """The rows of the plan; a wave begins when the one before has ended."""
        start = 0.0
        for number, wave in enumerate(waves, start=1):
            departed = self._moves(wave, start)
            for turn in wave:
                self._upgrade(turn, number, max(departed[turn.node.id], start))
            start = self._table.end_s
        return self._table

    def _moves(self, wave: Sequence[NodeTurn], start: float) -> dict[str, float]:
        bounds = self._spec.migration
        total = _Slots(bounds.total, start)
        ends = {turn.node.id: start for turn in wave}
        departures = {turn.node.id: _Slots(bounds.per_node, start) for turn in wave}
        arrivals: defaultdict[str, _Slots] = defaultdict(lambda: _Slots(bounds.per_node, start))
        for turn in wave:
            for placed in turn.moves:
                slots = (total, departures[turn.node.id], arrivals[placed.target.node.id])
                end = self._move(placed, turn, slots, start)
                ends[turn.node.id] = max(ends[turn.node.id], end)
        return ends

    def _move(self, placed: Placed, turn: NodeTurn, slots: Sequence[_Slots], start: float) -> float:
        begin = max(start, self._earliest((placed.instance,)), *(slot.free_at for slot in slots))
        end = begin + self._spec.estimates.move_s(placed.instance.memory_gib, placed.kind)
        for slot in slots:
            slot.take(end)
        self._impacted((placed.instance,), end)
        cells = placed.target.cells
        self._table.moves.append(
            Move.model_validate(
                {
                    "instance": placed.instance.id,
                    "from": turn.node.id,
                    "to": placed.target.node.id,
                    "numa_cell": cells[0] if len(cells) == 1 else cells,
                    "kind": placed.kind,
                    "start_s": begin,
                    "end_s": end,
                    "extra": placed.target.extra,
                }
            )
        )
        return end

    def _upgrade(self, turn: NodeTurn, wave: int, ready: float) -> None:
        staying = [instance for instance, stay in turn.stays if stay.kind != "offline"]
        begin = max(ready, self._earliest(staying))
        end = begin + self._spec.estimates.upgrade_s
        self._impacted(staying, end)
        self._table.upgrades.append(Upgrade(node=turn.node.id, start_s=begin, end_s=end, wave=wave))
        self._table.impacts += [
            Impact(instance=instance.id, kind=stay.kind, node=turn.node.id, start_s=begin, end_s=end)
            for instance, stay in turn.stays
        ]

    def _earliest(self, instances: Iterable[Instance]) -> float:
        instances = tuple(instances)
        groups = {group for instance in instances for group in instance.groups}
        lead = self._spec.workloads.notify.lead_time_s if instances else 0.0
        return max([lead, *(self._group_free[g] for g in groups), *(self._groups[g].lead_s for g in groups)], default=0.0)

    def _impacted(self, instances: Iterable[Instance], end: float) -> None:
        for group in {group for instance in instances for group in instance.groups}:
            self._group_free[group] = max(self._group_free[group], end + self._groups[group].recovery_s)


class _Slots:
    """A bounded number of things at once; `free_at` is when the next one may begin."""

    def __init__(self, count: int, start: float) -> None:
        self._ends = [start] * count

    @property
    def free_at(self) -> float:
        return self._ends[0]

    def take(self, end: float) -> None:
        heapq.heapreplace(self._ends, end)
