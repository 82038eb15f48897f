"""Masakari's API beside the OpenStack bed: its hosts are Nova's, its users Keystone's; nobody evacuates anything here."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from keystoneauth1.adapter import Adapter
from keystoneauth1.identity.v3 import Password
from keystoneauth1.session import Session

from beds.openstack import config
from beds.openstack.bed import OpenStackBed
from beds.openstack.catalog import catalogued
from beds.openstack.layout import DAEMONS, REGION
from beds.ready import until_answers
from beds.venvs import NotInstalledError, ensured, locked

__all__ = ["masakari", "masakari_service"]

HERE = Path(__file__).resolve().parent
START_S = 60.0
DATABASE = "masakari.sqlite"


@dataclass(frozen=True)
class Masakari:
    """What a test asks of it, as the administrator."""

    api: Adapter
    bin: Path
    """Programs of its environment, `openstack` with its commands among them."""
    database: Path

    def segment(self, name: str, *hosts: str) -> str:
        """Make a segment of these hosts; its id."""
        wanted = {"name": name, "recovery_method": "auto", "service_type": "COMPUTE"}
        made: str = self.api.post("/segments", json={"segment": wanted}).json()["segment"]["uuid"]
        for host in hosts:
            wanted = {"name": host, "type": "COMPUTE", "control_attributes": "SSH"}
            self.api.post(f"/segments/{made}/hosts", json={"host": wanted})
        return made

    def hosts(self, segment: str) -> dict[str, dict[str, Any]]:
        """The segment's hosts by name."""
        return {row["name"]: row for row in self.api.get(f"/segments/{segment}/hosts").json()["hosts"]}

    def on_maintenance(self, segment: str, host: str, wanted: bool) -> None:
        """What an administrator does."""
        row = self.hosts(segment)[host]
        self.api.put(f"/segments/{segment}/hosts/{row['uuid']}", json={"host": {"on_maintenance": wanted}})

    def died(self, host: str) -> int:
        """What its monitors say of a host that does not answer; the status of the answer."""
        payload = {"event": "STOPPED", "host_status": "NORMAL", "cluster_status": "OFFLINE"}
        said = {"type": "COMPUTE_HOST", "hostname": host, "generated_time": "2026-01-01T00:00:00", "payload": payload}
        status: int = self.api.post("/notifications", json={"notification": said}, raise_exc=False).status_code
        return status


def installed() -> Path:
    """Its environment, made unless it is there. Raises NotInstalledError."""
    with locked("masakari"):
        return ensured("masakari-venv", HERE / "requirements.lock")


@pytest.fixture
def masakari(masakari_service: Masakari) -> Masakari:
    """An empty one, in Keystone's catalogue."""
    with closing(sqlite3.connect(masakari_service.database)) as database, database:
        for table in ("notifications", "hosts", "failover_segments"):
            database.execute(f"delete from {table}")
    return masakari_service


@pytest.fixture(scope="module")
def masakari_service(openstack_bed: OpenStackBed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Masakari]:
    """The running API."""
    folder = tmp_path_factory.mktemp("masakari")
    try:
        venv = installed()
    except NotInstalledError as error:
        if "openstack" in os.environ.get("ESCALATOR_REQUIRE_REAL", "").replace(",", " ").split():
            pytest.fail(f"ESCALATOR_REQUIRE_REAL asks for it, and {error}")
        pytest.skip(str(error))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    file = folder / "masakari.conf"
    file.write_text(_configuration(openstack_bed, folder))
    shutil.copy(venv / "etc" / "masakari" / "api-paste.ini", folder)
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "OS_MASAKARI_CONFIG_DIR": str(folder)}
    manage = [venv / "bin" / "masakari-manage", "--config-file", file, "db", "sync"]
    subprocess.run(manage, env=environment, check=True, capture_output=True)
    serve = [venv / "bin" / "python", DAEMONS / "serve.py", "masakari-api", "masakari.wsgi.api", str(port), "4"]
    url, log = f"http://127.0.0.1:{port}", folder / "masakari.log"
    with log.open("wb") as out, subprocess.Popen(serve, env=environment, stdout=out, stderr=out) as process:
        try:
            until_answers(url, f"Masakari, see {log}", START_S)
            with catalogued(openstack_bed.clouds_yaml, {"instance-ha": f"{url}/v1"}):
                yield Masakari(_administrator(openstack_bed, f"{url}/v1"), venv / "bin", folder / DATABASE)
        finally:
            process.terminate()


def _administrator(bed: OpenStackBed, url: str) -> Adapter:
    entry = yaml.safe_load(bed.clouds_yaml.read_text())["clouds"]["bed"]
    return Adapter(Session(auth=Password(**entry["auth"]), timeout=60), endpoint_override=url)


def _configuration(bed: OpenStackBed, folder: Path) -> str:
    layout = bed.layout
    return f"""[DEFAULT]
transport_url = rabbit://guest:guest@127.0.0.1:{layout.port("rabbit")}//
auth_strategy = keystone
osapi_max_limit = 2
state_path = {folder}
os_privileged_user_name = nova
os_privileged_user_password = {config.SERVICE_PASSWORD}
os_privileged_user_tenant = service
os_privileged_user_auth_url = {layout.url("keystone", "/v3")}
os_region_name = {REGION}
[database]
connection = sqlite:///{folder}/{DATABASE}
[taskflow]
connection = sqlite:///{folder}/taskflow.sqlite
[oslo_concurrency]
lock_path = {folder}
[keystone_authtoken]
auth_type = password
auth_url = {layout.url("keystone", "/v3")}
www_authenticate_uri = {layout.url("keystone", "/v3")}
project_name = service
project_domain_id = default
user_domain_id = default
username = nova
password = {config.SERVICE_PASSWORD}
region_name = {REGION}
"""
