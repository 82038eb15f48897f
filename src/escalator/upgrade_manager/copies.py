"""What a simulated copy of a cloud begins with: the inventory of a file, and the VNF managers that it is presumed to have."""

from __future__ import annotations

import re
from pathlib import Path

from escalator.model.codes import Code
from escalator.model.document import load, parse
from escalator.model.errors import InputError, Problem
from escalator.model.inventory import Inventory
from escalator.upgrade_manager.planner.presumed import presumed_projects
from escalator.world.records import VnfmRow
from escalator.world.world import World

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,56}[a-z0-9])?")
"""Projects whose names go into that of their VNF manager, which is a DNS label."""


def read_copy(file: Path) -> Inventory:
    """The inventory of that file. Raises InputError with all its problems, and where it cannot be read or has no node."""
    try:
        inventory = load(Inventory, parse(file.read_bytes()))
    except OSError as error:
        raise InputError(Code.CFG_FILE, f"{file} cannot be read: {error.strerror}.") from error
    except InputError as error:
        raise InputError(error.code, f"{file}: {error.message}", problems=error.problems, remedy=error.remedy) from error
    if not inventory.nodes:
        raise InputError(Code.CFG_DOCUMENT, f"{file} has no node.", problems=[Problem("nodes", "a cloud has at least one")])
    return inventory


def presumed_vnfms(inventory: Inventory) -> list[VnfmRow]:
    """A VNF manager for each project that looks as if it had one; it says yes to what is planned."""
    projects = enumerate(presumed_projects(inventory), start=1)
    names = ((project, project if _LABEL.fullmatch(project) else f"of-project-{number}") for number, project in projects)
    return [VnfmRow(name=f"vnfm-{name}", projects=(project,)) for project, name in names]


def fill_copy(world: World, file: Path) -> None:
    """Make a new world a copy of the cloud in that file; one that is there stays. Raises InputError as `read_copy`."""
    if world.empty:
        inventory = read_copy(file)
        world.load(inventory, presumed_vnfms(inventory))
    world.state.usage.balances = True  # as real clouds and rehearsals do
