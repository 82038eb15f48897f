"""Planning a campaign on the server."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from escalator.cli.base import LONG_S, Shower, fields
from escalator.cli.campaign import quoted
from escalator.cli.chart_file import add_chart, require_chart, write_chart

if TYPE_CHECKING:
    from rich.console import RenderableType

NOT_SMOOTH = 3


class MakePlan(Shower):
    """Plan a campaign on the cloud as it is now, and show plan and conditions.

    Exit code 3 when the plan is not smooth: every failing condition is shown with what would make it hold.
    """

    _campaign = ""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="NAME", help="the campaign")
        parser.add_argument("--full", action="store_true", help="print every row of long tables")
        add_chart(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Ask the server for a plan."""
        require_chart(parsed_args)
        with self.server() as client:
            plan = client.post(f"/v1/campaigns/{quoted(parsed_args.name)}/actions/plan", timeout_s=LONG_S)
        self.exit_code = 0 if plan["smooth"] else NOT_SMOOTH
        write_chart(parsed_args, plan, parsed_args.name)
        if plan["smooth"] and plan["upgrades"]:
            self.app.stderr.write(f"Next: escalator campaign start {parsed_args.name} --wait\n")
        return fields(plan)

    def draw(self, parsed_args: argparse.Namespace, document: Mapping[str, Any]) -> RenderableType:
        """The plan for people."""
        from escalator.cli.plan_view import plan_view  # noqa: PLC0415 - rich is for people's eyes only

        return plan_view(document, parsed_args.name, full=parsed_args.full)
