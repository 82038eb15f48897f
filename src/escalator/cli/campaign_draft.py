"""What people do to a campaign before it starts: correct it, remove it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from escalator.cli.base import Command, Shower
from escalator.cli.campaign import brief, quoted, read_campaign


class Edit(Shower):
    """Put another document in the place of a campaign's, which has not started.

    Its name is that in the document. It has to be planned again: its plans were made of the old document.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("file", type=Path, metavar="FILE", help="campaign document, YAML or JSON")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Put the document."""
        text, name = read_campaign(parsed_args.file)
        with self.server() as client:
            found = client.put_document(f"/v1/campaigns/{quoted(name)}", text)
        self.app.stderr.write(f"Next: escalator campaign plan {name}\n")
        return brief(found)


class Remove(Command):
    """Forget a campaign that has not started, with its plans. Its lines in the history stay; its name is free again."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="NAME", help="the campaign")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Remove it."""
        with self.server() as client:
            client.delete(f"/v1/campaigns/{quoted(parsed_args.name)}")
        self.app.stderr.write(f"{parsed_args.name} is removed.\n")
