"""What tests of subscriptions share: VNF managers that the operator allows to subscribe, and what they send."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from beds.vnfm.bed import Bed, opened_bed
from beds.vnfm.processes import VnfmProcess
from escalator.model.notice import SubscriptionRight, Vnfm, VnfmSpec

Peer = Callable[..., VnfmProcess]
PATH = "/vi-vnfm/v1/subscriptions"
TOKEN = "a-token-of-vnfm-1-for-tests"
OTHER = "a-token-of-vnfm-2-for-tests"
AS_1 = {"Authorization": f"Bearer {TOKEN}"}
AS_2 = {"Authorization": f"Bearer {OTHER}"}
SECRET = "s3cret-of-the-callback"
BASIC = {"authType": ["BASIC"], "paramsBasic": {"userName": "escalator", "password": SECRET}}


def oauth2(endpoint: str, password: str = SECRET) -> dict[str, Any]:
    params = {"clientId": "escalator", "clientPassword": password, "tokenEndpoint": endpoint}
    return {"authType": ["OAUTH2_CLIENT_CREDENTIALS"], "paramsOauth2ClientCredentials": params}


async def allow(bed: Bed, name: str, secret: str, *, kind: str = "bearer", **owned: tuple[str, ...]) -> None:
    """What the operator does: a credential, and what the VNF manager owns."""
    (bed.folder / f"{name}-in").write_text(secret + "\n")
    (bed.folder / f"{name}-in").chmod(0o600)
    right = SubscriptionRight.model_validate({"type": kind, "credential": f"{name}-in"})
    await bed.vim.registry.add(Vnfm(name=name, spec=VnfmSpec(subscription=right, **owned)))


@asynccontextmanager
async def allowed_bed(folder: Path, **options: Any) -> AsyncIterator[Bed]:
    async with opened_bed("vi-vnfm", folder, **options) as bed:
        await allow(bed, "vnfm-1", TOKEN, projects=("p1",))
        await allow(bed, "vnfm-2", OTHER, projects=("p9",), vnfs=("amf-2",))
        yield bed


def check_problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    problem: dict[str, Any] = response.json()
    assert (response.status_code, problem["status"], problem["code"]) == (status, status, code), problem
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["version"] == "1.0.0"
    return problem


def paths(problem: dict[str, Any]) -> list[str]:
    return [p["path"] for p in problem["problems"]]


async def told(bed: Bed, task: str, times: int) -> None:
    """Ask, and wait until that many answers came in altogether."""
    await bed.ask(task)
    await bed.until_woken(times)
