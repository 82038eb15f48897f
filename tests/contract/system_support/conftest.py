"""One suite, every driver of System Support."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contract.system_support.bed_harness import PackagesHarness
from contract.system_support.harness import CommandHarness, Harness, SimulatedHarness, ended
from escalator.clocks import SystemClock

_numbers = itertools.count(1)


@pytest.fixture(params=["simulated", "command", pytest.param("packages", marks=pytest.mark.nodes)])
async def harness(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Harness]:
    """A driver whose node is on the old release."""
    match request.param:
        case "simulated":
            made = SimulatedHarness()
        case "command":
            made = CommandHarness(tmp_path, SystemClock())
        case _:
            made = await PackagesHarness.make(request.getfixturevalue("manager"), f"contract-{next(_numbers)}")
    await made.driver.stage(made.node, made.old)
    await made.driver.start(made.node, made.old, "harness/old")
    await ended(made, "harness/old")
    yield made
    if request.param == "packages":
        request.getfixturevalue("manager").bed.kill(made.node)
