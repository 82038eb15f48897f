"""The template: databases of an empty cloud with its users, image and flavors, made once and loaded at each start.

In the dump the folder and the ports of the bed that made it are placeholders, so that it fits any other.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

from beds.openstack import config
from beds.openstack.environment import template_key
from beds.openstack.layout import DAEMONS, SERVICES, Layout, cache_dir, free_base
from beds.openstack.services import Services

DATABASES = ("keystone", "placement", "glance", "nova_api", "nova", "nova_cell0")
KEPT = ("keystone", "glance")
"""Folders of the state that belong to the databases: Keystone's keys, the image's bytes."""


def ensure_template(venv: Path) -> Path:
    """The folder of the template; made when there is none for these versions and scripts."""
    place = cache_dir() / f"openstack-template-{template_key()}"
    if not place.exists():
        scratch = cache_dir() / f"openstack-template.scratch-{os.getpid()}"
        shutil.rmtree(scratch, ignore_errors=True)
        layout = Layout(scratch / "run", free_base())
        services = Services(layout, venv)
        try:
            _make(services, scratch)
        finally:
            services.stop()
        scratch.rename(place)
    return place


def load(template: Path, services: Services) -> None:
    """Put the template into a bed whose database runs and whose folders exist."""
    layout = services.layout
    dump = (template / "dump.sql").read_bytes()
    for original, placeholder in _placeholders(layout):
        dump = dump.replace(placeholder, original)
    services.sql(dump)


def copy_state(template: Path, layout: Layout) -> None:
    """Put the template's keys and image into a bed's folders."""
    for name in KEPT:
        shutil.copytree(template / "state" / name, layout.state / name, dirs_exist_ok=True)


def _placeholders(layout: Layout) -> list[tuple[bytes, bytes]]:
    pairs = [(str(layout.run).encode(), b"@@RUN@@")]
    return pairs + [(f"127.0.0.1:{layout.port(s)}".encode(), f"@@{s.upper()}@@".encode()) for s in SERVICES]


def _make(services: Services, scratch: Path) -> None:
    layout = services.layout
    services.write_config()
    services.start_broker()
    services.start_database()
    services.start_neutron()
    services.sql("".join(f"create database {name} character set utf8mb4;" for name in DATABASES).encode())
    _in_parallel(lambda: _sync_keystone(services), lambda: _sync_small(services), lambda: _sync_nova(services))
    for name in ("keystone", "placement", "glance"):
        services.start_api(name)
    services.wait_api("keystone")
    endpoints = [
        f"nova={layout.url('nova', '/v2.1')}",
        *(f"{name}={layout.url(name)}" for name in ("placement", "glance", "neutron")),
    ]
    _populate(services, "users", *endpoints)
    services.wait_broker()
    services.start_api("nova")
    services.wait_api("nova")
    services.wait_api("glance")
    _populate(services, "images")
    for name in KEPT:
        shutil.copytree(layout.state / name, scratch / "state" / name)
    dump = services.dump(*DATABASES)
    for original, placeholder in _placeholders(layout):
        dump = dump.replace(original, placeholder)
    (scratch / "dump.sql").write_bytes(dump)


def _populate(services: Services, *words: str) -> None:
    services.python(
        DAEMONS / "populate.py",
        "bed",
        *words,
        BED_SERVICE=config.SERVICE_PASSWORD,
        BED_ESCALATOR=config.ESCALATOR_PASSWORD,
        BED_READER=config.READER_PASSWORD,
    )


def _sync_keystone(services: Services) -> None:
    manage = [services.venv / "bin" / "keystone-manage", "--config-dir", services.layout.etc / "keystone"]
    services.run([*manage, "db_sync"])
    services.run([*manage, "fernet_setup", "--keystone-user", "root", "--keystone-group", "root"])
    url = services.layout.url("keystone", "/v3")
    urls = [word for kind in ("public", "internal", "admin") for word in (f"--bootstrap-{kind}-url", url)]
    password = config.ADMIN_PASSWORD
    services.run([*manage, "bootstrap", "--bootstrap-region-id", "RegionOne", *urls], OS_BOOTSTRAP_PASSWORD=password)


def _sync_small(services: Services) -> None:
    bin_dir, etc = services.venv / "bin", services.layout.etc
    services.run([bin_dir / "placement-manage", "--config-file", etc / "placement" / "placement.conf", "db", "sync"])
    services.run([bin_dir / "glance-manage", "--config-file", etc / "glance" / "glance-api.conf", "db_sync"])


def _sync_nova(services: Services) -> None:
    manage = [services.venv / "bin" / "nova-manage", "--config-file", services.nova_conf]
    services.run([*manage, "api_db", "sync"])
    services.run([*manage, "cell_v2", "map_cell0"])
    services.run([*manage, "db", "sync"])
    services.run([*manage, "cell_v2", "create_cell", "--name", "cell1"])


def _in_parallel(*jobs: Callable[[], None]) -> None:
    failures: list[BaseException] = []

    def guarded(job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:  # noqa: BLE001 -- carried to the caller below
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
