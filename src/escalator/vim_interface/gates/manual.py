"""A gate that a person opens."""

from __future__ import annotations

from escalator.vim_interface.gates.port import Answer, Question, Verdict


class ManualGate:
    """One entry of the setting `gates` with kind `manual`: the engine waits for a person's approval and asks nobody."""

    manual = True
    baseline = False
    retry_s = 60.0
    deadline_s = 60.0

    async def ask(self, question: Question) -> Answer:  # noqa: ARG002 - the port's form
        """Say no: an approval is a record, not an answer."""
        return Answer(Verdict.NO, "a person has to approve it")
