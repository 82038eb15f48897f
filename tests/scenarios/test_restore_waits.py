"""A restore is the last resort: it waits for no host that may never be back, and shows what it does wait for."""

from __future__ import annotations

from escalator.upgrade_manager.engine.runtimes import virtual_time
from scenarios.stage import staged

FAILED_BACK = """
world nodes=5 seed=1 fill=40
campaign agent waves.max_unavailable={most}
plan agent
start agent
run agent
fault kind=rollback node=cn-0001 first=1
rollback agent
run agent
"""


async def _shown(most: int, lines: str) -> list[str]:
    """What `show` tells at the end of these lines, after a rollback that left nodes behind."""
    async with staged() as stage:
        await stage.play(FAILED_BACK.format(most=most))
        await stage.play(lines)
        said = len(stage.lines)
        await stage.play("show agent")
        return stage.lines[said:]


def test_a_restore_goes_on_beside_a_dead_host() -> None:
    shown = virtual_time.run(_shown(3, "restore agent\ncrash cn-0005\nwait 60000"))
    assert any(line.startswith("  cn-0001 attempt 3 done") for line in shown), shown


def test_a_dead_host_takes_no_room_from_a_restore() -> None:
    shown = virtual_time.run(_shown(1, "crash cn-0003\nrestore agent\nwait 60000"))
    assert any(line.startswith("  cn-0001 attempt 3 done") for line in shown), shown


def test_a_restore_shows_that_it_waits_for_room() -> None:
    shown = virtual_time.run(_shown(1, "disable cn-0003\nrestore agent\nwait 4000"))
    assert "restoring" in shown[1]
    assert shown[1].endswith("ESC-UPG-023 waits for room: 1 node is out of service, max_unavailable is 1")


def test_what_a_restore_waited_for_is_not_shown_any_more() -> None:
    lines = "disable cn-0003\nrestore agent\nwait 4000\nenable cn-0003\nuntil agent node.cordon cn-0001\nwait 10"
    shown = virtual_time.run(_shown(1, lines))
    assert shown[1].split() == ["agent", "restoring", "1/5", "a", "restore", "was", "asked", "for"], shown
