"""One suite, every driver of System Support."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contract.system_support.bed_harness import AnsibleHarness, PackagesHarness
from contract.system_support.harness import CommandHarness, Harness, SimulatedHarness, ended
from escalator.clocks import SystemClock

_numbers = itertools.count(1)


REAL = {"packages": PackagesHarness, "ansible": AnsibleHarness}
MARKS = {"packages": [pytest.mark.nodes], "ansible": [pytest.mark.nodes, pytest.mark.long]}
"""A playbook takes seconds where a package takes one: the whole suite over Ansible is for the long run."""


@pytest.fixture(params=["simulated", "command", *(pytest.param(name, marks=MARKS[name]) for name in REAL)])
async def harness(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Harness]:
    """A driver whose node is on the old release."""
    match request.param:
        case "simulated":
            made = SimulatedHarness()
        case "command":
            made = CommandHarness(tmp_path, SystemClock())
        case _:
            made = await REAL[request.param].make(request.getfixturevalue("lasting_manager"), f"contract-{next(_numbers)}")
    try:
        await made.driver.stage(made.node, made.old)
        await made.driver.start(made.node, made.old, "harness/old")
        await ended(made, "harness/old")
        yield made
    finally:
        if request.param in REAL:
            manager = request.getfixturevalue("lasting_manager")
            await manager.close()
            manager.bed.kill(made.node)
