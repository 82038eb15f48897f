"""Migrations of our tables: run when a store is opened, each in the transaction of all.

Belongs here: Alembic revisions, oldest first, each complete in itself (no import of `tables`, which goes on changing).
A revision that was released is never edited. `versions/*.py` are loaded by Alembic, not imported.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from escalator.model.codes import Code
from escalator.model.errors import PermanentError

VERSION_TABLE = "schema_revision"


def migrate(connection: sa.Connection) -> None:
    """Bring the schema up to date; raises PermanentError when it is newer than this Escalator."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    script = ScriptDirectory.from_config(config)
    known = {revision.revision for revision in script.walk_revisions()}
    unknown = [head for head in revisions(connection) if head not in known]
    if unknown:
        message = f"The database's schema ({', '.join(unknown)}) is newer than this Escalator."
        raise PermanentError(Code.STO_SCHEMA, message, remedy="Start the version of Escalator that wrote it, or a later one.")
    if set(revisions(connection)) != set(script.get_heads()):
        command.upgrade(config, "head")


def revisions(connection: sa.Connection) -> tuple[str, ...]:
    """Return the revision that the schema is at; nothing for an empty database."""
    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_heads()
