"""The tenants' and the operator's hands in the bed's cloud: what tests do there and look at, past the driver under test."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from keystoneauth1.adapter import Adapter
from keystoneauth1.identity.v3 import Password
from keystoneauth1.session import Session

from beds.openstack.layout import REGION

BOOT_WAIT_S = 60.0
POLL_S = 0.2


class BedCloud:
    """An administrator's connection, with the few things that tests do."""

    def __init__(self, clouds_yaml: Path) -> None:
        entry = yaml.safe_load(clouds_yaml.read_text(encoding="utf-8"))["clouds"]["bed"]
        self._session = Session(auth=Password(**entry["auth"]), timeout=60)
        self.compute = self._adapter("compute", "2.87")
        self.placement = self._adapter("placement", "1.14")
        self.images = self._adapter("image", None)
        self._image: str | None = None
        self._flavors: dict[str, str] = {}

    @property
    def project_id(self) -> str:
        """Id of the project that this connection works in."""
        return str(self._session.get_project_id())

    def close(self) -> None:
        self._session.session.close()

    def _adapter(self, service: str, microversion: str | None) -> Adapter:
        more = {"default_microversion": microversion, "raise_exc": False}
        return Adapter(self._session, service_type=service, interface="public", region_name=REGION, **more)

    def wait(self, condition: Callable[[], Any], otherwise: str, timeout_s: float = BOOT_WAIT_S) -> Any:
        """What `condition` gives as soon as that is true; the text becomes the failure."""
        end = time.monotonic() + timeout_s
        while True:
            found = condition()
            if found:
                return found
            if time.monotonic() > end:
                raise AssertionError(f"{otherwise} (after {timeout_s:.0f} s)")
            time.sleep(POLL_S)

    # Hosts

    def hosts_up(self) -> set[str]:
        """Hosts whose service is up and whose hypervisor is known, which is later."""
        services = {host for host, service in self.services().items() if service["state"] == "up"}
        known = {h["hypervisor_hostname"] for h in self._get("/os-hypervisors")["hypervisors"]}
        return services & known

    def hypervisor_versions(self) -> dict[str, int]:
        """What the cloud knows of each hypervisor's version; a host tells of a new one only with its next report."""
        found = self._get("/os-hypervisors/detail")["hypervisors"]
        return {h["hypervisor_hostname"]: h["hypervisor_version"] for h in found}

    def service(self, host: str) -> dict[str, Any]:
        """The compute service of the host, raw."""
        found: dict[str, Any] = self._get(f"/os-services?binary=nova-compute&host={host}")["services"][0]
        return found

    def services(self) -> dict[str, dict[str, Any]]:
        """Every compute service, raw, by its host."""
        return {s["host"]: s for s in self._get("/os-services?binary=nova-compute")["services"]}

    def out_of_service(self) -> list[str]:
        """Hosts that somebody disabled or forced down."""
        return [host for host, s in self.services().items() if s["status"] != "enabled" or s["forced_down"]]

    def set_service(self, host: str, **body: Any) -> None:
        """Change the compute service: status, disabled_reason, forced_down."""
        self._ok(self.compute.put(f"/os-services/{self.service(host)['id']}", json=body))

    # Instances

    def boot(self, host: str | None, *, flavor: str = "m1", name: str | None = None, wait: bool = True, **more: Any) -> str:
        """An instance on that host; `more` goes into the request (metadata, availability_zone, …)."""
        hints = {"group": more.pop("group")} if "group" in more else {}
        wanted = {
            "name": name or f"vm-{uuid.uuid4().hex[:8]}",
            "imageRef": self.image(),
            "flavorRef": self.flavor(flavor),
            "networks": "none",
            **({"host": host} if host is not None else {}),
            **more,
        }
        body: dict[str, Any] = {"server": wanted}
        if hints:
            body["os:scheduler_hints"] = hints
        server_id: str = self._ok(self.compute.post("/servers", json=body)).json()["server"]["id"]
        if wait:
            self.wait_state(server_id, "ACTIVE")
        return server_id

    def server(self, server_id: str) -> dict[str, Any]:
        """The instance, raw."""
        found: dict[str, Any] = self._get(f"/servers/{server_id}")["server"]
        return found

    def wait_state(self, server_id: str, status: str, timeout_s: float = BOOT_WAIT_S) -> dict[str, Any]:
        """Wait until the instance has the status and no task."""

        def reached() -> dict[str, Any] | None:
            server = self.server(server_id)
            if server["status"] == "ERROR" != status:
                raise AssertionError(f"the instance went to ERROR: {server.get('fault')}")
            return server if server["status"] == status and server["OS-EXT-STS:task_state"] is None else None

        found: dict[str, Any] = self.wait(reached, f"the instance is not {status}", timeout_s)
        return found

    def act(self, server_id: str, action: str, arguments: Any = None) -> None:
        """One server action, such as `suspend`, past the driver."""
        self._ok(self.compute.post(f"/servers/{server_id}/action", json={action: arguments}))

    def live_migrate(self, server_id: str, host: str) -> None:
        """Move the instance as an operator would, past the driver, and see it there."""
        self.act(server_id, "os-migrateLive", {"host": host, "block_migration": "auto"})

        def there() -> bool:
            server = self.server(server_id)
            if server["OS-EXT-STS:task_state"] is None and self.migrations(server_id)[-1]["status"] in ("error", "failed"):
                raise AssertionError(f"{server_id} did not move to {host}")
            return bool(server["OS-EXT-SRV-ATTR:host"] == host and server["OS-EXT-STS:task_state"] is None)

        self.wait(there, f"{server_id} is not on {host}")

    def delete(self, *server_ids: str) -> None:
        """Delete instances and wait until they are gone; one that is gone already is fine."""
        for server_id in server_ids:
            self._ok(self.compute.delete(f"/servers/{server_id}"), 404)
        for server_id in server_ids:
            try:
                self.wait(lambda key=server_id: self._gone(key), f"{server_id} is not gone")
            except AssertionError as error:
                left = self.compute.get(f"/servers/{server_id}").json().get("server", {})
                what = {key: left.get(key) for key in ("status", "OS-EXT-STS:task_state", "OS-EXT-SRV-ATTR:host", "fault")}
                raise AssertionError(f"{error}: {what}") from error

    def clear(self) -> None:
        """Delete every instance, server group and aggregate."""
        self.delete(*self.servers())
        for group in self._get("/os-server-groups?all_projects=True")["server_groups"]:
            self.delete_group(group["id"])
        self.delete_aggregates()

    def _gone(self, server_id: str) -> bool:
        return bool(self.compute.get(f"/servers/{server_id}").status_code == 404)

    def servers(self) -> list[str]:
        """Ids of all instances of all projects."""
        return [server["id"] for server in self._get("/servers?all_tenants=1")["servers"]]

    def actions(self, server_id: str) -> list[dict[str, Any]]:
        """What was asked of the instance, oldest first."""
        found: list[dict[str, Any]] = self._get(f"/servers/{server_id}/os-instance-actions")["instanceActions"]
        # Nova gives the newest first and tells whole seconds: what shares a second keeps its order.
        found.reverse()
        return sorted(found, key=lambda action: action["start_time"])

    def migrations(self, server_id: str) -> list[dict[str, Any]]:
        """Records of the instance's migrations, oldest first."""
        found = self._get(f"/os-migrations?instance_uuid={server_id}")["migrations"]
        return sorted(found, key=lambda record: record["id"])

    # What instances need

    def image(self) -> str:
        if self._image is None:
            self._image = self._ok(self.images.get("/v2/images?name=tiny")).json()["images"][0]["id"]
        return self._image

    def flavor(self, name: str) -> str:
        if name not in self._flavors:
            self._flavors |= {f["name"]: f["id"] for f in self._get("/flavors")["flavors"]}
        return self._flavors[name]

    def make_flavor(self, extra_specs: dict[str, str], *, vcpus: int = 2, ram: int = 2048, disk: int = 1) -> str:
        """A flavor of its own; gives its name."""
        name = f"f-{uuid.uuid4().hex[:8]}"
        body = {"flavor": {"name": name, "vcpus": vcpus, "ram": ram, "disk": disk}}
        made = self._ok(self.compute.post("/flavors", json=body)).json()["flavor"]["id"]
        specs = {"extra_specs": extra_specs}
        self._ok(self.compute.post(f"/flavors/{made}/os-extra_specs", json=specs))
        return name

    def make_project(self, name: str) -> str:
        """A project in which the administrator may boot instances, made unless it is there; gives its id."""
        identity = self._adapter("identity", None)
        projects = self._ok(identity.get(f"/projects?name={name}")).json()["projects"]
        body = {"project": {"name": name, "domain_id": "default"}}
        project = projects[0] if projects else self._ok(identity.post("/projects", json=body)).json()["project"]
        user = self._session.get_user_id()
        for role in self._ok(identity.get("/roles")).json()["roles"]:
            if role["name"] in ("admin", "member"):
                self._ok(identity.put(f"/projects/{project['id']}/users/{user}/roles/{role['id']}"))
        return str(project["id"])

    def make_group(self, policy: str, name: str | None = None) -> str:
        """A server group; gives its id."""
        body = {"server_group": {"name": name or f"g-{uuid.uuid4().hex[:8]}", "policy": policy}}
        made: str = self._ok(self.compute.post("/os-server-groups", json=body)).json()["server_group"]["id"]
        return made

    def delete_group(self, group: str) -> None:
        self._ok(self.compute.delete(f"/os-server-groups/{group}"), 404)

    def make_aggregate(self, *hosts: str, **metadata: str) -> str:
        """An aggregate of these hosts; gives its name. `availability_zone` in the metadata makes it a zone."""
        name = f"a-{uuid.uuid4().hex[:8]}"
        made = self._ok(self.compute.post("/os-aggregates", json={"aggregate": {"name": name}})).json()["aggregate"]["id"]
        if metadata:
            self._ok(self.compute.post(f"/os-aggregates/{made}/action", json={"set_metadata": {"metadata": metadata}}))
        for host in hosts:
            self._ok(self.compute.post(f"/os-aggregates/{made}/action", json={"add_host": {"host": host}}))
        return name

    def delete_aggregates(self) -> None:
        """Delete every aggregate."""
        for aggregate in self._get("/os-aggregates")["aggregates"]:
            for host in aggregate["hosts"]:
                self._ok(self.compute.post(f"/os-aggregates/{aggregate['id']}/action", json={"remove_host": {"host": host}}))
            self._ok(self.compute.delete(f"/os-aggregates/{aggregate['id']}"))

    def _get(self, path: str) -> Any:
        return self._ok(self.compute.get(path)).json()

    @staticmethod
    def _ok(response: Any, *also: int) -> Any:
        if response.status_code >= 400 and response.status_code not in also:
            raise AssertionError(f"{response.request.method} {response.url}: {response.status_code} {response.text[:500]}")
        return response
