"""The emergency freeze of everything."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from escalator.cli.base import Shower, fields
from escalator.cli.spans import date_time
from escalator.model.errors import EscalatorError

if TYPE_CHECKING:
    from escalator.cli.client import Client


def still_frozen(client: Client) -> str:
    """What stands against beginning anything, for whoever lets a campaign go on; nothing where nothing does."""
    found = _seen(client)
    if not found["frozen"]:
        return ""
    return f"Nothing begins yet: everything is frozen, {_said(found)}. It ends with: escalator freeze end\n"


def _seen(client: Client) -> Mapping[str, Any]:
    """The freeze as it stands. A look that fails is no failure of what it is beside: an order that is given, or was taken."""
    try:
        found: Mapping[str, Any] = client.get("/v1/freeze")
    except EscalatorError:
        return {"frozen": False}
    return found


def _said(found: Mapping[str, Any]) -> str:
    reason = f": {found['reason']}" if found["reason"] else ""
    return f"since {date_time(found['since'])}{reason}"


class ShowFreeze(Shower):
    """Show whether everything is frozen, since when and why."""

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401, ARG002 - cliff's
        """Ask the server."""
        with self.server() as client:
            return fields(client.get("/v1/freeze"))


class BeginFreeze(Shower):
    """Let nothing begin in any campaign, at once.

    Nodes whose software is being changed are finished. Nodes that only wait, for answers or for others, are put back and have
    their turns later.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--reason", default="", help="why; it is shown wherever a campaign waits")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Ask the server for it."""
        with self.server() as client:
            before = _seen(client)
            found: Mapping[str, Any] = client.post("/v1/freeze/actions/begin", {"reason": parsed_args.reason})
        if before["frozen"]:
            self.app.stderr.write(f"Everything was frozen already, {_said(found)}.\n")
        self.app.stderr.write("Let campaigns go on with: escalator freeze end\n")
        return fields(found)


class EndFreeze(Shower):
    """Let campaigns go on; what is left of each is planned anew."""

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401, ARG002 - cliff's
        """Ask the server for it."""
        with self.server() as client:
            return fields(client.post("/v1/freeze/actions/end", None))
