"""A Nova cell that is down: what is in it is not known, which is neither gone nor empty nor out of service.

Nova's answers are those of its API guide, "Handling down cells".
"""

from __future__ import annotations

import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from escalator.cloud_manager.openstack import OpenStackCloud
from escalator.cloud_manager.port import MoveOrder
from escalator.model.campaign import Migration
from escalator.model.codes import Code
from escalator.model.errors import TemporaryError
from escalator.settings import Cloud

NODE, VM = "cn-0001", "vm-000001"
UNKNOWN_SERVICE = {"binary": "nova-compute", "host": NODE, "status": "UNKNOWN"}
UNKNOWN_SERVER = {"id": VM, "status": "UNKNOWN", "tenant_id": "p1", "created": "2026-01-01T00:00:00Z", "links": []}
OTHER_SERVICE = {
    "id": "1",
    "binary": "nova-compute",
    "host": "cn-0002",
    "status": "enabled",
    "state": "up",
    "forced_down": False,
    "disabled_reason": None,
}


class _Answers(BaseHTTPRequestHandler):
    """Keystone, and a Nova whose cell with the one node and its one server does not answer."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        catalog = [
            {
                "type": kind,
                "name": kind,
                "id": kind,
                "endpoints": [{"interface": "public", "region_id": "R", "url": f"{self._url}/{kind}", "id": kind}],
            }
            for kind in ("compute", "network", "placement")
        ]
        token = {"expires_at": "2999-01-01T00:00:00Z", "issued_at": "2026-01-01T00:00:00Z", "catalog": catalog, "methods": []}
        self._say({"token": token}, 201, {"X-Subject-Token": "t"})

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        self._say(*self._found(address.path, parse_qs(address.query)))

    def _found(self, path: str, query: dict[str, list[str]]) -> tuple[Any, int]:
        match path.removeprefix("/compute"):
            case "" | "/":
                links = [{"rel": "self", "href": f"{self._url}/compute"}]
                return {
                    "version": {"id": "v2.1", "status": "CURRENT", "version": "2.96", "min_version": "2.1", "links": links}
                }, 200
            case "/os-services":
                hosts = query.get("host", [NODE, "cn-0002"])
                return {"services": [row for row in (UNKNOWN_SERVICE, OTHER_SERVICE) if row["host"] in hosts]}, 200
            case "/servers/detail":
                # With a filter the records of the cell are left out.
                return {"servers": [] if {"host", "name"} & query.keys() else [UNKNOWN_SERVER]}, 200
            case "/servers/vm-000001":
                return {"server": {**UNKNOWN_SERVER, "flavor": {"vcpus": 1, "ram": 1, "disk": 1}, "image": ""}}, 200
        key = path.rsplit("/", 1)[-1].removeprefix("os-").replace("-", "_")
        return {key: [], "hypervisors": [], "server": {}}, 200

    @property
    def _url(self) -> str:
        return f"http://{self.headers['Host']}"

    def _say(self, body: Any, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[OpenStackCloud]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        auth = {"auth_url": f"http://127.0.0.1:{server.server_port}/v3", "username": "u", "password": "p", "project_name": "p"}
        entry = {"auth": auth | {"user_domain_id": "d", "project_domain_id": "d"}, "region_name": "R"}
        file = tmp_path / "clouds.yaml"
        file.write_text(yaml.safe_dump({"clouds": {"c": entry}}), encoding="utf-8")
        found = OpenStackCloud(Cloud(os_cloud="c", config_file=str(file)))
        yield found
        found.close()
        server.shutdown()
        thread.join()


ORDER = MoveOrder(instance=VM, origin=NODE, target="cn-0002", kind="live")
LOOKS: dict[str, Callable[[OpenStackCloud], Awaitable[object]]] = {
    "an instance is not gone": lambda cloud: cloud.instance(VM),
    "a node is not empty": lambda cloud: cloud.instances_on(NODE, Migration()),
    "an inventory does not leave out what is there": lambda cloud: cloud.inventory(Migration()),
    "a service is not down": lambda cloud: cloud.service(NODE),
    "services are not all up": lambda cloud: cloud.unavailable(),
    "a node is not without offers": lambda cloud: cloud.node(NODE),
    "a move is not lost": lambda cloud: cloud.move_status(ORDER),
    "a stop is not done": lambda cloud: cloud.stop(VM),
    "a start is not done": lambda cloud: cloud.start(VM),
    "a probe VM is not gone": lambda cloud: cloud.probe_vms.find("probe-1"),
    "a node is not cordoned": lambda cloud: cloud.cordon(NODE, "ours"),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
async def test_nothing_is_known_of_what_is_in_a_cell_that_does_not_answer(
    cloud: OpenStackCloud, look: Callable[[OpenStackCloud], Awaitable[object]]
) -> None:
    with pytest.raises(TemporaryError) as caught:
        await look(cloud)
    assert (caught.value.code, "cell" in caught.value.message) == (Code.CLD_UNREACHABLE, True)


async def test_what_is_in_another_cell_is_known(cloud: OpenStackCloud) -> None:
    assert (await cloud.service("cn-0002")).up
    assert await cloud.instances_on("cn-0002", Migration()) == ()
