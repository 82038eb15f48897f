"""Two sites, each with a server of its own, and one key: never are nodes of both out of service at once."""

from __future__ import annotations

import time
from pathlib import Path

from durability.server import NAME
from durability.test_kill import Server, make_world
from escalator.storage.opening import open_sqlite

BEGINS, ENDS = "node.cordon", "node.uncordon"


async def away(state: Path) -> list[tuple[float, float]]:
    """When nodes of the site were out of service."""
    found: list[tuple[float, float]] = []
    gone: dict[str, float] = {}
    async with open_sqlite(state / "escalator.sqlite") as store:
        for event in await store.events.read(0, campaign=NAME, limit=100_000):
            node = event.node or ""
            if event.action == BEGINS and event.outcome == "started":
                gone.setdefault(node, event.at)
            elif event.action == ENDS and event.outcome == "done":
                found.append((gone.pop(node), event.at))
    assert not gone
    return sorted(found)


def take_turns(states: list[Path], locks: Path) -> None:
    """Both sites run their campaigns; the first is killed in the middle of its own, and is back before its lease ends."""
    first, second = [Server(str(state), "4", "300", "1", "-", str(locks)) for state in states]
    assert first.says().startswith("up")
    assert second.says().startswith("up")
    time.sleep(1.5)
    first.kill()
    first = Server(str(states[0]), "4", "300", "1", "-", str(locks))
    assert first.says().startswith("up")
    assert "over completed" in first.end()[0]
    assert "over completed" in second.end()[0]
    assert [file.name for file in locks.iterdir()] == ["guard"], "the key was given back"


async def test_two_sites_with_one_key_take_turns_although_one_is_killed(tmp_path: Path) -> None:
    states, locks = [tmp_path / "a", tmp_path / "b"], tmp_path / "locks"
    locks.mkdir()
    for state in states:
        make_world(state, 4)
    take_turns(states, locks)
    a, b = [await away(state) for state in states]
    assert len(a) == len(b) == 4
    assert a[-1][1] <= b[0][0] or b[-1][1] <= a[0][0], "the sites were at work at the same time"
