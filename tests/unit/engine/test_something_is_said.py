"""Whoever looks at a node that failed or was left out finds a reason, also where what failed gave none."""

from __future__ import annotations

import pytest

from escalator.cloud_manager.port import MoveState, MoveStatus
from escalator.model.codes import Code
from escalator.model.errors import PermanentError
from escalator.model.explanations import EXPLANATIONS
from escalator.upgrade_manager.engine.outcome import Outcome, failed, skip
from escalator.upgrade_manager.engine.runner import outcome_of
from escalator.upgrade_manager.engine.runtimes import virtual_time


@pytest.mark.parametrize("code", Code)
def test_an_outcome_without_words_says_what_its_code_means(code: Code) -> None:
    meaning = EXPLANATIONS[code].meaning
    assert (failed(code, "").message, failed(code.value, "").message, skip(code, "").message) == (meaning,) * 3
    assert failed(code, "it is full").message == "it is full"


def test_an_error_without_words_does_not_leave_an_empty_reason() -> None:
    async def fails() -> Outcome:
        raise PermanentError(Code.CLD_NO_VALID_HOST, "")

    assert virtual_time.run(outcome_of(fails)).message != ""


@pytest.mark.parametrize("state", MoveState)
def test_a_move_that_did_not_arrive_has_a_reason_whatever_the_cloud_says(state: MoveState) -> None:
    assert MoveStatus(state, "a").why != ""
    assert MoveStatus(state, "a", message="it is full").why == "it is full"
