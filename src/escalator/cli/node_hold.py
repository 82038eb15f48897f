"""Nodes that people hold: no campaign begins them until they are let go."""

from __future__ import annotations

import argparse
from typing import Any

from escalator.cli.base import Lister, Shown, rows
from escalator.cli.campaign import quoted
from escalator.cli.one_by_one import one_by_one
from escalator.cli.spans import date_time


class _Held(Lister):
    """Something that people do to several nodes at once."""

    nothing = ""
    read = "reason"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("nodes", nargs="+", metavar="NODE", help="the node's id")
        return parser


class HoldNodes(_Held):
    """Let no campaign begin these nodes; a turn under way stops before its next step. Holds outlive campaigns and restarts."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--reason", default="", help="why; it is shown wherever the node is")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Ask the server for it, node by node."""
        with self.server() as client:
            reason = {"reason": parsed_args.reason}
            found = one_by_one(self, parsed_args.nodes, lambda n: client.post(f"/v1/nodes/{quoted(n)}/actions/hold", reason))
        self.app.stderr.write(f"Let them go with: escalator node unhold {' '.join(parsed_args.nodes)}\n")
        return rows(found, {"node": "node", "since": lambda h: Shown(h["since"], date_time(h["since"])), "reason": "reason"})


class UnholdNodes(_Held):
    """Let nodes go that were held: they have their turn as any other, or go on with it."""

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Ask the server for it, node by node."""
        with self.server() as client:
            one_by_one(self, parsed_args.nodes, lambda n: client.post(f"/v1/nodes/{quoted(n)}/actions/unhold", None))
        return rows([{"node": node, "hold": None} for node in parsed_args.nodes], {"node": "node"})
