"""Refused credentials: what Keystone itself refuses is not tried at every look; one service that is wrong keeps no other away."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from escalator.cloud_manager.openstack import OpenStackCloud
from escalator.model.codes import Code
from escalator.model.errors import TemporaryError
from escalator.settings import Cloud

NODE = "cn-0001"
SERVICE = {"id": "1", "binary": "nova-compute", "host": NODE, "status": "enabled", "state": "up", "forced_down": False}
PUBLIC = {"interface": "public", "region_id": "R"}
HYPERVISOR = {"id": "h", "hypervisor_hostname": NODE, "service": {"host": NODE}}


class _Site(ThreadingHTTPServer):
    """Keystone, which lets one password in, a Nova, and a Placement that believes no token."""

    password = "old"
    logins: list[str]


class _Answers(BaseHTTPRequestHandler):
    server: _Site

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        given = asked["auth"]["identity"]["password"]["user"]["password"]
        self.server.logins.append(given)
        if given != self.server.password:
            self._say({"error": {"code": 401, "message": "The request you have made requires authentication."}}, 401)
            return
        url = f"http://{self.headers['Host']}"
        catalog = [
            {"type": kind, "name": kind, "id": kind, "endpoints": [{**PUBLIC, "id": kind, "url": f"{url}/{kind}"}]}
            for kind in ("compute", "network", "placement")
        ]
        token = {"expires_at": "2999-01-01T00:00:00Z", "issued_at": "2026-01-01T00:00:00Z", "catalog": catalog, "methods": []}
        self._say({"token": token}, 201, {"X-Subject-Token": given})

    def do_GET(self) -> None:
        token, path = self.headers.get("X-Auth-Token"), self.path.partition("?")[0].rstrip("/")
        if token is not None and (token != self.server.password or path.startswith("/placement")):
            self._say({"error": {"code": 401, "message": "This server could not verify that you are authorized."}}, 401)
        elif path == "/compute":
            links = [{"rel": "self", "href": f"http://{self.headers['Host']}/compute"}]
            newest = {"id": "v2.1", "status": "CURRENT", "version": "2.96", "min_version": "2.1", "links": links}
            self._say({"version": newest}, 200)
        else:
            self._say({"services": [SERVICE], "hypervisors": [HYPERVISOR]}, 200)

    def _say(self, body: Any, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def site() -> Iterator[_Site]:
    with _Site(("127.0.0.1", 0), _Answers) as server:
        server.logins = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _write(file: Path, server: _Site, password: str) -> None:
    auth = {"auth_url": f"http://127.0.0.1:{server.server_port}/v3", "username": "u", "password": password, "project_name": "p"}
    entry = {"auth": auth | {"user_domain_id": "d", "project_domain_id": "d"}, "region_name": "R"}
    file.write_text(yaml.safe_dump({"clouds": {"c": entry}}), encoding="utf-8")


async def _refused(cloud: OpenStackCloud) -> TemporaryError:
    with pytest.raises(TemporaryError) as caught:
        await cloud.service(NODE)
    assert caught.value.code is Code.CLD_CREDENTIALS
    return caught.value


async def test_a_service_that_believes_no_token_keeps_no_other_one_away(tmp_path: Path) -> None:
    with site() as server:
        _write(tmp_path / "clouds.yaml", server, "old")
        cloud = OpenStackCloud(Cloud(os_cloud="c", config_file=str(tmp_path / "clouds.yaml")))
        with pytest.raises(TemporaryError) as caught:
            await cloud.node(NODE)
        assert caught.value.code is Code.CLD_CREDENTIALS
        assert (await cloud.service(NODE)).up
        cloud.close()


async def test_a_password_that_was_changed_is_refused_few_times_and_the_new_one_is_taken_at_once(tmp_path: Path) -> None:
    with site() as server:
        _write(tmp_path / "clouds.yaml", server, "old")
        cloud = OpenStackCloud(Cloud(os_cloud="c", config_file=str(tmp_path / "clouds.yaml")))
        assert (await cloud.service(NODE)).up
        server.password, server.logins = "new", []
        # As many at once as there are threads, and more: each finds out that its token is not believed any more.
        errors = await asyncio.gather(*(_refused(cloud) for _ in range(24)))
        error = await _refused(cloud)
        assert all(error.remedy for error in errors)
        assert "tried again when clouds.yaml has changed" in error.remedy
        assert server.logins == ["old"]
        _write(tmp_path / "clouds.yaml", server, "new")
        assert (await cloud.service(NODE)).up
        cloud.close()
