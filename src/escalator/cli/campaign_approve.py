"""Opening the gates of a campaign that people open."""

from __future__ import annotations

import argparse
from typing import Any

from escalator.cli.base import LONG_S, Shower
from escalator.cli.campaign import brief, quoted


class Approve(Shower):
    """Open a manual gate that the campaign waits at, or one before a campaign that has not begun."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="NAME", help="the campaign")
        parser.add_argument("gate", metavar="GATE", help="the gate, as the settings name it")
        parser.add_argument("--reason", default="", help="why; it stands in the history")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Ask the server for it."""
        body = {"gate": parsed_args.gate, "reason": parsed_args.reason}
        with self.server() as client:
            return brief(client.post(f"/v1/campaigns/{quoted(parsed_args.name)}/actions/approve", body, timeout_s=LONG_S))
