"""The history."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from escalator.cli.base import Lister, Shown, optional, rows
from escalator.cli.campaign import quoted
from escalator.cli.failures import UsageError
from escalator.cli.following import beyond_restarts
from escalator.cli.spans import date_time, how_many, stated
from escalator.model.codes import Code

if TYPE_CHECKING:
    from escalator.cli.client import Client

COLUMNS = ("seq", "at", "action", "campaign", "node", "object_id", "outcome", "code", "message")
MORE = ("step", "duration_s", "by", "data")
"""What programs get as well, and people who ask for it with `-c`: no line of a table has room for it."""


class ListEvents(Lister):
    """Show the last lines of the history, and with --follow those to come.

    Followed lines are printed as they come, as text or with `-f json` as one JSON object a line. A restart of the server is
    waited for, and no line is left out or shown twice.
    """

    nothing = "The history has no such lines."
    spare = ("seq", "campaign")
    read = "message"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--campaign", metavar="NAME", help="only lines of this campaign")
        parser.add_argument("--node", metavar="NODE", help="only lines of this node")
        parser.add_argument("--code", type=_code, metavar="CODE", help="only lines with this code, such as ESC-VIM-003")
        text = "only lines from this time on, as 2026-12-01T01:00:00+02:00"
        parser.add_argument("--since", type=stated, metavar="TIME", help=text)
        text = "only lines before this time, not with --follow"
        parser.add_argument("--until", type=stated, metavar="TIME", help=text)
        parser.add_argument("--limit", type=how_many, default=50, metavar="N", help="how many lines, 50 when left out")
        parser.add_argument("--after", type=int, metavar="SEQ", help="the lines after this one, instead of the last ones")
        parser.add_argument("--follow", action="store_true", help="go on with the lines to come, until interrupted")
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Follow, or list."""
        if not parsed_args.follow:
            return int(super().run(parsed_args) or 0)
        if parsed_args.until is not None:
            raise UsageError("--until: what is followed has no end.")
        with self.server() as client:
            self._follow(client, parsed_args)
        return 0

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Get the lines."""
        with self.server() as client:
            found = client.get("/v1/events", **_query(parsed_args))
            if not found:
                # A name that was mistyped is no empty history; what is forgotten but had one is not asked for.
                _require(client, parsed_args)
        more = MORE if parsed_args.columns or parsed_args.formatter in ("json", "yaml", "csv") else ()
        columns = {key: _cell(key) for key in (*COLUMNS, *more)}
        if not parsed_args.columns:
            # People read what a line is about, and its code, in front of its message: that takes the fewest columns.
            columns["object_id"], columns["code"], columns["message"] = _hidden("object_id"), _hidden("code"), _told
            columns["outcome"] = _outcome
        if parsed_args.campaign is not None:
            columns["campaign"] = _hidden("campaign")
        return rows(found, columns)

    def _follow(self, client: Client, parsed_args: argparse.Namespace) -> None:
        def stream(last: int | None) -> Iterator[Mapping[str, Any]]:
            again = {} if last is None else {"after": last, "tail": None}
            return client.follow("/v1/events", follow="true", **{**_query(parsed_args), **again})

        client.get("/v1/events", limit=1)  # who cannot be reached to begin with is not waited for
        for event in beyond_restarts(stream, self.app.stderr.write):
            text = json.dumps(event) if parsed_args.formatter == "json" else _line(event)
            self.app.stdout.write(f"{text}\n")
            self.app.stdout.flush()


def _require(client: Client, parsed_args: argparse.Namespace) -> None:
    if parsed_args.campaign is not None:
        client.get(f"/v1/campaigns/{quoted(parsed_args.campaign)}")
    if parsed_args.node is not None:
        client.get(f"/v1/nodes/{quoted(parsed_args.node)}")


def _query(parsed_args: argparse.Namespace) -> dict[str, Any]:
    which = {key: getattr(parsed_args, key) for key in ("campaign", "node", "code", "since", "until")}
    if parsed_args.after is not None:
        return {**which, "after": parsed_args.after, "limit": parsed_args.limit}
    return {**which, "tail": parsed_args.limit}


def _code(text: str) -> str:
    """A code of the catalogue, also in small letters. Raises ArgumentTypeError for anything else."""
    if text.upper() not in {code.value for code in Code}:
        raise argparse.ArgumentTypeError(f"a code such as ESC-VIM-003 is expected, and not {text!r}: escalator explain CODE")
    return text.upper()


def _cell(key: str) -> Any:  # noqa: ANN401 - a column
    if key == "at":
        return lambda event: Shown(event["at"], date_time(event["at"]))
    if key == "object_id":
        return lambda event: Shown(event["object_id"], _object(event))
    if key == "by":
        return lambda event: Shown(event.get("by"), event.get("by") or "")
    if key == "data":
        return lambda event: Shown(event["data"], json.dumps(event["data"]))
    return optional(key)


def _hidden(key: str) -> Any:  # noqa: ANN401 - a column
    return lambda event: Shown(event[key], "")


def _told(event: Mapping[str, Any]) -> Shown:
    words = (_object(event), event["code"], event["message"], _by(event))
    return Shown(event["message"], " ".join(word for word in words if word))


def _outcome(event: Mapping[str, Any]) -> Shown:
    """Nothing where the action says it."""
    said = event["outcome"] or ""
    return Shown(event["outcome"], "" if event["action"].endswith(f".{said}") else said)


def _object(event: Mapping[str, Any]) -> str:
    """What the line is about, where that is not its campaign or node."""
    found = event["object_id"]
    return "" if found in (None, event["campaign"], event["node"]) else str(found)


def _by(event: Mapping[str, Any]) -> str:
    """Who asked for it, where that is known; servers of an earlier version do not say."""
    return f"(by {event['by']})" if event.get("by") else ""


def _line(event: Mapping[str, Any]) -> str:
    place = [word for word in (event["campaign"], event["node"], _object(event)) if word]
    duration = f" ({event['duration_s']:g} s)" if event["duration_s"] else ""
    said = f": {event['message']}" if event["message"] else ""
    code = f" {event['code']}" if event["code"] else ""
    said += f" {_by(event)}" if event.get("by") else ""
    return f"{date_time(event['at'])} {' '.join(place)} {event['action']} {event['outcome'] or ''}{duration}{code}{said}".replace(
        "  ", " "
    )
