"""What an error code means and what to do about it, without a server."""

from __future__ import annotations

import argparse
from difflib import get_close_matches
from typing import Any

from escalator.cli.base import Shower, fields
from escalator.model.codes import Code
from escalator.model.errors import InputError
from escalator.model.explanations import EXPLANATIONS

_BY_NAME = {code.value: code for code in Code}


class Explain(Shower):
    """Say what an error code means, what it comes from as a rule, and what to do about it.

    The code stands before every failure's message, in the history, in the log and in the API's problem documents.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("code", metavar="CODE", help="the code, such as ESC-UPG-013; ESC- may be left out")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Look it up."""
        code = code_of(parsed_args.code)
        found = EXPLANATIONS[code]
        return fields({"code": code.value, "meaning": found.meaning, "causes": found.causes, "what_to_do": found.then})


def code_of(text: str) -> Code:
    """The code that somebody wrote; `ESC-` and zeros of its number may be left out. Raises InputError with the nearest one."""
    name = text.strip().upper()
    name = name if name.startswith("ESC-") else f"ESC-{name}"
    if name in _BY_NAME:
        return _BY_NAME[name]
    block, _, number = name.rpartition("-")
    if number.isdecimal() and (padded := f"{block}-{number.zfill(3)}") in _BY_NAME:
        return _BY_NAME[padded]
    near = get_close_matches(name, _BY_NAME, n=1)
    remedy = f"Did you mean {near[0]}?" if near else "Codes look like ESC-UPG-013."
    raise InputError(Code.CFG_USAGE, f"There is no error code {text!r}.", remedy=remedy)
