"""A gate that is a command of the operator's: exit code 0 goes, 75 is not yet, 70 and anything else is no.

It gets the question as JSON on its standard input. One with a baseline writes it to standard output when it is asked for
that (`moment` is `baseline`), and finds it as `baseline` in each later question. The last line that it writes, to standard
error or else to standard output, is what people are told.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict

from escalator.model.brakes import GateEntry
from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.errors import EscalatorError
from escalator.processes import TEMPORARY, filled, found_program, passed_on, running
from escalator.vim_interface.gates.port import SEEN_BYTES, Answer, Question, Verdict

LINE = 300
"""Characters of what a gate says that are kept."""


class CommandGate:
    """One entry of the setting `gates` with kind `command`. What fills its argv is named by documents, and no option."""

    manual = False

    def __init__(self, entry: GateEntry, environment: Mapping[str, str]) -> None:
        self.retry_s, self.deadline_s, self.baseline = entry.retry_s, entry.deadline_s, entry.baseline
        self._entry = entry
        named = {name: environment[name] for name in entry.environment if name in environment}
        self._environment = passed_on(environment) | named

    async def ask(self, question: Question) -> Answer:
        """Run the command to its end. A command that is not there, cannot be started or does not end in time says no."""
        told = asdict(question)
        if not self.baseline:
            del told["baseline"]
        values = {key: "-" if value is None else str(value) for key, value in told.items() if key != "baseline"}
        program = found_program(self._entry.argv[0], self._environment)
        if program is None:
            return Answer(Verdict.NO, f"its command is not there: {self._entry.argv[0]}")
        if any(len(value) > 1 and value.startswith("-") for value in values.values()):
            return Answer(Verdict.NO, "a name begins with a dash and cannot be an argument")
        call = (program, *filled(self._entry.argv[1:], values))
        text = json.dumps(told).encode()
        try:
            async with (
                asyncio.timeout(self._entry.timeout_s),
                running(call, text, self._environment, Code.CFG_GATE) as process,
            ):
                ended = await process
        except TimeoutError:
            return Answer(Verdict.NO, f"it did not answer within {self._entry.timeout_s:g} s")
        except EscalatorError as error:
            return Answer(Verdict.NO, error.message)
        verdict = {0: Verdict.GO, TEMPORARY: Verdict.NOT_YET}.get(ended.code, Verdict.NO)
        if question.moment == "baseline" and verdict is Verdict.GO:
            return _baseline(ended.output)
        said = last_line(ended.said) or last_line(ended.last)
        return Answer(verdict, said or (f"it ended with {ended.code}" if verdict is Verdict.NO else ""))


def _baseline(output: bytes) -> Answer:
    if len(output) > SEEN_BYTES:
        return Answer(Verdict.NO, f"its baseline is larger than {SEEN_BYTES} bytes")
    return Answer(Verdict.GO, f"its baseline is taken, {counted(len(output), 'byte')}", output.decode(errors="replace"))


def last_line(text: str) -> str:
    """The last line of what was said, bounded, with nothing in it that a terminal would obey."""
    lines = ["".join(c if c.isprintable() else " " for c in line).strip() for line in text.splitlines()]
    return next((line[:LINE] for line in reversed(lines) if line), "")
