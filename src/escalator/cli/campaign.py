"""Campaigns: create, list, and what people do to them."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from escalator.cli.base import LONG_S, Lister, Shower, Shown, fields, human, rows
from escalator.cli.documents import read_file
from escalator.cli.freeze import still_frozen
from escalator.cli.spans import date_time
from escalator.model.codes import Code
from escalator.model.errors import NotFoundError

BRIEF = ("name", "state", "release", "plan", "reason")


class Create(Shower):
    """Give the server a campaign document."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("file", type=Path, metavar="FILE", help="campaign document, YAML or JSON")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Post the document."""
        text, _ = read_campaign(parsed_args.file)
        with self.server() as client:
            found = client.post_document("/v1/campaigns", text)
        self.app.stderr.write(f"Next: escalator campaign plan {found['name']}\n")
        return brief(found)


def read_campaign(file: Path) -> tuple[bytes, str]:
    """A campaign document and its name; validated here first, so that problems carry the lines of this file."""
    from escalator.model.campaign import load_campaign  # noqa: PLC0415 - pydantic is slow to import
    from escalator.model.document import parse  # noqa: PLC0415 - as above

    text = read_file(file)
    return text, load_campaign(parse(text)).metadata.name


class ListCampaigns(Lister):
    """List campaigns, oldest first."""

    nothing = "There are no campaigns yet: escalator campaign create FILE"
    spare = ("release", "ended_at", "started_at")
    read = "reason"

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401, ARG002 - cliff's
        """Get the list."""
        with self.server() as client:
            found = client.get("/v1/campaigns")
        columns = {
            "name": "name",
            "state": "state",
            "release": lambda c: Shown(c["release"], c["release"] or ""),
            "progress": lambda c: Shown(c["progress"], _progress(c["progress"])),
            "started_at": lambda c: Shown(c["started_at"], date_time(c["started_at"])),
            "ended_at": lambda c: Shown(c["ended_at"], date_time(c["ended_at"])),
            "reason": "reason",
        }
        return rows(found, columns)


class Verb(Shower):
    """Something that people do to a campaign."""

    verb = ""
    said = ""
    """What is told when it is done; `NAME` stands for the campaign."""
    takes_reason = True
    lets_go_on = False
    """Whether nodes have turns after it, unless everything is frozen."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="NAME", help="the campaign")
        if self.takes_reason:
            parser.add_argument("--reason", default="", help="why; it stands in the history")
        return parser

    def body(self, parsed_args: argparse.Namespace) -> Mapping[str, Any] | None:
        """What goes with the request."""
        return {"reason": parsed_args.reason} if self.takes_reason else None

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Ask the server for it."""
        body = self.body(parsed_args)
        with self.server() as client:
            found = client.post(f"/v1/campaigns/{quoted(parsed_args.name)}/actions/{self.verb}", body, timeout_s=LONG_S)
            frozen = still_frozen(client) if self.lets_go_on else ""
        self.app.stderr.write(f"{self.tell(found)}\n{frozen}")
        return brief(found)

    def tell(self, found: Mapping[str, Any]) -> str:
        """What is told when it is done."""
        return self.said.replace("NAME", found["name"])


class Pause(Verb):
    """Let no further step begin; those under way end."""

    verb, said = "pause", "What is under way ends; no other step, move or stop begins. Go on with: escalator campaign resume NAME"


class Resume(Verb):
    """Let a paused or suspended campaign go on, or one that waits for a host that failed.

    Exit code 4 when it waits before a point of no return and that is not accepted by its own option.
    """

    verb, said, takes_reason = (
        "resume",
        "It goes on, unless it still waits for somebody; what has failed is accepted.",
        False,
    )
    lets_go_on = True

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser = super().get_parser(prog_name)
        add_no_return(parser)
        return parser

    def body(self, parsed_args: argparse.Namespace) -> Mapping[str, Any] | None:
        """Whether the point of no return is accepted, and by whom."""
        return no_return(parsed_args) or None


class Abort(Verb):
    """Start nothing more and put the nodes that are not changed yet back in service; or call off a way back.

    A way back is called off as long as none of its nodes has begun: the campaign is then what it was before. Exit code 6 when
    one has.
    """

    verb, said = "abort", "Nodes that are not changed yet are put back in service; those being upgraded end."
    said_back = "The way back is called off: within moments the campaign is what it was before. Nodes stay as they are."

    def tell(self, found: Mapping[str, Any]) -> str:
        """What is told when it is done."""
        return super().tell(found) if found["state"] == "aborting" else self.said_back


def add_no_return(parser: argparse.ArgumentParser) -> None:
    """The option by which a person lets nodes pass the release's point of no return."""
    text = "let nodes pass the release's point of no return; who says so stands in the history"
    parser.add_argument("--accept-point-of-no-return", action="store_true", help=text)


def no_return(parsed_args: argparse.Namespace) -> dict[str, Any]:
    """What the request says of it: nothing where it was not asked for."""
    if not parsed_args.accept_point_of_no_return:
        return {}
    import getpass  # noqa: PLC0415 - only here

    try:
        return {"accept_point_of_no_return": True, "by": getpass.getuser()[:100]}
    except (KeyError, OSError):  # a user without a name
        return {"accept_point_of_no_return": True}


def brief(campaign: Mapping[str, Any]) -> Any:  # noqa: ANN401 - cliff's
    """A campaign in a few fields."""
    return fields({key: Shown(campaign[key], str(human(campaign[key]))) for key in BRIEF})


def quoted(name: str) -> str:
    """A name as one part of an address, whatever was typed.

    Raises NotFoundError for what no name can be, as it would make another address: an empty one, or one with a slash.
    """
    from urllib.parse import quote  # noqa: PLC0415 - most commands need none

    if not name.strip():
        remedy = "Give its name; a variable of the shell may be unset."
        raise NotFoundError(Code.API_NOT_FOUND, f"There is nothing of the name {name!r}.", remedy=remedy)
    if "/" in name or name in (".", ".."):
        raise NotFoundError(Code.API_NOT_FOUND, f"There is nothing of the name {name!r}: no such name has a slash or is a dot.")
    return quote(name, safe="")


def _progress(progress: Mapping[str, Any] | None) -> str:
    if progress is None:
        return ""
    more = [f"{progress[word]} {word}" for word in ("failed", "skipped") if progress[word]]
    return ", ".join([f"{progress['done']}/{progress['total']}", *more])
