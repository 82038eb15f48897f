"""Right after an upgrade the cloud still tells the hypervisor of before: the way back is planned by what was installed."""

from __future__ import annotations

from escalator.model.plan import Plan
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.world.world import World
from scenarios.stage import staged

UPGRADED = """
world nodes=4 seed=1
release nfvi-hypervisor/8.0.0 layers.hypervisor=8.0.0 reboot=auto
campaign kvm release=nfvi-hypervisor/8.0.0 workloads.default.action=live-if-possible
plan kvm
start kvm
run kvm
"""


def _tell(world: World, version: str) -> None:
    with world.state.change():
        for node in [*world.state.nodes.rows.values()]:
            world.state.put_node(node.model_copy(update={"versions": {**node.versions, "hypervisor": version}}))


async def _previews(*told: str) -> list[Plan]:
    """The plan for the way back when the cloud tells each of these versions for every node."""
    async with staged() as stage:
        await stage.play(UPGRADED)
        found = []
        for version in told:
            _tell(stage.world, version)
            found.append(await stage.sim.campaigns.back.preview("kvm"))
        return found


def test_a_way_back_knows_what_does_not_go_live_before_the_cloud_has_heard_of_it() -> None:
    late, heard = virtual_time.run(_previews("7.2.18", "8.0.0"))
    assert [row.instance for row in heard.no_return] != []
    assert late.no_return == heard.no_return
    assert late.moves == heard.moves


def test_what_the_cloud_has_heard_counts_whatever_the_release_said() -> None:
    (plan,) = virtual_time.run(_previews("7.2.19"))
    assert {row.reason for row in plan.no_return} == {"no live migration from hypervisor 7.2.19 to 7.2.18"}
