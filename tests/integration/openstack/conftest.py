"""The OpenStack driver on the bed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from functools import partial

import pytest

from beds.openstack.bed import OpenStackBed
from escalator.cloud_manager.openstack import OpenStackCloud
from escalator.cloud_manager.port import MoveOrder, MoveState, MoveStatus
from escalator.settings import Cloud


def driver_of(bed: OpenStackBed, entry: str) -> OpenStackCloud:
    return OpenStackCloud(Cloud(os_cloud=entry, config_file=str(bed.clouds_yaml)))


@pytest.fixture
def bed(fresh_openstack: OpenStackBed) -> OpenStackBed:
    return fresh_openstack


@pytest.fixture
def driver(bed: OpenStackBed) -> Iterator[OpenStackCloud]:
    made = driver_of(bed, "escalator")
    yield made
    made.close()


Ended = Callable[[MoveOrder], Awaitable[MoveStatus]]


@pytest.fixture
def ended(driver: OpenStackCloud, bed: OpenStackBed) -> Ended:
    """Waits until a move runs no longer."""

    async def wait(order: MoveOrder) -> MoveStatus:
        loop = asyncio.get_running_loop()

        def ask() -> MoveStatus | None:
            found = asyncio.run_coroutine_threadsafe(driver.move_status(order), loop).result()
            return None if found.state is MoveState.RUNNING else found

        return await asyncio.to_thread(partial(bed.cloud.wait, ask, f"{order} still runs"))

    return wait
