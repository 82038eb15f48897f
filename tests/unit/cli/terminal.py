"""Running a command in this process, and what a person would have seen of it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from escalator.cli.app import EscalatorApp


@dataclass(frozen=True, slots=True)
class Seen:
    code: int
    out: str
    err: str


def no_server(_config: Path | None) -> None:
    raise AssertionError("this command starts no server")


def run(*words: str, environment: Mapping[str, str] | None = None) -> Seen:
    out, err = io.StringIO(), io.StringIO()
    code = EscalatorApp(environment or {}, no_server, out, err).run([str(word) for word in words])
    return Seen(code, out.getvalue(), err.getvalue())
