"""Bringing a release's files onto the nodes of a campaign before their turns."""

from __future__ import annotations

import argparse
import time
from typing import Any

from escalator.cli.base import LONG_S, Lister, Shown, optional, rows
from escalator.cli.campaign import quoted
from escalator.cli.spans import date_time

LOOK_S = 1.0
NOT_STAGED = 1


class Stage(Lister):
    """Bring the release's files onto the nodes of a campaign's plan; nothing that runs on them changes.

    Exit code 1 when a node could not be staged; its reason is shown.
    """

    read = "message"
    nothing = "Staging has begun; no node is staged yet. Look again with: escalator campaign stage NAME --show"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="NAME", help="the campaign")
        parser.add_argument("--wait", action="store_true", help="until every node is staged or has failed")
        parser.add_argument("--show", action="store_true", help="only show what is staged")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Ask the server for it, and follow it where that is wanted."""
        path = f"/v1/campaigns/{quoted(parsed_args.name)}"
        with self.server() as client:
            found = client.get(f"{path}/staging") if parsed_args.show else client.post(f"{path}/actions/stage", timeout_s=LONG_S)
            while parsed_args.wait and found["under_way"]:
                time.sleep(LOOK_S)
                found = client.get(f"{path}/staging")
        if any(not node["staged"] for node in found["nodes"]):
            self.exit_code = NOT_STAGED
        columns: dict[str, Any] = {key: key for key in ("node", "release")}
        columns["staged"] = lambda n: Shown(n["staged"], "yes" if n["staged"] else "no")
        columns["at"] = lambda n: Shown(n["at"], date_time(n["at"]))
        columns |= {key: optional(key) for key in ("code", "message")}
        return rows(found["nodes"], columns)
