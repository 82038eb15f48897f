"""What the break-glass sheet says beside the commands: where to look further, and which software a node goes from and to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from escalator.installed import installed_version
from escalator.model.errors import EscalatorError
from escalator.model.plan import NodeVersion
from escalator.settings import Settings
from escalator.storage.opening import FILE
from escalator.storage.port import Store
from escalator.upgrade_manager.engine.context import Book

ON_NODES = "/var/lib/escalator/operations"


def places(settings: Settings) -> Sequence[str]:
    """Where log and history are when the server is not there to show them; and which version of Escalator wrote the sheet."""
    database = settings.database
    history = f"{settings.state / FILE} (SQLite)" if database.url is None else f"PostgreSQL, schema {database.schema_name}"
    return (
        f"Written by Escalator {installed_version()}. More is told by:",
        "  its log: what the server wrote to standard error; journalctl -u escalator, where it is a unit of that name",
        f"  its history, who did what and when: table events of {history}",
        f"  the nodes: {ON_NODES} has log and exit code of what was started there over SSH",
    )


class Notes:
    """Says of each node of a campaign which software it ran, and which one it was to run."""

    def __init__(self, store: Store, book: Book) -> None:
        self._store = store
        self._book = book

    async def of(self, campaign: str) -> Mapping[str, str]:
        """One line for each node whose versions the campaign's plan tells; nothing where it cannot be read."""
        row = await self._store.campaigns.get(campaign)
        if row is None or row.plan is None:
            return {}
        try:
            plan, _ = await self._book.plan(row.plan)
        except EscalatorError:
            return {}
        release = str(row.document.get("spec", {}).get("release") or "no release")
        return {found.node: _said(found, release, campaign) for found in plan.versions}


def _said(found: NodeVersion, release: str, campaign: str) -> str:
    before = found.runs or "a version that is not known"
    return f"campaign {campaign} brings {release}: from {before} to {found.to}"
