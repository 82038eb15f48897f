"""What the routes work with. The composition root hands it in; the routes never build anything."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Protocol, cast

from fastapi import Depends, Request

from escalator.api.security import OPERATOR
from escalator.settings import Settings
from escalator.storage.port import ReleaseRow
from escalator.upgrade_manager.backups import BackupService
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.readiness import Readiness
from escalator.upgrade_manager.releases import ReleaseService
from escalator.upgrade_manager.service import CampaignService
from escalator.vim_interface.vim import Vim


class Incoming(Protocol):
    """A bundle that is coming."""

    def feed(self, data: bytes | bytearray | memoryview, /) -> None:
        """Take the next bytes; blocks. Raises InputError, ConditionsError."""
        ...


class Importer(Protocol):
    """Takes in releases, and removes them."""

    def refuse_folders(self) -> None:
        """Raise ConditionsError where releases have to be signed."""
        ...

    async def import_folder(self, folder: Path) -> ReleaseRow:
        """Check, keep and publish the release. Raises InputError with all problems, ConflictError, ConditionsError."""
        ...

    def receive(self) -> AbstractAsyncContextManager[Any]:
        """A bundle (`Incoming`) that is about to come."""
        ...

    async def import_bundle(self, incoming: Any, /) -> ReleaseRow:  # noqa: ANN401 - what `receive` gave
        """Check, keep and publish the release of a bundle that has come. Raises as `import_folder` does."""
        ...

    async def remove(self, release_id: str, require: Callable[[str], Awaitable[None]] | None = None) -> None:
        """Forget a release and remove its files, unless `require` raises when its turn has come."""
        ...


class Services(Protocol):
    """All parts of a running Escalator that operators reach."""

    @property
    def settings(self) -> Settings:
        """Settings in force."""
        ...

    @property
    def ctx(self) -> Context:
        """Ports and storage."""
        ...

    @property
    def campaigns(self) -> CampaignService:
        """Use cases of campaigns, plans and nodes."""
        ...

    @property
    def releases(self) -> ReleaseService:
        """Use cases of releases."""
        ...

    @property
    def backups(self) -> BackupService:
        """Use cases of backups."""
        ...

    @property
    def vim(self) -> Vim:
        """The VIM Interface with its registry."""
        ...

    @property
    def importer(self) -> Importer:
        """Where releases are taken in."""
        ...

    @property
    def token(self) -> str:
        """The operators' bearer token."""
        ...


@dataclass(frozen=True, slots=True)
class Running:
    """What one app serves, and whether it is about to end: streams end then."""

    services: Services
    closing: asyncio.Event
    readiness: Readiness = field(default_factory=Readiness)


def running_of(request: Request) -> Running:
    """The running parts behind a request."""
    return cast("Running", request.app.state.running)


@dataclass(frozen=True, slots=True)
class Named:
    """The services as an operator uses them whose token has a name: what is done is done in that name."""

    settings: Settings
    ctx: Context
    campaigns: CampaignService
    releases: ReleaseService
    backups: BackupService
    vim: Vim
    importer: Importer
    token: str


def on_behalf(services: Services, name: str) -> Services:
    """The services for what is done in that name."""
    ctx = replace(services.ctx, by=name)
    return Named(
        settings=services.settings,
        ctx=ctx,
        campaigns=CampaignService(ctx),
        releases=services.releases,
        backups=services.backups.on_behalf(ctx),
        vim=services.vim,
        importer=services.importer,
        token=services.token,
    )


def services_of(request: Request) -> Services:
    """The services behind a request, for whoever its token names."""
    services, name = running_of(request).services, getattr(request.state, OPERATOR, None)
    return services if name is None else on_behalf(services, name)


Here = Annotated[Services, Depends(services_of)]
"""Parameter of a route: the services."""
