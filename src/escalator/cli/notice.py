"""Notices to VNF managers and their answers."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping
from typing import Any

from escalator.cli.base import Lister, Shower, Shown, fields, optional, rows
from escalator.cli.campaign import quoted
from escalator.cli.failures import UsageError
from escalator.cli.spans import date_time, how_many, stated
from escalator.model.notice import word_of

OPEN = ("pending", "delivered")
RESULTS = ("ACK", "NACK", "DEFER")
DISPOSITIONS = ("MOVED", "KEEP", "MIGRATE", "LIVE_MIGRATE", "OWN_ACTION")
NEEDS_A_WORD = ("cold", "in-place", "stop-start")
"""What is planned for an instance and not done without a word about it."""
NAMED = 5
"""How many instances a warning names."""


class ListNotices(Lister):
    """List notices to VNF managers, newest first."""

    nothing = "No notices were sent."
    spare = ("campaign", "created_at", "instances", "message", "node", "vnfm")
    read = "message"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--campaign", metavar="NAME", help="only notices of this campaign")
        parser.add_argument("--limit", type=how_many, default=100, metavar="N", help="how many at most, 100 when left out")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Get the list."""
        with self.server() as client:
            if parsed_args.campaign is not None:
                # A name that is misspelt is not taken for a campaign that told nobody.
                client.get(f"/v1/campaigns/{quoted(parsed_args.campaign)}")
            found = client.get("/v1/notices", campaign=parsed_args.campaign, limit=parsed_args.limit)
        columns: dict[str, Any] = {"id": "id", "type": lambda n: Shown(n["type"], word_of(n["type"]))}
        columns |= {"vnfm": "vnfm", "campaign": lambda n: Shown(n["campaign"], "" if parsed_args.campaign else n["campaign"])}
        columns |= {"node": optional("node"), "state": lambda n: Shown(n["state"], state_line(n))}
        # People find the result beside the state, and a deadline only while it matters.
        columns |= {"result": lambda n: Shown(n["result"], ""), "instances": "instances"}
        columns["created_at"] = lambda n: Shown(n["created_at"], date_time(n["created_at"]))
        columns["reply_by"] = lambda n: Shown(n["reply_by"], date_time(n["reply_by"]) if n["state"] in OPEN else "")
        columns |= {"answered_at": lambda n: Shown(n["answered_at"], ""), "message": optional("message")}
        return rows(found, columns)


class ShowNotice(Shower):
    """Show one notice with its instances and every reply."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("id", metavar="ID", help="the notice")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Get the notice."""
        with self.server() as client:
            found = client.get(f"/v1/notices/{quoted(parsed_args.id)}")
        about = [f"{r['resource_id']}  {r['resource_name'] or ''}  {r['planned_action']}" for r in found["resources"]]
        replies = [f"{r['at']}  {_by(r, found)}  {r['verdict']}  {json.dumps(r['reply'])}" for r in found["replies"]]
        word = word_of(found["type"])
        found["type"] = Shown(found["type"], f"{found['type']} ({word})" if word != found["type"] else word)
        found["state"] = Shown(found["state"], state_word(found["state"]))
        found["resources"] = Shown(found["resources"], "\n".join(about))
        report, details = found["report"], found.get("details", {})
        found["details"] = Shown(details, "\n".join(f"{key}: {value}" for key, value in details.items()))
        found["report"] = Shown(report, "" if report is None else json.dumps(report, indent=2))
        found["replies"] = Shown(found["replies"], "\n".join(replies))
        return fields(found)


class Reply(Shower):
    """Answer a notice as a person: as the one on duty for a VNF, or for a VNF manager that cannot.

    The same answer again changes nothing. Exit code 6 when it is too late, or another answer was given before.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("id", metavar="ID", help="the notice")
        parser.add_argument("--result", required=True, choices=RESULTS, help="ACK: go on; NACK: leave the node; DEFER: wait")
        parser.add_argument(
            "--until", type=stated, metavar="TIME", help="with DEFER: until when to wait, as 2026-01-31T01:30:00+02:00"
        )
        parser.add_argument("--all", choices=DISPOSITIONS, dest="every", help="what holds for every instance of the notice")
        parser.add_argument(
            "--instance", action="append", default=[], type=_disposition, metavar="ID=WORD", help="what holds for one instance"
        )
        parser.add_argument("--reason", metavar="TEXT", help="why; it stands in the record")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Answer."""
        if (parsed_args.result == "DEFER") != (parsed_args.until is not None):
            raise UsageError("--until says until when to wait: --result DEFER needs it, and no other result has it.")
        path = f"/v1/notices/{quoted(parsed_args.id)}"
        with self.server() as client:
            about = client.get(path)["resources"] if parsed_args.every or parsed_args.result == "ACK" else ()
            words = {resource["resource_id"]: parsed_args.every for resource in about if parsed_args.every}
            words |= dict(parsed_args.instance)
            answer = {"result": parsed_args.result, "until": parsed_args.until, "instances": words, "reason": parsed_args.reason}
            taken = client.post(f"{path}/actions/reply", {key: value for key, value in answer.items() if value is not None})
        if parsed_args.result == "ACK":
            self.app.stderr.write(left_open(taken, [r for r in about if r["resource_id"] not in words]))
        return fields(taken)


def left_open(notice: Mapping[str, Any], unmentioned: Iterable[Mapping[str, Any]]) -> str:
    """What an ACK did not allow, for want of a word about it; empty when it allowed all that is planned."""
    stays = [f"{r['resource_id']} ({r['planned_action']})" for r in unmentioned if r["planned_action"] in NEEDS_A_WORD]
    if not stays:
        return ""
    named = ", ".join(stays[:NAMED]) + (f" and {len(stays) - NAMED} more" if len(stays) > NAMED else "")
    again = f"escalator node retry {notice['campaign']} {notice['node']}"
    return (
        f"Warning: this ACK says nothing about {named}, so it does not allow that: the node will be left out (ESC-UPG-011)."
        f" --all MOVED or --all KEEP says it for every instance. The answer counts as it is; when the node is left out,"
        f" {again} asks again.\n"
    )


def _by(reply: Mapping[str, Any], notice: Mapping[str, Any]) -> str:
    return f"a person for {notice['vnfm']}" if reply.get("by_person") else str(notice["vnfm"])


def state_word(state: str) -> str:
    """The state for people: programs get its name."""
    return "not delivered" if state == "undeliverable" else state


def state_line(notice: dict[str, Any]) -> str:
    """The state with the answer; a notice that was withdrawn after its answer says both."""
    result, state = notice["result"], state_word(notice["state"])
    if result and notice["state"] == "cancelled":
        return f"cancelled after {result}"
    if result == "DEFER" and notice["state"] in OPEN:
        return "deferred"
    return f"{state} {result or ''}".rstrip()


def _disposition(text: str) -> tuple[str, str]:
    instance, _, word = text.rpartition("=")
    if not instance or word not in DISPOSITIONS:
        raise argparse.ArgumentTypeError(f"ID=WORD is expected, with one of {', '.join(DISPOSITIONS)}")
    return instance, word
