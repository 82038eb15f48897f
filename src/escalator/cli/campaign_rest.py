"""A campaign in its middle and at its end: plan the rest anew, and check what it did."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from escalator.cli.base import LONG_S, Shower, fields
from escalator.cli.campaign import quoted

if TYPE_CHECKING:
    from rich.console import RenderableType

VIOLATED = 1


class Replan(Shower):
    """Plan the rest of a running campaign anew, show how that differs, and follow it; what is under way goes on.

    Exit code 4 when the plan goes beyond what was approved: more nodes, projects, VNFs or moves, or nodes left out.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="NAME", help="the campaign")
        parser.add_argument("--dry-run", action="store_true", help="only show what would change")
        parser.add_argument("--accept-drift", action="store_true", help="follow it although it goes beyond what was approved")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Ask the server for it."""
        action = {"accept_drift": parsed_args.accept_drift, "dry_run": parsed_args.dry_run}
        with self.server() as client:
            return fields(client.post(f"/v1/campaigns/{quoted(parsed_args.name)}/actions/replan", action, timeout_s=LONG_S))

    def draw(self, parsed_args: argparse.Namespace, document: Mapping[str, Any]) -> RenderableType:  # noqa: ARG002 - cliff's
        """The diff for people."""
        from escalator.cli.plan_view import replan_view  # noqa: PLC0415 - rich is for people's eyes only

        return replan_view(document)


class VerifyRun(Shower):
    """Check what a campaign did so far against every rule that its plans had to hold to, independently of the engine.

    Exit code 0 when no rule was broken, 1 when one was.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="NAME", help="the campaign")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Ask the server for it."""
        with self.server() as client:
            found = client.get(f"/v1/campaigns/{quoted(parsed_args.name)}/verification")
        self.exit_code = VIOLATED if found["violations"] else 0
        return fields(found)

    def draw(self, parsed_args: argparse.Namespace, document: Mapping[str, Any]) -> RenderableType:  # noqa: ARG002 - cliff's
        """What was checked and found, for people."""
        from escalator.cli.plan_view import run_view  # noqa: PLC0415 - rich is for people's eyes only

        return run_view(document)
