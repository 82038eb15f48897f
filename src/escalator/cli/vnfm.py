"""VNF managers: who speaks for which instances, and how they are reached."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from escalator.cli.base import Command, Lister, Shower, Shown, fields, rows
from escalator.cli.campaign import quoted
from escalator.cli.failures import ServerError, usual
from escalator.cli.filling import filled
from escalator.model.counting import counted
from escalator.model.errors import EscalatorError

if TYPE_CHECKING:
    from escalator.cli.client import Client

VERBS = ("prepare", "restore", "health")
NEVER_ASKED = ("or-vi", "fenix-bus")
"""Dialects of those that are told of everything and own nothing."""
SHOWN = 10
LISTED = 3
"""What it speaks for, named in the list before the rest is counted."""
OWNED = {"project": "projects", "vnf": "vnfs", "instance": "instances"}


class Register(Shower):
    """Register a VNF manager: what it owns and how it is reached."""

    more = "Secrets are files in the server's credentials folder; --credential names one."

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="NAME", help="its name")
        add_parts(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Register."""
        spec = parts_of(parsed_args)
        with self.server() as client:
            found = client.post("/v1/vnfms", {"name": parsed_args.name, "spec": spec})
            spoken = spoken_for(client, found, self.app.stderr)
        name, given = found["name"], found["spec"]
        if given["dialect"] not in NEVER_ASKED and not any(given[owned] for owned in OWNED.values()):
            more = f"escalator vnfm set {name} --project PROJECT (or --vnf, --instance)"
            self.app.stderr.write(f"It speaks for no instance yet, so it is never asked. Say for which with: {more}\n")
        tell_spoken(spoken, self.app.stderr)
        waits = given["subscription"]["type"] != "none" and not given["callback_uri"]
        see = "When it has subscribed, see whether it answers" if waits else "See whether it answers"
        self.app.stderr.write(f"{see}: escalator vnfm test {name}\n")
        return shown_fields(found)


class ListVnfms(Lister):
    """List VNF managers."""

    nothing = "No VNF manager is registered: escalator vnfm register NAME"
    spare = ("instances", "vnfs")
    read = "callback_uri"

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401, ARG002 - cliff's
        """Get the list."""
        with self.server() as client:
            found = client.get("/v1/vnfms")
        columns: dict[str, Any] = {"name": "name", "dialect": lambda v: v["spec"]["dialect"]}
        columns["callback_uri"] = lambda v: Shown(v["spec"]["callback_uri"], v["spec"]["callback_uri"] or "")
        columns |= {owned: _joined(owned) for owned in OWNED.values()}
        return rows(found, columns)


class _One(Shower):
    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="NAME", help="the VNF manager")
        return parser


class ShowVnfm(_One):
    """Show one VNF manager."""

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Get it."""
        with self.server() as client:
            path = f"/v1/vnfms/{quoted(parsed_args.name)}"
            found, version = client.get_with_version(path)
            shown = {**found["spec"], "version": version}
            if shown["subscription"]["type"] != "none":
                shown["subscribed"] = next(iter(client.get(f"{path}/subscriptions")), None)
            spoken = spoken_for(client, found, self.app.stderr)
            if spoken is not None:
                shown["speaks_for"] = spoken["instances"]
                tell_spoken(spoken, self.app.stderr, count=False)
            return shown_fields({"name": found["name"], "spec": shown})


class Test(_One):
    """Ask a VNF manager's address whether it would take notices; exit code 1 when not.

    With --notice the people behind one with the dialect manual get a notice that is a test, on the way of every other one:
    it asks for nothing, and no campaign knows of it.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--notice", action="store_true", help="send a test that asks for nothing to whoever is on duty")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Test it."""
        with self.server() as client:
            verb = "test-notice" if parsed_args.notice else "test"
            found = client.post(f"/v1/vnfms/{quoted(parsed_args.name)}/actions/{verb}")
        self.exit_code = 0 if found["ok"] else 1
        remedy = found.get("remedy") or filled(usual(found["code"] or ""), "", "vnfm", parsed_args)
        if remedy and not found["ok"]:
            self.app.stderr.write(f"What to do: {remedy}\n")
        return fields({key: value for key, value in found.items() if key != "remedy"})


