"""Nodes: where they stand, and another turn or none for one of them."""

from __future__ import annotations

import argparse
from typing import Any, get_args

from escalator.cli.base import Lister, Shower, Shown, fields, optional, rows
from escalator.cli.campaign import quoted
from escalator.cli.one_by_one import one_by_one
from escalator.model.inventory import Role


class ListNodes(Lister):
    """List the cloud's nodes, with their turn in the campaign that runs."""

    nothing = "There are no nodes."
    spare = ("campaign", "rack", "az", "versions", "roles", "instances")
    read = "message"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--campaign", metavar="NAME", help="only the nodes of this campaign, running or over")
        roles = "only nodes of this role: compute, control, network or storage; may be repeated"
        parser.add_argument("--role", action="append", choices=get_args(Role), help=roles)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Get the list."""
        with self.server() as client:
            found = client.get("/v1/nodes", campaign=parsed_args.campaign, role=parsed_args.role)
        columns: dict[str, Any] = {"id": "id", "roles": lambda n: Shown(n["roles"], ", ".join(n["roles"]))}
        columns |= {"state": "state", "maintenance": _maintenance, "instances": "instances"}
        columns |= {key: optional(key) for key in ("az", "rack")}
        columns["versions"] = lambda n: Shown(n["versions"], ", ".join(f"{k} {v}" for k, v in n["versions"].items()))
        columns |= {key: optional(key) for key in ("hold", "campaign", "task", "step", "message")}
        return rows(found, columns)


class ShowNode(Shower):
    """Show one node with its instances and its turn in the campaign that runs."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("node", metavar="NODE", help="the node's id")
        parser.add_argument("--campaign", metavar="NAME", help="its turn in this campaign, running or over")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Get the node."""
        with self.server() as client:
            found = client.get(f"/v1/nodes/{quoted(parsed_args.node)}", campaign=parsed_args.campaign)
        task = found["node_task"]
        rungs = [rung_line(rung) for rung in task["ladder"]] if task else []
        found["node_task"] = Shown(task, "\n".join(rungs))
        found["staged"] = Shown(found["staged"], _staged(found["staged"]))
        hosted = [f"{i['id']}  {i['name'] or ''}  {i['state']}  {i['migration']}" for i in found["hosted"]]
        found["hosted"] = Shown(found["hosted"], "\n".join(hosted))
        return fields(found)


class _Turn(Lister):
    """Something that people do to nodes of a campaign."""

    verb = ""
    read = "message"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("campaign", metavar="CAMPAIGN", help="the campaign")
        parser.add_argument("nodes", nargs="+", metavar="NODE", help="the node's id; several may be named")
        return parser

    def body(self, parsed_args: argparse.Namespace) -> dict[str, str]:
        """What goes with the request."""
        return {"campaign": parsed_args.campaign}

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Ask the server for it, node by node: the first that is refused ends it, and what was done is said."""
        asked = self.body(parsed_args)
        with self.server() as client:
            found = one_by_one(
                self, parsed_args.nodes, lambda n: client.post(f"/v1/nodes/{quoted(n)}/actions/{self.verb}", asked)
            )
        # People see the try that `campaign show` tells of; programs the attempt, which counts turns there and back alike.
        attempt = {"attempt": lambda task: Shown(task["attempt"], str(task["tries"]))}
        around = {key: key for key in ("campaign", "node", "state", "code", "message")}
        return rows(found, {"campaign": "campaign", "node": "node", **attempt, **around})


class Retry(_Turn):
    """Give nodes that failed or were skipped another turn; a suspended campaign goes on."""

    verb = "retry"


class Skip(_Turn):
    """Leave out nodes that wait for their turn or have failed; a suspended campaign goes on."""

    verb = "skip"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--reason", default="", help="why; it stands with the node and in the history")
        return parser

    def body(self, parsed_args: argparse.Namespace) -> dict[str, str]:
        """What goes with the request."""
        return {**super().body(parsed_args), "reason": parsed_args.reason}


def rung_line(rung: dict[str, Any]) -> str:
    """A rung reached, or left again: what was undone says so, and not its opposite."""
    undone = "" if rung.get("status", True) else " undone"
    return f"{rung['rung']}{undone}  {rung['since']}  {rung['message']}".rstrip()


def _staged(staged: dict[str, Any] | None) -> str:
    if staged is None:
        return ""
    return f"{staged['release']}  {staged['at']}" if staged["staged"] else f"no: {staged['code']} {staged['message']}"


def _own_turn(node: dict[str, Any]) -> bool:
    """Whether the campaign in its row has it out of service: its step says more."""
    return bool(node["task"]) and node["maintenance_reason"].startswith(f"Escalator campaign {node['campaign']}:")


def _maintenance(node: dict[str, Any]) -> Shown:
    reason = f": {node['maintenance_reason']}" if node["maintenance_reason"] and not _own_turn(node) else ""
    return Shown(node["maintenance"], f"yes{reason}" if node["maintenance"] else "")
