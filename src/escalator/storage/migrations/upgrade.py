"""Bringing an older schema up to date, by Alembic."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from escalator.model.codes import Code
from escalator.model.errors import PermanentError
from escalator.storage.migrations import FOLDER


def upgrade(connection: sa.Connection, found: Iterable[str]) -> None:
    """Run what is missing after the revisions found; raises PermanentError when one of them is not ours."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    script = ScriptDirectory.from_config(config)
    known = {revision.revision for revision in script.walk_revisions()}
    unknown = [revision for revision in found if revision not in known]
    if unknown:
        message = f"The database's schema ({', '.join(unknown)}) is newer than this Escalator."
        raise PermanentError(Code.STO_SCHEMA, message, remedy="Start the version of Escalator that wrote it, or a later one.")
    command.upgrade(config, "head")
