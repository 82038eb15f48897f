"""Backups of nodes: see them, verify them, put a node back on one, let old ones go."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from escalator.cli.base import LONG_S, Lister, Shower, Shown, fields, rows
from escalator.cli.campaign import quoted
from escalator.cli.failures import no_timeout_without
from escalator.cli.spans import date_time, duration
from escalator.model.backup import BackupState
from escalator.model.counting import counted
from escalator.model.errors import TemporaryError

if TYPE_CHECKING:
    from escalator.cli.client import Client

LOOK_S = 1.0
PATIENCE = 60
"""Looks in a row that may fail, as when the server is restarted, before the waiting ends."""
FAILED = 1
TIMED_OUT = 5


class ListBackups(Lister):
    """List backups of nodes, newest first, without those that retention has let go."""

    nothing = "There are no backups yet: a campaign takes one of each node before it changes it."
    spare = ("scope", "verified_at", "size", "release", "campaign", "kept_by")

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--campaign", metavar="NAME", help="only those of this campaign")
        parser.add_argument("--node", metavar="NODE", help="only those of this node")
        parser.add_argument("--all", action="store_true", help="also the pruned ones, of which nothing is left on their nodes")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Get the list."""
        with self.server() as client:
            found = client.get("/v1/backups", campaign=parsed_args.campaign, node=parsed_args.node)
        kept = found if parsed_args.all else [one for one in found if one["state"] != BackupState.PRUNED]
        pruned = len(found) - len(kept)
        if pruned:
            self.nothing = f"No backup is left: {counted(pruned, 'is', 'are')} pruned, which --all shows."
        elif parsed_args.campaign or parsed_args.node:
            self.nothing = "There are no such backups: escalator backup list shows all."
        columns: dict[str, Any] = {"id": "id", "node": "node", "campaign": "campaign", "release": "release"}
        columns["taken_at"] = lambda b: Shown(b["taken_at"], date_time(b["taken_at"]))
        columns["scope"] = lambda b: Shown(b["scope"], ", ".join(b["scope"]))
        columns["size"] = lambda b: Shown(b["size_bytes"], size(b["size_bytes"]))
        columns["state"] = "state"
        columns["verified_at"] = lambda b: Shown(b["verified_at"], date_time(b["verified_at"]))
        columns["restore"] = "restore"
        columns["kept_by"] = lambda b: Shown(b["kept_by"], _kept(b))
        return rows(kept, columns)


class _OfOne(Shower):
    """Something about one backup."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("id", metavar="ID", help="the backup, as backup list shows it")
        return parser


class ShowBackup(_OfOne):
    """Show one backup: what it holds, what cannot be put back from it, and where its restore stands."""

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Get the backup."""
        with self.server() as client:
            return _shown(client.get(f"/v1/backups/{quoted(parsed_args.id)}"))


class Verify(_OfOne):
    """Read everything that a backup holds on its node and compare it with its digest.

    Exit code 0 when it is what was kept, 1 when it is not.
    """

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Ask the server for it."""
        with self.server() as client:
            found = client.post(f"/v1/backups/{quoted(parsed_args.id)}/actions/verify", timeout_s=LONG_S)
        self.exit_code = 0 if found["ok"] else FAILED
        return fields(found)


class Restore(_OfOne):
    """Put a node back on a backup: software, configuration and state, as far as it holds them.

    It takes the node out of service and goes on by itself. Exit code 3 when instances run on the node, when its clusters
    cannot do without it, or when the release that came after the backup lets nobody go back; 6 while a campaign is active
    or the node is being restored.
    With --wait: 0 restored, 1 failed, 5 timed out.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--accept-impact", action="store_true", help="although instances run on the node: it may impact them")
        why = "although its clusters cannot do without the node, and why; it stands in the history"
        parser.add_argument("--accept-cluster", default="", metavar="WHY", help=why)
        parser.add_argument("--wait", action="store_true", help="follow it until it ends")
        parser.add_argument("--timeout", type=duration, metavar="SECONDS", help="wait no longer than that")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Begin it, and follow it where asked."""
        no_timeout_without(parsed_args, "wait")
        path = f"/v1/backups/{quoted(parsed_args.id)}"
        with self.server() as client:
            accepted = {"accept_impact": parsed_args.accept_impact, "accept_cluster": parsed_args.accept_cluster}
            found = client.post(f"{path}/actions/restore", accepted, timeout_s=LONG_S)
            if parsed_args.wait:
                found = self._wait(client, path, parsed_args.timeout)
            else:
                self.app.stderr.write(f"Follow it with: escalator backup show {parsed_args.id}\n")
        return _shown(found)

    def _wait(self, client: Client, path: str, timeout_s: float | None) -> Mapping[str, Any]:
        began = time.monotonic()
        found = _patiently(lambda: client.get(path))
        while found["restore"] == "running":
            if timeout_s is not None and time.monotonic() - began >= timeout_s:
                self.exit_code = TIMED_OUT
                self.app.stderr.write(f"ESC-API-007: the restore did not end within {timeout_s:g} s; it goes on.\n")
                return found
            time.sleep(LOOK_S)
            found = _patiently(lambda: client.get(path))
        self.exit_code = 0 if found["restore"] == "done" else FAILED
        return found


class Prune(Shower):
    """Let go the backups that the settings' retention lets go; never one that a campaign may still need.

    What keeps each of the others stands in `escalator backup list`.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--dry-run", action="store_true", help="only show which would go")
        said = "let go those from before this release was installed, whatever retention says"
        parser.add_argument("--release", metavar="NAME/VERSION", default="", help=said)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Ask the server for it."""
        asked = {"dry_run": parsed_args.dry_run, "release": parsed_args.release}
        with self.server() as client:
            found = client.post("/v1/backups/actions/prune", asked, timeout_s=LONG_S)
        return fields({**found, "freed_bytes": Shown(found["freed_bytes"], size(found["freed_bytes"]))})


def size(count: int) -> str:
    """Bytes for people."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count} {unit}"
        count //= 1024
    return f"{count} GiB"


def _kept(found: Mapping[str, Any]) -> str:
    """What keeps a backup on its node, for people; that nothing does, where it is still there."""
    if not found["kept_by"]:
        return "" if found["state"] == "pruned" else "nothing: the next pruning lets it go"
    until = f", until {date_time(found['kept_until'])}" if found["kept_until"] else ""
    return f"{found['kept_by']}{until}"


def _shown(found: Mapping[str, Any]) -> Any:  # noqa: ANN401 - cliff's
    texts = {"size_bytes": size(found["size_bytes"]), "kept_by": _kept(found)}
    return fields({**found, **{name: Shown(found[name], text) for name, text in texts.items()}})


def _patiently(fetch: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    """The restore outlives the server's restart, and so does whoever waits for it."""
    for _ in range(PATIENCE):
        try:
            return fetch()
        except TemporaryError:
            time.sleep(LOOK_S)
    return fetch()
