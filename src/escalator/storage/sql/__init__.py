"""Storage in a database: SQLAlchemy Core, one module per part.

Statements are made once, when their module is imported: SQLAlchemy then finds them compiled in its cache.
"""

from __future__ import annotations

from escalator.storage.engine import Database
from escalator.storage.port import Store
from escalator.storage.sql.admission import SqlAdmission
from escalator.storage.sql.alarms import SqlAlarms
from escalator.storage.sql.backups import SqlBackups
from escalator.storage.sql.campaigns import SqlCampaigns
from escalator.storage.sql.constraints import SqlConstraints
from escalator.storage.sql.events import SqlEvents
from escalator.storage.sql.holds import SqlHolds
from escalator.storage.sql.notices import SqlNotices
from escalator.storage.sql.outages import SqlOutages
from escalator.storage.sql.registry import SqlReleases, SqlVnfms
from escalator.storage.sql.restorations import SqlRestorations
from escalator.storage.sql.subscriptions import SqlSubscriptions
from escalator.storage.sql.tasks import SqlTasks

__all__ = ["sql_store"]


def sql_store(database: Database) -> Store:
    """Return the store over a database whose tables are up to date."""
    return Store(
        releases=SqlReleases(database),
        vnfms=SqlVnfms(database),
        subscriptions=SqlSubscriptions(database),
        constraints=SqlConstraints(database),
        alarms=SqlAlarms(database),
        campaigns=SqlCampaigns(database),
        tasks=SqlTasks(database),
        admission=SqlAdmission(database),
        restorations=SqlRestorations(database),
        notices=SqlNotices(database),
        events=SqlEvents(database),
        outages=SqlOutages(database),
        backups=SqlBackups(database),
        holds=SqlHolds(database),
    )
