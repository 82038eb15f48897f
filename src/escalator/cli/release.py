"""Releases."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from escalator.cli.base import Lister, Shower, Shown, fields, rows
from escalator.cli.campaign import quoted
from escalator.cli.failures import UsageError
from escalator.cli.spans import date_time
from escalator.model.codes import Code
from escalator.model.errors import InputError

DOCUMENTS = ("release.yaml", "release.yml", "release.json")
MAX_FILES = 4096
KEPT = ("id", "type", "impact", "digest", "imported_at")


class Import(Shower):
    """Give the server a release: a folder with release.yaml and its files."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("folder", type=Path, metavar="DIR", help="folder with release.yaml (or .json) and the files")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Send document and files."""
        document, files = _contents(parsed_args.folder)
        with ExitStack() as opened, self.server() as client:
            parts = [("document", (document.name, opened.enter_context(document.open("rb")), "application/yaml"))]
            for name, path in files:
                parts.append(("file", (name, opened.enter_context(path.open("rb")), "application/octet-stream")))
            found = client.post_files("/v1/releases", parts)
        self.app.stderr.write(f"Campaigns name it as: release: {found['id']}\n")
        return fields({key: found[key] for key in KEPT} | {"files": len(found["document"]["spec"]["files"])})


class ListReleases(Lister):
    """List imported releases."""

    nothing = "There are no releases yet: escalator release import DIR"

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
        name, slash, version = parsed_args.id.partition("/")
        if not slash or not name or not version:
            raise UsageError("A release is named NAME/VERSION, such as nfvi-agent/2.0.0.")
        with self.server() as client:
            found = client.get(f"/v1/releases/{quoted(name)}/{quoted(version)}")
        return fields({key: found[key] for key in KEPT} | {"document": _readable(found["document"])})


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
