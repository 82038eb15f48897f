"""Quotas of the projects of a simulated world."""

from __future__ import annotations

from escalator.model.codes import Code
from escalator.world.faults import FaultBook
from escalator.world.records import QuotaRow
from escalator.world.rules import Subject
from escalator.world.state import State

Amounts = tuple[int, int, int]
"""Cores, MiB of memory, instances."""


class Quotas:
    """What projects may use, and do."""

    def __init__(self, state: State, faults: FaultBook) -> None:
        self._state = state
        self._faults = faults

    def get(self, project: str) -> tuple[Amounts, Amounts]:
        """The project's limits (-1 for none) and what is in use, now."""
        self._state.look()
        row = self._state.quotas.rows.get(project, QuotaRow())
        instances = [i for i in self._state.instances.rows.values() if i.project == project]
        cores = sum(i.demand.get("pcpu", 0.0) * i.numa_span for i in instances)
        ram_mib = sum(i.demand.get("mem_mib", 0.0) * i.numa_span for i in instances)
        return (row.cores, row.ram_mib, row.instances), (round(cores), round(ram_mib), len(instances))

    def change(self, project: str, limits: Amounts) -> None:
        """Set the project's limits as a client of the cloud does. Raises PermanentError or TemporaryError as the faults say."""
        with self._state.change(), self._faults.around("quota", Subject(project=project), Code.CLD_REFUSED):
            self.put(project, limits)

    def put(self, project: str, limits: Amounts) -> None:
        """Set the project's limits."""
        with self._state.change():
            self._state.quotas.put(project, QuotaRow(cores=limits[0], ram_mib=limits[1], instances=limits[2]))
