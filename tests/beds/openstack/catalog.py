"""Services in Keystone's catalog, where clients look for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from keystoneauth1.adapter import Adapter
from keystoneauth1.identity.v3 import Password
from keystoneauth1.session import Session

from beds.openstack.layout import REGION


@contextmanager
def catalogued(clouds_yaml: Path, services: dict[str, str]) -> Iterator[None]:
    """Addresses by the type of the service, public, as long as the block runs."""
    entry = yaml.safe_load(clouds_yaml.read_text())["clouds"]["bed"]
    session = Session(auth=Password(**entry["auth"]), timeout=60)
    identity = Adapter(session, service_type="identity", interface="public", region_name=REGION)
    made: list[str] = []
    try:
        for kind, url in services.items():
            service = identity.post("/services", json={"service": {"type": kind, "name": kind}}).json()["service"]["id"]
            made.append(service)
            endpoint = {"service_id": service, "interface": "public", "region_id": REGION, "url": url}
            identity.post("/endpoints", json={"endpoint": endpoint})
        yield
    finally:
        for service in made:
            identity.delete(f"/services/{service}")
        session.session.close()
