"""Storage in memory: the twin of the SQL store for demo, rehearsal and tests.

Nothing here awaits, so every method is atomic on its event loop. Values that come in as plain data are kept as JSON
would give them back, so that what runs on this store runs on the other.
"""

from __future__ import annotations

from escalator.storage.memory.admission import MemoryAdmission
from escalator.storage.memory.alarms import MemoryAlarms
from escalator.storage.memory.backups import MemoryBackups
from escalator.storage.memory.campaigns import MemoryCampaigns
from escalator.storage.memory.constraints import MemoryConstraints
from escalator.storage.memory.events import MemoryEvents
from escalator.storage.memory.holds import MemoryHolds
from escalator.storage.memory.notices import MemoryNotices
from escalator.storage.memory.outages import MemoryOutages
from escalator.storage.memory.registry import MemoryReleases, MemoryVnfms
from escalator.storage.memory.restorations import MemoryRestorations
from escalator.storage.memory.subscriptions import MemorySubscriptions
from escalator.storage.memory.tasks import MemoryTasks
from escalator.storage.port import Store

__all__ = ["memory_store"]


def memory_store() -> Store:
    """Return a store that is empty and is gone with the process."""
    events = MemoryEvents()
    vnfms = MemoryVnfms()
    tasks = MemoryTasks(events)
    campaigns = MemoryCampaigns(events, tasks)
    return Store(
        releases=MemoryReleases(),
        vnfms=vnfms,
        subscriptions=MemorySubscriptions(vnfms),
        constraints=MemoryConstraints(),
        alarms=MemoryAlarms(),
        campaigns=campaigns,
        tasks=tasks,
        admission=MemoryAdmission(tasks),
        restorations=MemoryRestorations(),
        notices=MemoryNotices(events),
        events=events,
        outages=MemoryOutages(),
        backups=MemoryBackups(),
        holds=MemoryHolds(campaigns),
    )
