from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from escalator.api.app import operators_app
from integration.api.running import TOKEN, TestServices, running


@pytest.fixture
async def services(tmp_path) -> AsyncIterator[TestServices]:
    async with running(tmp_path) as found:
        yield found


@pytest.fixture
async def stranger(services) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody without the token."""
    transport = httpx.ASGITransport(operators_app(services), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8470") as client:
        yield client


@pytest.fixture
async def api(stranger) -> httpx.AsyncClient:
    """An operator."""
    stranger.headers["Authorization"] = f"Bearer {TOKEN}"
    return stranger
