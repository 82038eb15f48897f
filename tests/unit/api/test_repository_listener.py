from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from escalator.api.repository import repository_app


class Known:
    """Two files by name; one of them was removed from the disk."""

    def __init__(self, folder: Path) -> None:
        self._files = {
            "dists/stable/InRelease": (folder / "InRelease", "text/plain"),
            "pool/gone.deb": (folder / "gone.deb", "application/vnd.debian.binary-package"),
        }

    def open(self, path: str) -> tuple[Path, str] | None:
        return self._files.get(path)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    (tmp_path / "InRelease").write_text("0123456789")
    (tmp_path / "secret").write_text("not for nodes")
    transport = httpx.ASGITransport(repository_app(Known(tmp_path)))
    async with httpx.AsyncClient(transport=transport, base_url="http://repository") as opened:
        yield opened


async def test_a_known_file_is_sent_with_its_type(client: httpx.AsyncClient):
    response = await client.get("/dists/stable/InRelease")
    assert (response.status_code, response.text) == (200, "0123456789")
    assert response.headers["content-type"].startswith("text/plain")


async def test_a_part_of_a_file_can_be_fetched(client: httpx.AsyncClient):
    response = await client.get("/dists/stable/InRelease", headers={"Range": "bytes=4-"})
    assert (response.status_code, response.text) == (206, "456789")


async def test_head_tells_the_length_and_sends_nothing(client: httpx.AsyncClient):
    response = await client.head("/dists/stable/InRelease")
    assert (response.status_code, response.headers["content-length"], response.content) == (200, "10", b"")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/dists",
        "/dists/",
        "/dists/stable/",
        "/secret",
        "/dists/stable/../../secret",
        "/dists/stable/%2e%2e/%2e%2e/secret",
        "//dists/stable/InRelease",
        "/pool/gone.deb",
        "/openapi.json",
        "/docs",
        "/dists/stable/InRelease%00",
    ],
)
async def test_everything_else_is_unknown(client: httpx.AsyncClient, path: str):
    response = await client.get(path)
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == "ESC-API-005"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_nothing_can_be_written(client: httpx.AsyncClient, method: str):
    response = await client.request(method, "/dists/stable/InRelease")
    assert (response.status_code, response.json()["code"]) == (405, "ESC-API-009")
