"""Which version of Escalator this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

DISTRIBUTION = "escalator-nfv"


def installed_version() -> str:
    """The version of the installed distribution, or that it runs from its source."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "from source"
