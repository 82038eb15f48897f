"""The backups that the `packages` driver keeps on the nodes."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from escalator.model.codes import Code
from escalator.model.errors import PermanentError, TemporaryError
from escalator.system_support.call import Output
from escalator.system_support.packages.checks import understood
from escalator.system_support.port import Check, Held, Pruned

QUICK_S = 60.0
"""A script that only looks or starts something: seconds, on a busy node."""
LONG_S = 1800.0
"""Staging and backup carry files; a node with a slow disk and gigabytes of state still fits."""


class PackagesShelf:
    """Backups under `/var/lib/escalator/backups`; `run` runs a Python script of ours on a node."""

    def __init__(self, run: Callable[[str, str, object, float], Awaitable[Output]]) -> None:
        self._run = run

    async def list(self, node: str) -> tuple[Held, ...]:
        """Every backup that lies on the node."""
        found = await self._ask(node, {"do": "list"}, QUICK_S)
        return understood(
            node,
            lambda: tuple(Held(str(row["name"]), int(row["size_bytes"]), float(row["taken_at"])) for row in found["backups"]),
        )

    async def verify(self, node: str, backup: Mapping[str, object]) -> Check:
        """Read everything that the backup holds and compare it with the digest that the manager has."""
        asked = {"do": "verify", "name": backup_name(node, backup), "digest": str(backup.get("digest") or "")}
        found = await self._ask(node, asked, LONG_S)
        return understood(node, lambda: _verified(found))

    async def prune(self, node: str, backups: Sequence[Mapping[str, object]], operations_older_s: float | None) -> Pruned:
        """Remove these backups, contents that no other one uses, and operations that ended long ago."""
        asked = {"do": "prune", "names": [backup_name(node, backup) for backup in backups], "older_s": operations_older_s}
        found = await self._ask(node, asked, LONG_S)
        return understood(node, lambda: Pruned(tuple(found["backups"]), found["operations"], found["freed_bytes"], found["busy"]))

    async def _ask(self, node: str, asked: Mapping[str, object], timeout_s: float) -> Mapping[str, Any]:
        output = await self._run(node, "backups.py", asked, timeout_s)
        try:
            answer: Mapping[str, Any] = json.loads(output.stdout)
        except (ValueError, RecursionError) as error:
            said = output.stderr.strip()[-300:]
            raise TemporaryError(Code.SYS_BACKUP, f"The backups of {node} cannot be looked after: {said}") from error
        return answer


def _verified(found: Mapping[str, Any]) -> Check:
    if not found["wrong"]:
        return Check("backup", ok=True)
    code = Code.SYS_BACKUP_DAMAGED if found["there"] else Code.SYS_BACKUP_NOT_FOUND
    return Check("backup", ok=False, code=code, message=f"not as it was kept: {', '.join(map(str, found['wrong']))}"[:500])


def backup_name(node: str, backup: Mapping[str, object]) -> str:
    """The folder of a backup on its node. Raises PermanentError (`SYS_ROLLBACK`) when there is none."""
    name = backup.get("id")
    if not isinstance(name, str) or not name or "/" in name or name.startswith("."):
        raise PermanentError(Code.SYS_ROLLBACK, f"There is no backup of {node} to go back to.")
    return name


def keeps_versions(backup: Mapping[str, object]) -> bool:
    """Whether its way back is one of the software, too."""
    scope = backup.get("scope")
    return not isinstance(scope, (list, tuple)) or "versions" in scope
