"""Fixtures of the PostgreSQL bed. Tests that use them carry the marker `postgresql`.

Without PostgreSQL they are skipped, unless ESCALATOR_REQUIRE_REAL names `postgresql`: then they fail.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from beds.postgresql.server import MissingError, Server


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    try:
        server = Server()
    except MissingError as error:
        if "postgresql" in os.environ.get("ESCALATOR_REQUIRE_REAL", ""):
            pytest.fail(f"ESCALATOR_REQUIRE_REAL asks for it, and {error}")
        pytest.skip(str(error))
    yield server
    server.close()


@pytest.fixture
def postgresql_url(postgresql_server: Server) -> Iterator[str]:
    """Address of a new, empty database."""
    with postgresql_server.database() as name:
        yield postgresql_server.url(name)
