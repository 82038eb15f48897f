"""Errors get from the process that makes plans to the one that asked for them, whole."""

from __future__ import annotations

import pickle

import pytest

from escalator.model.codes import Code
from escalator.model.errors import EscalatorError, InputError, PermanentError, Problem, TemporaryError

ERRORS = (
    PermanentError(Code.PLN_VIOLATION, "The plan breaks 1 rule.", remedy="Report it.", facts={"rules": 1}),
    TemporaryError(Code.PLN_WORKER, "It ended."),
    InputError(Code.CFG_DOCUMENT, "It is not valid.", problems=[Problem("spec.mode", "is missing", 4)]),
)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_is_the_same_in_another_process(error: EscalatorError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.args) == (type(error), str(error), error.args)
    assert vars(again) == vars(error)
