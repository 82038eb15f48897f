"""The way back of a campaign: previewed, begun, forced, or given up."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from escalator.cli.base import LONG_S, fields
from escalator.cli.campaign import Verb, brief, quoted
from escalator.cli.campaign_plan import NOT_SMOOTH
from escalator.cli.campaign_show import Watched
from escalator.cli.failures import no_timeout_without
from escalator.cli.spans import duration
from escalator.model.codes import Code

if TYPE_CHECKING:
    from rich.console import RenderableType


NOT_BACK = 1


class _Followed(Watched):
    """Something that goes on for long, and can be waited for."""

    verb = ""
    hint = ""
    """What is to be seen where it is followed."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="NAME", help="the campaign")
        parser.add_argument("--reason", default="", help="why; it stands in the history")
        parser.add_argument("--wait", action="store_true", help="follow it until it ends or needs a person")
        parser.add_argument("--timeout", type=duration, metavar="SECONDS", help="wait no longer than that")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Ask the server for it, and watch where asked."""
        no_timeout_without(parsed_args, "wait")
        path = f"/v1/campaigns/{quoted(parsed_args.name)}"
        self.whole = parsed_args.wait
        with self.server() as client:
            asked = {"reason": parsed_args.reason, **self.beyond(parsed_args)}
            found = client.post(f"{path}/actions/{self.verb}", asked, timeout_s=LONG_S)
            if found.get("waits"):
                self.app.stderr.write(f"{Code.PLN_WINDOW.value}: {found['waits']}\n")
            if parsed_args.wait:
                view = self.watch(client, parsed_args.name, parsed_args.timeout)
                # It is what it was before: no node was taken back.
                self.exit_code = NOT_BACK if view["state"] == "completed" else self.exit_code
                return fields(view)
        self.app.stderr.write(f"Follow it with: escalator campaign show {parsed_args.name} --watch{self.hint}\n")
        return brief(found)

    def beyond(self, parsed_args: argparse.Namespace) -> dict[str, bool]:  # noqa: ARG002 - for those who accept something
        """What else is told to the server."""
        return {}


class Rollback(_Followed):
    """Put every node that a campaign changed back on what it ran before, the latest first.

    A campaign that runs has to be paused first. It waits for the campaign's maintenance windows, unless --outside-windows is
    given. Exit code 6 when its state, a later campaign or another one that has the cloud does not allow it. With --wait: 0 rolled
    back, 1 ended with nodes left as they are, 4 waits for a person, 5 timed out. With --dry-run: 3 when the plan is not smooth.
    """

    verb = "rollback"
    hint = " (which nodes cannot go back stands there as soon as it is planned)"
    _previewed = False

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--dry-run", action="store_true", help="only show the plan that it would go by now")
        text = "let instances be stopped once more that find no place (mode: non-smooth)"
        anytime = "do not wait for a maintenance window; that this was accepted stands in the history"
        parser.add_argument("--outside-windows", action="store_true", help=anytime)
        parser.add_argument("--accept-outage", action="store_true", help=text)
        return parser

    def beyond(self, parsed_args: argparse.Namespace) -> dict[str, bool]:
        """What is accepted."""
        return {"accept_outage": parsed_args.accept_outage, "outside_windows": parsed_args.outside_windows}

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Show the plan, or begin."""
        self._previewed = parsed_args.dry_run
        if not parsed_args.dry_run:
            return super().take_action(parsed_args)
        asked = "?outside_windows=true" if parsed_args.outside_windows else ""
        with self.server() as client:
            found = client.get(f"/v1/campaigns/{quoted(parsed_args.name)}/rollback{asked}", timeout_s=LONG_S)
        self.exit_code = 0 if found["smooth"] else NOT_SMOOTH
        return fields(found)

    def draw(self, parsed_args: argparse.Namespace, document: Mapping[str, Any]) -> RenderableType | None:
        """The plan, or the campaign, for people."""
        if not self._previewed:
            return super().draw(parsed_args, document)
        from escalator.cli.plan_view import plan_view  # noqa: PLC0415 - rich is for people's eyes only

        return plan_view(document, parsed_args.name, full=False)


class Restore(_Followed):
    """Put the nodes whose rollback failed on the oldest backup that the campaign took of them, by force.

    With --wait: 0 restored, 4 waits for a person, 5 timed out.
    """

    verb = "restore"


class Commit(Verb):
    """Make a campaign that is over final: its backups are removed, and it cannot be rolled back any more."""

    verb, said = "commit", "It is final. Its backups are removed from the nodes; what stays is told in: escalator event list"
