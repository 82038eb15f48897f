"""Page of the command line, from the commands' own parsers."""

from __future__ import annotations

import argparse
import inspect

from escalator.cli.app import EscalatorApp
from escalator.cli.commands import COMMANDS
from tools.docs.markdown import GENERATED, code, table

FORMATTERS = ("output formatters", "table formatter", "json formatter", "csv formatter", "yaml formatter", "shell formatter")
"""Groups of options that every command with a result has."""


def page() -> str:
    """The page of all commands."""
    app = EscalatorApp({}, lambda _: None)
    parts = [
        GENERATED,
        "# Command line\n",
        "`escalator help COMMAND` says the same for one command. Commands that ask a server find it by `ESCALATOR_URL`, else by",
        "the settings (loopback, port 8470), and its token by `ESCALATOR_TOKEN_FILE`, else in the state directory.\n",
        "Commands with a result take `-f table|json|yaml|value` (lists also `csv`) and `-c COLUMN`, any number of times. With",
        "`-f json` standard output holds one JSON document and nothing else. [Exit codes](exit-codes.md) are the same",
        "everywhere.\n",
        "In `csv` a text that begins as a formula does (`=`, `+`, `-`, `@`) has an apostrophe before it.\n",
        table(
            ("Command", "What it does"), ((f"[`{name}`](#{name.replace(' ', '-')})", _about(app, name)[0]) for name in COMMANDS)
        ),
    ]
    return "\n".join([*parts, *(_section(app, name) for name in COMMANDS)])


def _loaded(app: EscalatorApp, name: str) -> type:
    factory, _, _ = app.command_manager.find_command(name.split())
    kind: type = factory
    return kind


def _about(app: EscalatorApp, name: str) -> list[str]:
    text = inspect.cleandoc(_loaded(app, name).__doc__ or "")
    return [" ".join(part.split()) for part in text.split("\n\n")]


def _section(app: EscalatorApp, name: str) -> str:
    command = _loaded(app, name)(app, None, cmd_name=name)
    parser = command.get_parser(f"escalator {name}")
    actions = _own_actions(parser)
    usage = " ".join(["escalator", name, *map(_usage, actions)])
    lines = [f"## {name}\n", "```console", f"$ {usage}", "```\n", *(f"{part}\n" for part in _about(app, name))]
    if command.get_epilog():
        lines.append(f"{' '.join(command.get_epilog().split())}\n")
    if actions:
        lines.append(table(("Argument", "Meaning"), ((_argument(a), _help(a)) for a in actions)))
    return "\n".join(lines)


def _own_actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    # There is no public way to read a parser; these two have been the same since argparse exists.
    shared = {id(a) for group in parser._action_groups if (group.title or "").lower() in FORMATTERS for a in group._group_actions}  # noqa: SLF001
    return [a for a in parser._actions if id(a) not in shared and "--help" not in a.option_strings]  # noqa: SLF001


def _metavar(action: argparse.Action) -> str:
    return str(action.metavar or action.dest.upper())


def _usage(action: argparse.Action) -> str:
    if not action.option_strings:
        return _metavar(action) + (" ..." if action.nargs in ("+", "*") else "")
    text = action.option_strings[-1] + ("" if action.nargs == 0 else f" {_metavar(action)}")
    return text if action.required else f"[{text}]"


def _argument(action: argparse.Action) -> str:
    if not action.option_strings:
        return code(_metavar(action))
    return ", ".join(code(o + ("" if action.nargs == 0 else f" {_metavar(action)}")) for o in action.option_strings)


def _help(action: argparse.Action) -> str:
    text = (action.help or "") % {"default": action.default}
    chosen = f" ({', '.join(map(str, action.choices))})" if action.choices else ""
    return text + chosen
