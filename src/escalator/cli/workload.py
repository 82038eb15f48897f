"""How long workloads were impacted by a campaign."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from escalator.cli.base import Lister, Shown, optional, rows
from escalator.cli.campaign import quoted
from escalator.cli.spans import date_time, exact, span


class ListWorkloads(Lister):
    """List how long each VNF, group or instance was impacted by a campaign, and how many of them at once.

    From the history: a move from its begin to its end, an upgrade under an instance that stayed.
    """

    nothing = "Nothing was impacted."

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("campaign", metavar="CAMPAIGN", help="the campaign")
        parser.add_argument(
            "--by", choices=("vnf", "group", "instance"), default="vnf", help="one row for each; vnf when left out"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Get the list."""
        with self.server() as client:
            found = client.get(f"/v1/campaigns/{quoted(parsed_args.campaign)}/workloads", by=parsed_args.by)
        for row in found:
            if row["members"] == 0 and row["outages"] is not None:
                told = f"No instance is of {row['name']}, which a probe looks at: is it spelt right in the settings?\n"
                self.app.stderr.write(told)
        columns: dict[str, Any] = {"name": "name"}
        if parsed_args.by != "instance":
            columns |= {"members": "members", "hit": "hit"}
        columns |= {"impacts": "impacts", "impacted_s": _time("impacted_s"), "longest_s": _time("longest_s")}
        if any(row["back_impacts"] for row in found):
            # What the way there took, and what the way back took on top of it, are questions of two different nights.
            columns["back_s"] = lambda row: Shown(row["back_s"], f"{span(row['back_s'])} in {row['back_impacts']}")
        if parsed_args.by != "instance":
            columns["at_once"] = "at_once"
        if parsed_args.by == "group":
            columns |= {"limit": optional("limit"), "beyond_s": _time("beyond_s")}
            columns["spent_s"] = lambda row: Shown(row["spent_s"], f"{span(row['spent_s'])} of {span(row['budget_s'])}")
            columns["budget_s"] = lambda row: Shown(row["budget_s"], "")
        if parsed_args.by == "instance":
            columns["tolerates_s"] = lambda row: Shown(row["tolerates_s"], _tolerated(row))
        if any(row["outages"] is not None for row in found):
            columns |= {"outages": optional("outages"), "away_s": _time("away_s"), "longest_away_s": _time("longest_away_s")}
        columns["under_way"] = lambda row: Shown(row["under_way"], "now" if row["under_way"] else "")
        return rows(found, columns)


class ShowWorkload(Lister):
    """Show every impact of one instance by a campaign, oldest first."""

    nothing = "It was not impacted."

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("campaign", metavar="CAMPAIGN", help="the campaign")
        parser.add_argument("instance", metavar="INSTANCE", help="id of the instance")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Get the list."""
        with self.server() as client:
            path = f"/v1/campaigns/{quoted(parsed_args.campaign)}/workloads/{quoted(parsed_args.instance)}"
            found = client.get(path)
        columns: dict[str, Any] = {
            "started_at": lambda row: Shown(row["started_at"], date_time(row["started_at"])),
            "kind": "kind",
            "node": "node",
            "target": optional("target"),
            "seconds": _time("seconds"),
            "groups": lambda row: Shown(row["groups"], ", ".join(row["groups"])),
        }
        return rows(found, columns)


class ListOutages(Lister):
    """List when probes found the service of a VNF away during a campaign.

    What is shown can be too short by one interval of the probe, and too long by its time-out and one interval. How each
    probe looked goes to standard error.
    """

    nothing = "No probe found a service away."
    read = "reason"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("campaign", metavar="CAMPAIGN", help="the campaign")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Get the list."""
        with self.server() as client:
            path = f"/v1/campaigns/{quoted(parsed_args.campaign)}"
            found, over = client.get(f"{path}/outages"), client.get(path)["ended_at"] is not None
        if not found["watches"]:
            self.nothing = "No probe looked: name some under probes in the server's settings."
        for watch in found["watches"]:
            since, until = date_time(watch["since"]), date_time(watch["until"])
            looks = f"{watch['sent']} looks, {watch['failed']} in vain, every {watch['interval_s']:g} s"
            self.app.stderr.write(f"{watch['probe']} looked at {watch['vnf']} from {since} to {until}: {looks}\n")
        columns: dict[str, Any] = {
            "vnf": "vnf",
            "probe": "probe",
            "started_at": lambda row: Shown(row["started_at"], date_time(row["started_at"])),
            "seconds": _time("seconds"),
            "now": lambda row: Shown(row["ended_at"] is None and not over, _away(row, over=over)),
            "reason": "reason",
        }
        return rows(found["outages"], columns)


def _away(row: Mapping[str, Any], *, over: bool) -> str:
    """Nobody looks any more when the campaign has ended: what is away since then nobody knows."""
    if row["ended_at"] is not None:
        return ""
    return "away at the last look" if over else "away now"


def _tolerated(row: Mapping[str, Any]) -> str:
    """What the VNF bears, and whether an impact was longer: its business may have been interrupted for less."""
    if row["tolerates_s"] is None:
        return ""
    return span(row["tolerates_s"]) + (" (an impact lasted longer)" if row["longest_s"] > row["tolerates_s"] else "")


def _time(key: str) -> Any:  # noqa: ANN401 - a column
    return lambda row: Shown(row[key], exact(row[key]) if row[key] else "")
