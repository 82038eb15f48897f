"""Pytest fixtures of the nodes bed. `tests/conftest.py` imports them: `from beds.nodes.fixtures import *`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from beds.nodes.base import CannotRunError
from beds.nodes.bed import NodesBed
from beds.nodes.manager import Manager, serving
from beds.nodes.packages import build

__all__ = ["lasting_manager", "manager", "nodes_bed", "release_folders"]


@pytest.fixture(scope="session")
def nodes_bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodesBed]:
    """An empty bed; tests add nodes. Skips where it cannot run; fails instead when ESCALATOR_REQUIRE_REAL names `nodes`."""
    try:
        bed = NodesBed(tmp_path_factory.mktemp("nodes"))
    except CannotRunError as error:
        if "nodes" in os.environ.get("ESCALATOR_REQUIRE_REAL", "").replace(",", " ").split():
            pytest.fail(f"the nodes bed is required here and cannot run: {error}")
        pytest.skip(f"the nodes bed cannot run here: {error}")
    with bed:
        yield bed


@pytest.fixture(scope="session")
def release_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A release folder per test version, ready for `escalator release import`."""
    return build(tmp_path_factory.mktemp("releases"))


@pytest.fixture
async def manager(lasting_manager: Manager) -> AsyncIterator[Manager]:
    """The manager, whose connections to nodes end with the test: they belong to its event loop."""
    yield lasting_manager
    await lasting_manager.close()


@pytest.fixture(scope="session")
def lasting_manager(
    nodes_bed: NodesBed, release_folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Manager]:
    """A manager with all test releases imported and its repository served to the bed."""
    with serving(nodes_bed.manager_address) as (port, repositories):
        made = Manager(nodes_bed, tmp_path_factory.mktemp("manager"), port, folders=release_folders)
        repositories.append(made.store.repository)
        with ThreadPoolExecutor(1) as pool:  # the fixture may be asked for from inside a running loop
            pool.submit(lambda: asyncio.run(_import(made, release_folders))).result()
        yield made


async def _import(manager: Manager, folders: dict[str, Path]) -> None:
    for folder in folders.values():
        await manager.store.import_folder(folder)
