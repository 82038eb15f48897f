"""A small site that many tests use one after the other: four nodes, six instances, short waits; made good in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from acceptance.site import Site, populate, settings_of
from beds.joint.bed import JointBed
from beds.joint.server import ServerProcess
from beds.vnfm.processes import vnfm_process

LAYOUT = {"cn-01": ("core!",), "cn-02": ("data", "voice"), "cn-03": ("core", "data", "voice"), "cn-04": ()}
VNFMS = {
    "vnfm-moves": ("follows", "escalator:pass-moves"),
    "vnfm-migrate": ("migrate", "token-migrate"),
    "vnfm-silent": ("silent", "escalator:pass-silent"),
}
"""Behaviour and credential of each VNF manager, as long as a test changes nothing."""
VERSIONS = ("1.0.0", "2.0.0", "2.1.0", "2.2.0", "2.3.0", "2.4.0")
REPLY_TIMEOUT_S = 2
OPERATIONS = "/var/lib/escalator/operations"
"""Where a node keeps what was started on it."""
UNTIL_S = 120.0
HOME_S = 60.0
KNOWN_S = 180.0
"""A compute service reports every ten seconds, and takes its time where the machine has much else to do."""
ACTIVE = ("running", "paused", "suspended", "aborting")


class SmallSite(Site):
    """A site with what tests of faults do: campaigns over few nodes, waiting for a moment, looking at what happened."""

    def register(self) -> None:
        """As a site does, with the releases that fail."""
        super().register()
        for version in VERSIONS[2:]:
            self.server.ok("release", "import", str(self.releases[version]))

    def begin(self, name: str, nodes: tuple[str, ...], version: str = "2.0.0", **changes: Any) -> None:
        """Plan and start a campaign over these nodes, one at a time; returns once it runs."""
        spec: dict[str, Any] = {
            "scope": {"select": {"names": list(nodes)}},
            "waves": {"max_unavailable": 1},
            "workloads": {"notify": {"reply_timeout_s": REPLY_TIMEOUT_S}},
        }
        self.campaign(name, version, **spec | changes)
        self.server.ok("campaign", "start", name)

    def follow(self, name: str, code: int, timeout_s: float = UNTIL_S) -> dict[str, Any]:
        """Watch the campaign until it ends or needs a person; the exit code has to be this one. The campaign as shown."""
        ran = self.server.cli("campaign", "show", name, "--watch", "--timeout", f"{timeout_s:g}", "-f", "json")
        assert ran.code == code, f"exit code {ran.code}: {ran.err}"
        view: dict[str, Any] = ran.json
        return view

    def until(self, name: str, condition: Callable[[list[dict[str, Any]]], bool], timeout_s: float = UNTIL_S) -> None:
        """Wait until the campaign's history fulfils the condition."""
        found: list[dict[str, Any]] = []

        def fulfilled() -> bool:
            found[:] = self.events(name)
            return condition(found)

        try:
            self.bed.openstack.cloud.wait(fulfilled, f"{name}: this did not happen", timeout_s)
        except AssertionError as error:
            last = [f"{e['node']} {e['action']} {e['outcome']} {e['message']}" for e in found[-10:]]
            raise AssertionError("\n".join([str(error), *last])) from None

    def until_known(self, nodes: tuple[str, ...], version: int) -> None:
        """Wait until the cloud knows this version of these nodes' hypervisors."""
        cloud = self.bed.openstack.cloud

        def known() -> bool:
            found = cloud.hypervisor_versions()
            return {found[node] for node in nodes} == {version}

        cloud.wait(known, f"the hypervisors of {nodes} are not known as {version}", KNOWN_S)

    def on(self, node: str, project: str | None = None) -> list[str]:
        """Instances that were on the node before the campaign."""
        return [p.id for p in self.before.values() if p.node == node and project in (None, p.project)]

    def asked(self, server: str) -> list[str]:
        """What was asked of the instance since the test began, in order; who boots and homes it is not meant."""
        return [a["action"] for a in self.bed.openstack.cloud.actions(server)][self.seen[server] :]

    def heard(self, vnfm: str, campaign: str) -> list[dict[str, Any]]:
        """The campaign's notices as the VNF manager got them, repetitions of one id left out."""
        bodies = [line["body"] for line in self.vnfms[vnfm].lines("notified") if line["status"] == 204]
        return list({body["id"]: body for body in bodies if body["campaignId"] == campaign}.values())

    def check_told(self, campaign: str, node: str) -> None:
        """Every VNF manager that heard that the node goes heard that it is back."""
        for vnfm in self.vnfms:
            kinds = [body["notificationType"] for body in self.heard(vnfm, campaign) if body.get("hostId") == node]
            assert kinds.count("HostAvailable") == ("HostMaintenanceUpcoming" in kinds), (vnfm, kinds)

    def task(self, name: str, node: str) -> dict[str, Any]:
        """The node's part of the campaign, by one command."""
        return next(task for task in self.view(name)["tasks"] if task["node"] == node)

    # -- between tests

    def good(self) -> bool:
        """Whether what a test left can be made good without starting anew."""
        if not self.server.alive or any(c["state"] in ACTIVE for c in self.server.ok("campaign", "list")):
            return False
        # A test that failed may have left these, and the next is not to fail for that.
        if self.bed.openstack.cloud.out_of_service() or any(self.bed.nodes.init_pid(node) is None for node in self.bed.names):
            return False
        return self.servers().keys() == self.before.keys() and all(s["status"] == "ACTIVE" for s in self.servers().values())

    def make_good(self) -> None:
        """Healthy nodes on 1.0.0, every instance at home, VNF managers as they were."""
        wrong = [node for node, version in self.bed.versions().items() if version != "1.0.0" and node in LAYOUT]
        self.bed.install(wrong, "1.0.0")
        for node in LAYOUT:
            self.bed.nodes.exec(node, "rm", "-rf", OPERATIONS)
        for name, (behaviour, credential) in VNFMS.items():
            self.vnfms[name].control(behaviour=behaviour, credential=credential)
        # A campaign planned before the cloud has heard that a hypervisor is old again would believe it new from the start.
        self.until_known(tuple(LAYOUT), 1_000_000)
        for server, raw in self.servers().items():
            if raw["OS-EXT-SRV-ATTR:host"] != self.before[server].node:
                moved = partial(self._moved_home, server)
                self.bed.openstack.cloud.wait(moved, f"{server} does not go home", HOME_S)
        self.seen = {server: len(self.bed.openstack.cloud.actions(server)) for server in self.before}

    def _moved_home(self, server: str) -> bool:
        try:
            self.bed.openstack.cloud.live_migrate(server, self.before[server].node)
        except AssertionError:
            return False
        return True


@contextmanager
def small_site(bed: JointBed, releases: dict[str, Path], folder: Path) -> Iterator[SmallSite]:
    """A populated cloud, three VNF managers that are patient with a manager that is away, and a running server."""
    bed.reset()
    with ExitStack() as stack:
        before = populate(bed, LAYOUT)
        vnfms = {name: stack.enter_context(_vnfm(folder, name)) for name in VNFMS}
        settings = settings_of(bed, folder)
        settings["system"] |= {"settle_s": 3.0}
        settings["system"]["ssh"] |= {"connect_timeout_s": 3.0}
        server = ServerProcess(folder, settings)
        server.start()
        stack.callback(server.stop)
        site = SmallSite(bed, server, vnfms, releases, before, folder)
        site.register()
        yield site


def _vnfm(folder: Path, name: str) -> Any:
    behaviour, credential = VNFMS[name]
    arguments = ("--behaviour", behaviour, "--credential", credential, "--persist", "60")
    return vnfm_process(folder / f"{name}.jsonl", *arguments)
