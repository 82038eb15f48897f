"""The application: finds the command, runs it, and turns every failure into a message and an exit code."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from cliff.app import App

from escalator.cli.base import Help
from escalator.cli.commands import command_manager
from escalator.cli.failures import ServerError, UsageError, report
from escalator.cli.filling import filled
from escalator.cli.interrupts import INTERRUPTED, interrupted_afterwards
from escalator.installed import installed_version
from escalator.model.errors import EscalatorError

if TYPE_CHECKING:
    from escalator.settings import Settings

ABOUT = "Upgrade the software of an NFV infrastructure node by node while the services on it keep running."
BROKEN_PIPE = 141
FEW = 4
"""How many commands are named to whom misspelt one."""


class EscalatorApp(App):
    """The `escalator` command. `environment` tells where server and token are; `run_server` is what `serve` runs.

    `check_settings` raises what that would raise of the files that settings name.
    """

    NAME = "escalator"

    def __init__(
        self,
        environment: Mapping[str, str],
        run_server: Callable[[Path | None], None],
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
        *,
        check_settings: Callable[[Settings], None] = lambda _: None,
    ) -> None:
        super().__init__(ABOUT, installed_version(), command_manager(), stdout=stdout, stderr=stderr)
        self.command_manager.add_command("help", Help)
        self.environment = environment
        self.run_server = run_server
        self.check_settings = check_settings
        self._noun = ""
        self._given: argparse.Namespace | None = None

    def build_option_parser(
        self, description: str | None, version: str | None, argparse_kwargs: dict[str, Any] | None = None
    ) -> argparse.ArgumentParser:
        """Options before the command: few, as commands have their own."""
        parser = argparse.ArgumentParser(
            self.NAME, description=description, usage=f"{self.NAME} [--version] [--help] COMMAND …", **(argparse_kwargs or {})
        )
        parser.add_argument("--version", action="version", version=f"{self.NAME} {version}")
        return parser

    def run(self, argv: Sequence[str]) -> int:
        """Run one command line; return its exit code."""
        first = next((n for n, word in enumerate(argv) if not word.startswith("-")), len(argv))
        try:
            if first == len(argv) and set(argv) <= {"-h", "--help"}:
                self._overview(self.stdout if argv else self.stderr)
                return 0 if argv else 2
            self.options = self.parser.parse_args(argv[:first])
            return self._command(list(argv[first:]))
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else 0
        except (EscalatorError, ServerError, UsageError) as error:
            return report(error, self.stderr, self._filled)
        except BrokenPipeError:
            # Whoever read our output has gone; the interpreter would complain when it flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return BROKEN_PIPE
        except KeyboardInterrupt:
            return INTERRUPTED

    def _command(self, words: list[str]) -> int:
        try:
            with interrupted_afterwards():  # this imports the command's module
                factory, name, arguments = self.command_manager.find_command(words)
        except ValueError as error:
            raise UsageError(self._unknown(words)) from error
        command = factory(self, self.options, cmd_name=name)
        parsed = self._parsed(command.get_parser(f"{self.NAME} {name}"), name, arguments)
        self._noun, self._given = name.split()[0], parsed
        return int(command.run(parsed) or 0)

    def _parsed(self, parser: argparse.ArgumentParser, name: str, arguments: list[str]) -> argparse.Namespace:
        """What was asked for; of what is wrong with it, the one line that matters: each command has a dozen of its output."""
        said = io.StringIO()
        try:
            with redirect_stderr(said):
                return parser.parse_args(arguments)
        except SystemExit as end:
            if end.code:
                self.stderr.write(f"{parser.prog}: {said.getvalue().partition(': error: ')[2]}See: {self.NAME} help {name}\n")
            raise

    def _filled(self, remedy: str, code: str) -> str:
        return filled(remedy, code, self._noun, self._given)

    def _unknown(self, words: list[str]) -> str:
        typed = " ".join(word for word in words if not word.startswith("-"))
        known = sorted(name for name, _ in self.command_manager)
        same_noun = [name for name in known if name.split()[0] == words[0]]
        same_verb = [name for name in known if name.split()[1:] == words[1:2]]
        near = (same_verb if same_noun else []) or same_noun or self._like(words)
        hint = "".join(f"\n  {self.NAME} {name}" for name in near)
        if same_noun and typed == words[0]:
            return f"{self.NAME}: {typed} needs to be told what to do:" + "".join(f"\n  {self.NAME} {name}" for name in same_noun)
        return f"{self.NAME}: there is no command '{typed}'." + (f" Did you mean:{hint}" if near else f" See {self.NAME} --help.")

    def _like(self, words: list[str]) -> list[str]:
        """Commands of the noun that was misspelt; of those the one with the verb, where there is one, else a few."""
        like = sorted(set(self.get_fuzzy_matches(words[0])))
        with_verb = [name for name in like if name.split()[1:] == words[1:2]]
        return with_verb or get_close_matches(" ".join(words[:2]), like, n=FEW, cutoff=0.0)

    def _overview(self, stream: TextIO) -> None:
        stream.write(f"{self.parser.format_usage()}\n{ABOUT}\n\nCommands:\n")
        for name, entry in sorted(self.command_manager):
            about = (entry.load().__doc__ or "").strip().splitlines()[:1]
            stream.write(f"  {name:<18} {about[0].rstrip('.') if about else ''}\n")
        stream.write(f"\n{self.NAME} help COMMAND tells more about one.\n")
