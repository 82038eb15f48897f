"""Published programs that tests run, each in an environment of its own.

Where they cannot be installed the tests are skipped, unless ESCALATOR_REQUIRE_REAL names `tacker`: then they fail.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from beds.venvs import NotInstalledError, ensured, locked

__all__ = ["doctor", "tacker5", "tacker16"]

HERE = Path(__file__).resolve().parent


def installed(name: str) -> Path:
    """The environment. Tacker asks for more packages than the modules load that are run: none is resolved."""
    with locked(name):
        return ensured(f"{name}-venv", HERE / f"{name}.lock", "--no-deps")


def _python(name: str) -> Path:
    """Python of the environment."""
    try:
        return installed(name) / "bin" / "python"
    except NotInstalledError as error:
        if "tacker" in os.environ.get("ESCALATOR_REQUIRE_REAL", "").replace(",", " ").split():
            pytest.fail(f"ESCALATOR_REQUIRE_REAL asks for it, and {error}")
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def doctor() -> tuple[Path, str]:
    """Python with what OPNFV Doctor's application managers import, and where a checkout of Doctor is: nobody packages it."""
    checkout = os.environ.get("DOCTOR_CHECKOUT")
    if not checkout:
        pytest.skip("DOCTOR_CHECKOUT names no checkout of OPNFV Doctor")
    return _python("doctor"), checkout


@pytest.fixture(scope="session")
def tacker5() -> Path:
    """Python with Tacker 5.0.0."""
    return _python("tacker5")


@pytest.fixture(scope="session")
def tacker16() -> Path:
    """Python with Tacker 16.0.0."""
    return _python("tacker16")
