"""Starting a campaign and watching it."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from escalator.cli.base import LONG_S, Shower, fields
from escalator.cli.campaign import add_no_return, brief, no_return, quoted
from escalator.cli.failures import no_timeout_without
from escalator.cli.freeze import still_frozen
from escalator.cli.interrupts import interrupted_afterwards
from escalator.cli.spans import duration

if TYPE_CHECKING:
    from rich.console import RenderableType

    from escalator.cli.client import Client


class Watched(Shower):
    """Shows a campaign, after watching it where asked."""

    whole = True

    def draw(self, parsed_args: argparse.Namespace, document: Mapping[str, Any]) -> RenderableType | None:  # noqa: ARG002 - as the base says
        """The campaign for people; a started one that nobody waits for is a few fields."""
        if not self.whole:
            return None
        from rich.console import Group  # noqa: PLC0415 - rich is for people's eyes only

        from escalator.cli.live import screen  # noqa: PLC0415 - as above
        from escalator.cli.plan_view import summary_view  # noqa: PLC0415 - as above

        seen = screen(document, time.time())
        plan = document["plan_summary"]
        return seen if document["tasks"] or plan is None else Group(seen, summary_view(plan))

    def watch(self, client: Client, name: str, timeout_s: float | None, begin: frozenset[str] = frozenset()) -> Mapping[str, Any]:
        """Follow the campaign; its last state. The exit code tells how it ended."""
        with interrupted_afterwards():
            from escalator.cli.watch import (  # noqa: PLC0415 - rich is for people's eyes only
                TIMED_OUT,
                WAITS,
                Watching,
                waiting_for,
                watch,
            )

        how = Watching(self.app.stderr, timeout_s, begin=begin)
        try:
            view, self.exit_code = watch(partial(client.get, f"/v1/campaigns/{quoted(name)}"), how)
        except KeyboardInterrupt:
            self.app.stderr.write(f"Stopped watching; the campaign goes on. See it with: escalator campaign show {name}\n")
            raise
        if self.exit_code == TIMED_OUT:
            self.app.stderr.write(f"ESC-API-007: {view['name']} did not end within {timeout_s:g} s; it goes on.\n")
        elif self.exit_code == WAITS:
            self.app.stderr.write(f"{waiting_for(view)}\n")
        return view


class Show(Watched):
    """Show a campaign: state, progress, every node's ladder, and what to do next.

    With --watch it is followed until it ends or needs a person. Exit code then: 0 completed, rolled back or restored, 1
    aborted, 4 waits for a person, 5 timed out.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="NAME", help="the campaign")
        parser.add_argument("--watch", action="store_true", help="follow it until it ends or needs a person")
        parser.add_argument("--timeout", type=duration, metavar="SECONDS", help="watch no longer than that")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Get the campaign, once or until it ends."""
        no_timeout_without(parsed_args, "watch")
        path = f"/v1/campaigns/{quoted(parsed_args.name)}"
        with self.server() as client:
            return fields(self.watch(client, parsed_args.name, parsed_args.timeout) if parsed_args.watch else client.get(path))


class Start(Watched):
    """Start a planned campaign.

    Exit code 3 when its plan is not smooth, 4 when the cloud changed beyond what was approved, 6 when another campaign
    runs. With --wait: 0 completed, 1 aborted, 4 waits for a person, 5 timed out.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="NAME", help="the campaign")
        parser.add_argument("--plan", metavar="ID", help="the plan to start by; the campaign's latest when left out")
        parser.add_argument("--accept-drift", action="store_true", help="start although the cloud changed since the plan")
        text = "start although instances that find no place are stopped with their nodes (mode: non-smooth)"
        parser.add_argument("--accept-outage", action="store_true", help=text)
        add_no_return(parser)
        parser.add_argument("--wait", action="store_true", help="follow it until it ends or needs a person")
        parser.add_argument("--timeout", type=duration, metavar="SECONDS", help="wait no longer than that")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Start, and watch where asked."""
        no_timeout_without(parsed_args, "wait")
        path = f"/v1/campaigns/{quoted(parsed_args.name)}"
        accepted = {"accept_drift": parsed_args.accept_drift, "accept_outage": parsed_args.accept_outage}
        action = {"plan": parsed_args.plan, **accepted, **no_return(parsed_args)}
        self.whole = parsed_args.wait
        with self.server() as client:
            found = client.post(f"{path}/actions/start", action, timeout_s=LONG_S)
            self.app.stderr.write(still_frozen(client))
            if found.get("short_of_time"):
                self.app.stderr.write(f"ESC-PLN-009: {found['short_of_time']}\n")
            if parsed_args.wait:
                return fields(self.watch(client, parsed_args.name, parsed_args.timeout))
        self.app.stderr.write(f"Follow it with: escalator campaign show {parsed_args.name} --watch\n")
        return brief(found)
