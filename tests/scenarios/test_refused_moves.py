"""A move that the cloud refuses before anything happens is no impact, and nobody recovers from it."""

from __future__ import annotations

from pathlib import Path

from escalator.storage.port import ImpactRow
from escalator.upgrade_manager.engine.runtimes import virtual_time
from scenarios.stage import staged

SCRIPT = Path(__file__).parent / "input" / "doors-shut.txt"
"""A target is full there, no other is left, and the cloud is asked all the same."""


async def _played() -> tuple[list[str], list[ImpactRow]]:
    async with staged() as stage:
        await stage.play(SCRIPT.read_text())
        events = await stage.sim.store.events.read(0, campaign="agent", limit=100_000)
        refused = [e.object_id for e in events if e.action == "instance.move" and "not enough room" in e.message]
        return refused, [*await stage.sim.store.admission.impacts("agent")]


def test_a_refused_move_is_no_impact_and_a_full_target_is_not_asked_again_and_again() -> None:
    refused, impacts = virtual_time.run(_played())
    assert refused == ["vm-000036"]
    assert [row.id for row in impacts if row.ended_at == row.started_at] == []
