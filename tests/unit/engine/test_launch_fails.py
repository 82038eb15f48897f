"""An engine that cannot be launched says why."""

from __future__ import annotations

from pathlib import Path

import pytest
from dbos import DBOS
from sqlalchemy.exc import ProgrammingError

from escalator.upgrade_manager.engine.runtimes.dbos import DbosSettings, open_engine


async def test_why_the_engine_was_not_launched_is_what_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def launch() -> None:
        raise ProgrammingError("CREATE SCHEMA dbos", {}, Exception("permission denied for database escalator"))

    with monkeypatch.context() as patched:
        patched.setattr(DBOS, "launch", launch)
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with open_engine(DbosSettings(folder=tmp_path, executor_id="test"), {}):
                raise AssertionError
    async with open_engine(DbosSettings(folder=tmp_path, executor_id="test"), {}):
        pass  # nothing of the first one is left in the way