class Remove(Command):
    """Forget a VNF manager.

    With --if-version it stays when somebody else has changed it since, and without --force while a campaign waits for its
    answers or has still to ask it: exit code 6.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="NAME", help="the VNF manager")
        text = "forget it only while it has this version, which escalator vnfm show tells"
        parser.add_argument("--if-version", metavar="VERSION", help=text)
        text = "also while a campaign needs it: nobody is asked about its instances then"
        parser.add_argument("--force", action="store_true", help=text)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Remove it."""
        force = "?force=true" if parsed_args.force else ""
        with self.server() as client:
            client.delete(f"/v1/vnfms/{quoted(parsed_args.name)}{force}", parsed_args.if_version)
        self.app.stderr.write(f"{parsed_args.name} is forgotten; nobody speaks for its instances now.\n")


def spoken_for(client: Client, vnfm: Mapping[str, Any], stream: TextIO) -> Mapping[str, Any] | None:
    """What the registration is about now; None where it names nothing, owns nothing by its dialect, or nobody knows.

    The registration stands by then: whatever goes wrong is told in one line, and no failure of the command.
    """
    given = vnfm["spec"]
    if given["dialect"] in NEVER_ASKED or not any(given[owned] for owned in OWNED.values()):
        return None
    try:
        found: Mapping[str, Any] = client.get(f"/v1/vnfms/{quoted(vnfm['name'])}/instances")
    except (EscalatorError, ServerError) as error:
        # A large cloud may take longer to look at than anybody waits for the registration itself.
        code, why = (error.code.value, error.message) if isinstance(error, EscalatorError) else (error.code, str(error))
        again = f"escalator vnfm show {vnfm['name']}"
        stream.write(f"For how many instances it speaks cannot be told now ({code}: {why}) Ask again: {again}\n")
        return None
    return found


def tell_spoken(spoken: Mapping[str, Any] | None, stream: TextIO, *, count: bool = True) -> None:
    """For how many instances it speaks, and what nobody has of what it names."""
    if spoken is None or spoken["instances"] is None:
        return
    if count:
        stream.write(f"It speaks for {counted(spoken['instances'], 'instance')} now.\n")
    if spoken["unknown"]:
        shown = ", ".join(spoken["unknown"][:SHOWN]) + (" and more" if len(spoken["unknown"]) > SHOWN else "")
        stream.write(f"Nothing in the cloud has: {shown}. Is it spelt right? It counts as soon as something has it.\n")


