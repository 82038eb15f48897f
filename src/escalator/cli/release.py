"""Releases."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from escalator.cli.base import Command, Lister, Shower, Shown, fields, rows
from escalator.cli.campaign import quoted
from escalator.cli.failures import UsageError
from escalator.cli.spans import date_time
from escalator.model.codes import Code
from escalator.model.errors import InputError

if TYPE_CHECKING:
    from escalator.cli.client import Client

DOCUMENTS = ("release.yaml", "release.yml", "release.json")
MAX_FILES = 4096
BUNDLE = "application/vnd.escalator.release-bundle"
PIECE_BYTES = 2**20
KEPT = ("id", "type", "impact", "digest", "imported_at", "signature", "signed_by", "expires")


SIGNATURES = {
    "unsigned": "unsigned: nobody vouches for it",
    "not-verified": "signed, and not verified: the server had no trust store when it was imported",
    "trusted": "verified when it was imported",
}


class Import(Shower):
    """Give the server a release: a bundle, or a folder with release.yaml and its files.

    Where the server has a trust store, only bundles are taken, and enough of its keys have to have signed them.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            "source", type=Path, metavar="FILE|DIR", help="bundle (.escrel), or folder with release.yaml (or .json) and the files"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Send it."""
        with self.server() as client:
            found = (_send_folder if parsed_args.source.is_dir() else send_bundle)(client, parsed_args.source)
        self.app.stderr.write(f"Campaigns name it as: release: {found['id']}\n")
        return fields(_shown(found) | {"files": len(found["document"]["spec"]["files"])})


class ListReleases(Lister):
    """List imported releases."""

    nothing = "There are no releases yet: escalator release import FILE|DIR"
    spare = ("imported_at", "files", "impact")
    read = "packages"

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401, ARG002 - cliff's
        """Get the list."""
        with self.server() as client:
            found = client.get("/v1/releases")
        columns: dict[str, Any] = {"id": "id", "type": "type", "impact": "impact"}
        columns["packages"] = lambda r: Shown(
            r["document"]["spec"]["packages"],
            ", ".join(f"{p['name']} {p['version']}" for p in r["document"]["spec"]["packages"]),
        )
        columns["files"] = lambda r: len(r["document"]["spec"]["files"])
        columns["signed_by"] = lambda r: Shown(r["signed_by"], _signed(r))
        columns["hindrance"] = lambda r: Shown(r["hindrance"], (r["hindrance"] or {}).get("code", ""))
        columns["imported_at"] = lambda r: Shown(r["imported_at"], date_time(r["imported_at"]))
        return rows(found, columns)


class ShowRelease(Shower):
    """Show one release."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("id", metavar="NAME/VERSION", help="the release")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Get the release."""
        with self.server() as client:
            found = client.get(_path(parsed_args.id))
        hindrance = found["hindrance"]
        if hindrance is not None:
            self.app.stderr.write(f"No new campaign may use it: {hindrance['code']}: {hindrance['message']}\n")
        return fields(_shown(found) | {"hindrance": _reason(hindrance), "document": _readable(found["document"])})


class RemoveRelease(Command):
    """Remove a release and its files from the server.

    Refused while a campaign that is not final names it, nodes of one would go back to a package of it, or a backup is
    kept that needs it.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("id", metavar="NAME/VERSION", help="the release")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Remove it."""
        with self.server() as client:
            client.delete(_path(parsed_args.id))
        self.app.stderr.write(f"Release {parsed_args.id} is removed.\n")


def _path(release_id: str) -> str:
    name, slash, version = release_id.partition("/")
    if not slash or not name or not version:
        raise UsageError("A release is named NAME/VERSION, such as nfvi-agent/2.0.0.")
    return f"/v1/releases/{quoted(name)}/{quoted(version)}"


def _shown(found: dict[str, Any]) -> dict[str, Any]:
    return {key: found[key] for key in KEPT} | {"signature": Shown(found["signature"], SIGNATURES[found["signature"]])}


def _signed(found: dict[str, Any]) -> str:
    return ", ".join(found["signed_by"]) or str(found["signature"]).replace("-", " ")


def _reason(hindrance: dict[str, Any] | None) -> Shown:
    return Shown(hindrance, f"{hindrance['code']}: {hindrance['message']}" if hindrance else "")


def send_bundle(client: Client, file: Path) -> Any:  # noqa: ANN401 - JSON
    """Send a bundle as it is read; the release as the server shows it. Raises InputError when the file cannot be read."""
    try:
        with file.open("rb", buffering=0) as opened:
            size = os.fstat(opened.fileno()).st_size
            return client.post_stream("/v1/releases", iter(lambda: opened.read(PIECE_BYTES), b""), size, BUNDLE)
    except OSError as error:
        raise InputError(Code.CFG_FILE, f"{file} cannot be read: {error.strerror}.") from error


def _send_folder(client: Client, folder: Path) -> Any:  # noqa: ANN401 - JSON
    document, files = _contents(folder)
    with ExitStack() as opened:
        parts = [("document", (document.name, opened.enter_context(document.open("rb")), "application/yaml"))]
        for name, path in files:
            parts.append(("file", (name, opened.enter_context(path.open("rb")), "application/octet-stream")))
        return client.post_files("/v1/releases", parts)


def _contents(folder: Path) -> tuple[Path, list[tuple[str, Path]]]:
    documents = [folder / name for name in DOCUMENTS if (folder / name).is_file()]
    if not documents:
        raise InputError(Code.CFG_FILE, f"{folder} holds no release.yaml.", remedy="Name the folder of a release.")
    files = list(_files(folder, documents[0]))
    if len(files) > MAX_FILES:
        raise InputError(Code.CFG_TOO_LARGE, f"{folder} has more than {MAX_FILES} files.")
    return documents[0], files


def _files(folder: Path, document: Path) -> Iterator[tuple[str, Path]]:
    """Plain files only: the server would see the copy of a link, not the link."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            raise InputError(Code.CFG_FILE, f"{path} is a symbolic link; a release holds plain files only.")
        if path.is_file() and path != document:
            yield name, path


def _readable(document: dict[str, Any]) -> Shown:
    import yaml  # noqa: PLC0415 - only here

    spec = {key: value for key, value in document["spec"].items() if value not in (None, [], {})}
    return Shown(document, yaml.safe_dump(spec, sort_keys=False).rstrip())
