"""Lock services of every kind: one owner at a time, until it gives the key back or its lease ends."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from escalator.model.brakes import Locks
from escalator.model.codes import Code
from escalator.model.errors import EscalatorError
from escalator.vim_interface.locks.command import CommandLocks
from escalator.vim_interface.locks.folder import FolderLocks
from escalator.vim_interface.locks.port import LockService
from escalator.vim_interface.locks.simulated import SimulatedLocks
from escalator.world.world import World

SCRIPT = """#!/bin/sh
# A lock service of files: who has a key, and until when by the clock in `now`.
verb=$1 file=$2/$3 owner=$4 ttl=$5 now=$(cat $2/now)
has= until=0
[ -e "$file" ] && read has until < "$file"
[ "$until" -gt "$now" ] || has=
case $verb in
acquire) [ -z "$has" ] || [ "$has" = "$owner" ] || { echo "$has has it" >&2; exit 75; }; echo "$owner $((now + ttl))" > "$file" ;;
renew) [ "$has" = "$owner" ] || exit 70; echo "$owner $((now + ttl))" > "$file" ;;
release) [ "$has" != "$owner" ] || rm -f "$file" ;;
esac
"""


class Hand:
    """A clock that is moved by hand; commands read it in a file."""

    def __init__(self, folder: Path) -> None:
        self._at, self._file = 1_800_000_000.0, folder / "now"
        self.move(0.0)

    def now(self) -> float:
        return self._at

    async def sleep(self, seconds: float) -> None:
        self.move(seconds)

    def move(self, seconds: float) -> None:
        self._at += seconds
        self._file.write_text(f"{self._at:.0f}\n")


def commanded(folder: Path, _: Hand) -> LockService:
    file = folder / "locks.sh"
    file.write_text(SCRIPT)
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    verbs = {v: (str(file), v, str(folder), "{key}", "{owner}", "{ttl_s}") for v in ("acquire", "renew", "release")}
    return CommandLocks(Locks(kind="command", **verbs), os.environ)


def shared(folder: Path, clock: Hand) -> LockService:
    there = folder / "locks"
    there.mkdir()
    return FolderLocks(there, clock)


def simulated(_: Path, clock: Hand) -> LockService:
    return SimulatedLocks(World.in_memory(clock).locks)


Made = Callable[[Path, Hand], LockService]


@pytest.fixture(params=[commanded, shared, simulated])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[LockService, Hand]:
    clock = Hand(tmp_path)
    make: Made = request.param
    return make(tmp_path, clock), clock


async def test_a_key_has_one_owner_at_a_time(made: tuple[LockService, Hand]) -> None:
    locks, _ = made
    assert await locks.acquire("pair", "a", 60) is None
    assert await locks.acquire("pair", "a", 60) is None
    refused = await locks.acquire("pair", "b", 60)
    assert refused is not None
    assert "pair is not free: a has it" in refused
    assert await locks.acquire("other", "b", 60) is None


async def test_a_key_that_is_given_back_is_free_and_another_cannot_give_it_back(made: tuple[LockService, Hand]) -> None:
    locks, _ = made
    assert await locks.acquire("pair", "a", 60) is None
    await locks.release("pair", "b")
    assert await locks.acquire("pair", "b", 60) is not None
    await locks.release("pair", "a")
    assert await locks.acquire("pair", "b", 60) is None
    await locks.release("never", "a")


async def test_a_lease_ends_unless_it_is_renewed(made: tuple[LockService, Hand]) -> None:
    locks, clock = made
    assert await locks.acquire("pair", "a", 60) is None
    clock.move(50)
    assert await locks.renew("pair", "a", 60)
    clock.move(50)
    assert await locks.acquire("pair", "b", 60) is not None
    clock.move(11)
    assert not await locks.renew("pair", "a", 60)
    assert await locks.acquire("pair", "b", 60) is None
    assert not await locks.renew("pair", "a", 60)


@pytest.mark.parametrize("program", ["/bin/false", "/nonexistent/locks"])
async def test_a_command_that_cannot_tell_raises(program: str) -> None:
    locks = CommandLocks(Locks(kind="command", acquire=(program,), renew=(program,), release=(program,)), os.environ)
    for call in (locks.acquire("k", "a", 60), locks.renew("k", "a", 60), locks.release("k", "a")):
        with pytest.raises(EscalatorError) as caught:
            await call
        assert caught.value.code is Code.UPG_LOCK


def leases(folder: Path) -> list[Path]:
    return [*folder.glob("*.json")]


async def test_a_folder_that_cannot_be_used_raises(tmp_path: Path) -> None:
    clock = Hand(tmp_path)
    with pytest.raises(EscalatorError):
        await FolderLocks(tmp_path / "none", clock).acquire("k", "a", 60)
    locks = FolderLocks(tmp_path, clock)
    assert await locks.acquire("k", "a", 60) is None
    leases(tmp_path)[0].write_text("[]")
    with pytest.raises(EscalatorError):
        await locks.acquire("k", "a", 60)


@pytest.mark.parametrize(
    "fields",
    [{"kind": "command"}, {"kind": "folder"}, {"folder": "/tmp"}, {"acquire": ("x",)}, {"kind": "folder", "folder": "locks"}],
)
def test_settings_that_make_no_sense_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Locks.model_validate(fields)