def add_parts(parser: argparse.ArgumentParser) -> None:
    """Add an argument for each part of a registration."""
    parser.add_argument("--dialect", help="how it is spoken to; vi-vnfm when left out")
    parser.add_argument("--callback-uri", metavar="URI", help="where notices are sent")
    parser.add_argument("--contact", metavar="WHO", help="with --dialect manual: whom the server's command tells")
    for verb in VERBS:
        text = f"with --dialect command: the command of the server's settings that is run to {verb} a VNF"
        if verb == "health":
            text = "with --dialect command: the command that tells whether the VNF's manager is there"
        parser.add_argument(f"--{verb}", metavar="NAME", help=text)
    text = "with --dialect command: the command that scales its VNFs in where room is asked for, and out again"
    parser.add_argument("--scale", metavar="NAME", help=text)
    parser.add_argument("--busy", metavar="NAME", help="the command that tells whether it is at work on a VNF")
    parser.add_argument("--lifecycle-uri", metavar="URI", help="base of its SOL 003 interface, where that can be seen")
    parser.add_argument("--lifecycle-auth", metavar="TYPE", help="there: none, basic, bearer, oauth2 or tls-cert")
    parser.add_argument("--lifecycle-credential", metavar="NAME", help="there: file in the server's credentials folder")
    text = "there, with --lifecycle-auth oauth2: where tokens are fetched"
    parser.add_argument("--lifecycle-token-endpoint", metavar="URI", help=text)
    parser.add_argument("--key", metavar="NAME", help="with --dialect tacker: file with the key in the address that it calls")
    text = "with --dialect fenix: vnf (when left out) or default, the workflow of Fenix that it is made for"
    parser.add_argument("--workflow", metavar="NAME", help=text)
    for word, owned in OWNED.items():
        text = f"{owned} it speaks for; may be repeated"
        parser.add_argument(f"--{word}", action="append", metavar=word.upper(), help=text)
    text = "none, basic, bearer, oauth2 or tls-cert; none when left out"
    parser.add_argument("--auth", metavar="TYPE", help=text)
    parser.add_argument("--credential", metavar="NAME", help="file in the server's credentials folder")
    parser.add_argument("--token-endpoint", metavar="URI", help="with --auth oauth2: where tokens are fetched")
    text = "let it subscribe by itself: basic or bearer says how it shows who it is"
    parser.add_argument("--subscribes", metavar="TYPE", help=text)
    text = "by what it is known when it subscribes: a file in the server's credentials folder"
    parser.add_argument("--subscription-credential", metavar="NAME", help=text)
    text = "name, address or network at which it may be told when it subscribes; may be repeated"
    parser.add_argument("--host", action="append", metavar="HOST", help=text)
    text = "credential: its replies have to show that, too, beside the address that each notice brings"
    parser.add_argument("--replies", metavar="WHAT", help=text)


_PARTS: Mapping[str, tuple[str, ...]] = {
    "dialect": ("dialect",),
    "callback_uri": ("callback_uri",),
    "contact": ("contact",),
    "key": ("key",),
    "workflow": ("workflow",),
    **{verb: ("commands", verb) for verb in (*VERBS, "scale", "busy")},
    "lifecycle_uri": ("lifecycle", "uri"),
    "lifecycle_auth": ("lifecycle", "auth", "type"),
    "lifecycle_credential": ("lifecycle", "auth", "credential"),
    "lifecycle_token_endpoint": ("lifecycle", "auth", "token_endpoint"),
    "auth": ("auth", "type"),
    "credential": ("auth", "credential"),
    "token_endpoint": ("auth", "token_endpoint"),
    "subscribes": ("subscription", "type"),
    "subscription_credential": ("subscription", "credential"),
    "host": ("subscription", "hosts"),
    "replies": ("subscription", "replies"),
    **{word: (owned,) for word, owned in OWNED.items()},
}
"""Where in a registration the value of an argument stands."""


def parts_of(given: argparse.Namespace) -> dict[str, Any]:
    """Return the parts that were named; an empty value stands for the default."""
    spec: dict[str, Any] = {}
    for name, (*path, last) in _PARTS.items():
        value = getattr(given, name)
        if value is None:
            continue
        inner = spec
        for key in path:
            inner = inner.setdefault(key, {})
        inner[last] = [one for one in value if one] if isinstance(value, list) else value or None
    return spec


def shown_fields(vnfm: Mapping[str, Any]) -> Any:  # noqa: ANN401 - cliff's
    """Return a registration for people and programs."""
    return fields({"name": vnfm["name"], **{key: Shown(value, _said(value)) for key, value in vnfm["spec"].items()}})


def _said(value: Any) -> str:  # noqa: ANN401 - JSON
    """What is set, in one line: people look for that, not for all that could be."""
    if isinstance(value, Mapping):
        set_ = ((key, _said(one)) for key, one in value.items())
        return "; ".join(f"{key} {text}" for key, text in set_ if text and (key, text) != ("type", "none"))
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _joined(owned: str) -> Any:  # noqa: ANN401 - a column
    return lambda vnfm: Shown(vnfm["spec"][owned], _first(vnfm["spec"][owned]))


def _first(names: Sequence[str]) -> str:
    """The first of them: `vnfm show` has all."""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
