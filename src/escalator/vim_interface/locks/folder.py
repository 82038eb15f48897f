"""A lock service in a folder that all managers share: one file per key, with its owner and until when.

Each change is made under a lock of the file system, which the folder has to know (local, NFS 4, CephFS). The managers' clocks
have to agree to within a tenth of the lease.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from escalator.model.clock import Clock
from escalator.model.codes import Code
from escalator.model.errors import TemporaryError

MOST_BYTES = 10_000
V = TypeVar("V")


class FolderLocks:
    """The setting `locks` with kind `folder`."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock

    async def acquire(self, key: str, owner: str, ttl_s: float) -> str | None:
        """Write the lease unless another one is good."""

        def work(file: Path) -> str | None:
            has, until = _read(file)
            if has not in (None, owner) and until > self._clock.now():
                return f"key {key} is not free: {has} has it for another {until - self._clock.now():.0f} s"
            _write(file, key, owner, self._clock.now() + ttl_s)
            return None

        return await self._locked(key, work)

    async def renew(self, key: str, owner: str, ttl_s: float) -> bool:
        """Write the lease anew while it is the owner's and good."""

        def work(file: Path) -> bool:
            has, until = _read(file)
            if has != owner or until <= self._clock.now():
                return False
            _write(file, key, owner, self._clock.now() + ttl_s)
            return True

        return await self._locked(key, work)

    async def release(self, key: str, owner: str) -> None:
        """Remove the owner's lease."""

        def work(file: Path) -> None:
            if _read(file)[0] == owner:
                file.unlink(missing_ok=True)

        await self._locked(key, work)

    async def _locked(self, key: str, work: Callable[[Path], V]) -> V:
        file = self._folder / f"{sha256(key.encode()).hexdigest()}.json"

        def guarded() -> V:
            with (self._folder / "guard").open("a") as guard:
                fcntl.flock(guard, fcntl.LOCK_EX)
                return work(file)

        try:
            return await asyncio.to_thread(guarded)
        except (OSError, ValueError) as error:
            raise TemporaryError(Code.UPG_LOCK, f"The folder of locks {self._folder} cannot be used: {error}.") from error


def _read(file: Path) -> tuple[str | None, float]:
    """Owner and end of the lease; nobody where there is none. Raises ValueError for a file that is none of ours."""
    try:
        with file.open("rb") as opened:
            found = json.loads(opened.read(MOST_BYTES))
    except FileNotFoundError:
        return None, 0.0
    try:
        return str(found["owner"]), float(found["until"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"{file.name} is no lease") from error


def _write(file: Path, key: str, owner: str, until: float) -> None:
    fresh = file.with_suffix(".new")
    with fresh.open("w") as opened:
        json.dump({"key": key, "owner": owner, "until": until}, opened)
        opened.flush()
        os.fsync(opened.fileno())
    fresh.replace(file)
