"""A whole Escalator whose Fenix interface starts sessions, over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from beds.vnfm.listener import served
from escalator.api.fenix_sessions import sessions_router
from escalator.api.vnfm import vnfm_app
from escalator.model.campaign import Migration
from escalator.model.inventory import Instance
from escalator.model.progress import CampaignState
from escalator.system_support.port import Commands
from escalator.upgrade_manager.sessions import Sessions
from escalator.vim_interface.fenix.access import Access
from escalator.vim_interface.fenix.face import Face
from escalator.vim_interface.fenix.instances import ProjectInstances
from integration.api.running import CAMPAIGN, TestServices, running, write_release

ADMIN, TENANT = "token-of-the-admin", "token-of-p1"
DOCTOR = {"state": "MAINTENANCE", "maintenance_at": "2001-01-01 00:00:00", "metadata": {"openstack_version": "Train"}}
"""What the admin tool of OPNFV Doctor sends."""
PLUGINS = {"firmware": "flash-nic", "bios": "flash-bios", "ticket": "change-ticket", "dummy": "no"}


@dataclass
class Site:
    cloud: TestServices
    http: httpx.AsyncClient
    folder: Path

    async def start(self, **more: object) -> httpx.Response:
        return await self.http.post("/maintenance", json={**DOCTOR, **more})

    async def campaigns(self) -> list[Any]:
        return list(await self.cloud.campaigns.list())

    async def until(self, *states: CampaignState) -> Any:
        for _ in range(1200):
            (row,) = await self.campaigns()
            if row.state in states:
                return row
            await asyncio.sleep(0.02)
        raise AssertionError(f"the campaign is {row.state}: {row.reason}")


@asynccontextmanager
async def opened_site(folder: Path, commands: Commands | None = None) -> AsyncIterator[Site]:
    """One with a template; with `commands` they are run, else they are simulated."""
    template = folder / "template.yaml"
    text = CAMPAIGN.replace("{role: compute}", '{role: compute, names: ["cn-*"]}')
    # Few hosts have nowhere to go but to one another, and back.
    template.write_text(text.replace("max_unavailable: 2", "max_unavailable: 1, max_extra_moves: 1.0"))
    async with running(folder / "state", commands=commands) as cloud:
        await cloud.importer.import_folder(write_release(folder / "release"))
        templates = {"default": str(template), "gone": "/nonexistent.yaml"}
        sessions = Sessions(cloud.ctx, cloud.campaigns, templates, PLUGINS)
        app = vnfm_app(cloud.vim.inbox, cloud.ctx.clock, face := face_of(cloud))
        face.gone = sessions.gone
        app.include_router(sessions_router(sessions, face.access))
        async with served(app) as url:
            headers = {"X-Auth-Token": ADMIN}
            base_url = f"{url}/fenix/v1"
            async with httpx.AsyncClient(base_url=base_url, headers=headers, trust_env=False, timeout=60) as http:
                yield Site(cloud, http, folder)


def face_of(cloud: TestServices) -> Face:
    async def project_of(token: str) -> str | None:
        return {ADMIN: "admins", TENANT: "p1"}.get(token)

    async def roles_of(token: str) -> set[str]:
        return {ADMIN: {"admin", "member"}, TENANT: {"member"}}.get(token, set())

    async def everything() -> Sequence[Instance]:
        return (await cloud.ctx.cloud.inventory(Migration())).instances

    instances = ProjectInstances(everything, cloud.ctx.cloud.instance, cloud.ctx.clock)
    return Face(cloud.ctx.store, cloud.vim.inbox, cloud.ctx.clock, Access(project_of, roles_of), instances)
