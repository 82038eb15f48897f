"""Fixtures that several folders of tests share: the beds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import settings

from beds.alertmanager.fixtures import *  # noqa: F403 - as below
from beds.masakari.fixtures import *  # noqa: F403 - as below
from beds.nodes.fixtures import lasting_manager, manager, nodes_bed, release_folders
from beds.openstack.fixtures import fresh_openstack, openstack_bed
from beds.postgresql.fixtures import *  # noqa: F403 - its names are said in __all__
from beds.prepared import prepare
from beds.prometheus.fixtures import *  # noqa: F403 - as below
from beds.published.fixtures import *  # noqa: F403 - as above
from beds.rabbitmq.fixtures import *  # noqa: F403 - as above
from beds.workers import Scheduling, long_ones_first

if TYPE_CHECKING:
    from xdist.remote import Producer

__all__ = ["fresh_openstack", "lasting_manager", "manager", "nodes_bed", "openstack_bed", "release_folders"]

# How long one example takes says more of the machine than of us.
# The same examples in each run: whether a change is sound is not to depend on the draw. `make test-long` draws new ones.
settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("new", deadline=None, print_blob=True)
settings.load_profile("same")


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """Whatever a command that ran within a test has set: a level that hides lines would decide over tests that come after it."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    return Scheduling(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """In the order in which they are given out, after everybody has shuffled."""
    yield
    if hasattr(config, "workerinput"):
        long_ones_first(items)


def pytest_collection_finish(session: pytest.Session) -> None:
    if not session.config.option.collectonly:
        prepare(session.items)
