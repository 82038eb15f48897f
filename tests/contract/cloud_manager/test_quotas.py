"""What a project may use: read, narrowed below what is in use, and put back to exactly what it was."""

from __future__ import annotations

from dataclasses import replace

from contract.cloud_manager.harness import Harness
from escalator.cloud_manager.port import UNLIMITED, Quota


async def test_a_project_s_quota_tells_limits_and_what_is_in_use(harness: Harness) -> None:
    before = (await harness.cloud.quotas.state(harness.project)).in_use
    await harness.boot(harness.nodes[0])
    seen = await harness.cloud.quotas.state(harness.project)
    assert seen.in_use.instances == before.instances + 1
    assert seen.in_use.cores > before.cores
    assert seen.in_use.ram_mib > before.ram_mib


async def test_a_limit_below_what_is_in_use_is_kept_and_put_back(harness: Harness) -> None:
    await harness.boot(harness.nodes[0])
    found = (await harness.cloud.quotas.state(harness.project)).limits
    for limits in (Quota(0, 0, 0), replace(found, cores=UNLIMITED), Quota(7, 4096, UNLIMITED)):
        await harness.cloud.quotas.change(harness.project, limits)
        await harness.cloud.quotas.change(harness.project, limits)
        assert (await harness.cloud.quotas.state(harness.project)).limits == limits
    await harness.cloud.quotas.change(harness.project, found)
    assert (await harness.cloud.quotas.state(harness.project)).limits == found


async def test_the_sheet_gives_the_command_that_puts_it_back(harness: Harness) -> None:
    (command,) = harness.cloud.by_hand("quota", "", "p1", Quota(8, UNLIMITED, 3).to_json())
    assert command.replace("=", " ") == "openstack quota set --force --cores 8 --ram -1 --instances 3 p1"
