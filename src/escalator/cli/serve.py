"""Running the server."""

from __future__ import annotations

import argparse
from pathlib import Path

from escalator.cli.base import Command


class Serve(Command):
    """Run the server: REST API and engine.

    It stops cleanly on SIGTERM and SIGINT; campaigns go on where they were at the next start.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--config", type=Path, metavar="FILE", help="settings; defaults and ESCALATOR_… variables without")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Serve until told to stop; what serves was handed to the application, which knows nothing of the API."""
        self.app.run_server(parsed_args.config)
