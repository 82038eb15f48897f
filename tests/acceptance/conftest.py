"""The joint bed with its populated cloud, a fresh server, and VNF managers, for the acceptance tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from acceptance.site import Site, populate, settings_of
from acceptance.small import SmallSite, small_site
from beds.joint.bed import JointBed
from beds.joint.server import ServerProcess
from beds.nodes.bed import NodesBed
from beds.openstack.bed import OpenStackBed
from beds.openstack.environment import UnmetError
from beds.vnfm.processes import vnfm_process

HOSTS = tuple(f"cn-{number:02}" for number in range(1, 9))


def refuse(error: UnmetError) -> None:
    """Skip with the reason, or fail where the real beds are required."""
    if "openstack" in os.environ.get("ESCALATOR_REQUIRE_REAL", ""):
        pytest.fail(f"the joint bed is required here and cannot run: {error}")
    pytest.skip(f"the joint bed cannot run here: {error}")


@pytest.fixture(scope="session")
def joint_bed(
    nodes_bed: NodesBed, release_folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[JointBed]:
    """Eight nova-compute hosts, each with its real node of the same name, on version 1.0.0."""
    openstack = OpenStackBed(tmp_path_factory.mktemp("joint-openstack"))
    try:
        openstack.start(names=HOSTS)
    except UnmetError as error:
        refuse(error)
    joint = JointBed(nodes_bed, openstack, release_folders, tmp_path_factory.mktemp("joint"))
    try:
        joint.start()
        yield joint
    finally:
        joint.stop()
        openstack.stop()


@pytest.fixture
def site(joint_bed: JointBed, kept_small: _Kept, release_folders: dict[str, Path], tmp_path: Path) -> Iterator[Site]:
    """A populated cloud, three VNF managers, and a running server that knows releases and VNF managers."""
    kept_small.end()
    joint_bed.reset()
    with ExitStack() as stack:
        vnfms = {
            name: stack.enter_context(vnfm_process(tmp_path / f"{name}.jsonl", "--behaviour", behaviour, "--credential", secret))
            for name, behaviour, secret in (
                ("vnfm-moves", "follows", "escalator:pass-moves"),
                ("vnfm-migrate", "migrate", "token-migrate"),
                ("vnfm-silent", "silent", "escalator:pass-silent"),
            )
        }
        server = ServerProcess(tmp_path, settings_of(joint_bed, tmp_path))
        made = Site(joint_bed, server, vnfms, release_folders, populate(joint_bed), tmp_path)
        server.start()
        stack.callback(server.stop)
        made.register()
        yield made


class _Kept:
    """The small site that is there now, if any, and how to end it."""

    def __init__(self) -> None:
        self.stack = ExitStack()
        self.site: SmallSite | None = None

    def end(self) -> None:
        """No small site any more."""
        self.site = None
        self.stack.close()


@pytest.fixture(scope="session")
def kept_small(joint_bed: JointBed) -> Iterator[_Kept]:
    """The small site between tests; on the same bed as all others, so it ends when another site takes the bed."""
    kept = _Kept()
    yield kept
    kept.end()


@pytest.fixture
def small(
    joint_bed: JointBed, kept_small: _Kept, release_folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> SmallSite:
    """The small site, on version 1.0.0 and at rest; a new one when the last test left what cannot be made good."""
    if kept_small.site is None or not kept_small.site.good():
        kept_small.end()
        kept_small.site = kept_small.stack.enter_context(small_site(joint_bed, release_folders, tmp_path_factory.mktemp("small")))
    for host in joint_bed.names:
        joint_bed.openstack.set_fault(host)
    kept_small.site.make_good()
    return kept_small.site
