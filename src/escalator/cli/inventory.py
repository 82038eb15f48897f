"""The cloud as an inventory document."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from escalator.cli.base import LONG_S, Command
from escalator.model.codes import Code
from escalator.model.errors import InputError


class Export(Command):
    """Print the cloud as an inventory document, as `escalator plan` reads it."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--output", type=Path, metavar="FILE", help="write it to this file")
        parser.add_argument(
            "-f", "--format", dest="formatter", choices=("json", "yaml"), default="yaml", help="the format, yaml when left out"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Get the inventory and print or write it."""
        with self.server() as client:
            text = _text(client.get("/v1/inventory", timeout_s=LONG_S), parsed_args.formatter)
        if parsed_args.output is None:
            self.app.stdout.write(text)
        else:
            _write(parsed_args.output, text)
            self.app.stderr.write(f"Written to {parsed_args.output}\n")


def _text(document: dict[str, Any], form: str) -> str:
    if form == "json":
        return json.dumps(document, indent=2) + "\n"
    import yaml  # noqa: PLC0415 - only here

    dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(document, Dumper=dumper, sort_keys=False, allow_unicode=True)
    return text


def _write(path: Path, text: str) -> None:
    """Whole or not at all."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except OSError as error:
        raise InputError(Code.CFG_FILE, f"{path} cannot be written: {error.strerror}.") from error
