"""Every error code is explained, by what can be done."""

from __future__ import annotations

import re

import pytest

from escalator.cli.commands import COMMANDS
from escalator.cli.explain import code_of
from escalator.model.codes import Code
from escalator.model.errors import InputError
from escalator.model.explanations import EXPLANATIONS

BUILT_IN = {"help"}


@pytest.mark.parametrize("code", Code)
def test_every_code_has_a_meaning_causes_and_something_to_do(code: Code) -> None:
    said = EXPLANATIONS[code]
    assert all(text and text == text.strip() for text in (said.meaning, said.causes, said.then))
    for words in re.findall(r"escalator ([a-z]+(?: [a-z]+)?)", said.then):
        verb, _, _ = words.partition(" ")
        assert words in COMMANDS or verb in COMMANDS or verb in BUILT_IN, words


def test_no_two_codes_mean_the_same() -> None:
    meanings = [said.meaning for said in EXPLANATIONS.values()]
    assert len(set(meanings)) == len(meanings)


@pytest.mark.parametrize("text", ["ESC-UPG-013", "upg-013", " esc-upg-013 ", "upg-13"])
def test_a_code_is_known_however_it_is_written(text: str) -> None:
    assert code_of(text) is Code.UPG_UNDELIVERABLE


def test_an_unknown_code_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(InputError) as caught:
        code_of("ESC-CFG-0044")
    assert caught.value.remedy == "Did you mean ESC-CFG-004?"


@pytest.mark.parametrize("code", [Code.UPG_REJECTED, Code.UPG_SILENT, Code.VIM_LATE, Code.VIM_SUPERSEDED])
def test_what_helps_once_a_node_was_left_out_is_named_for_a_campaign_that_runs_and_for_one_that_is_over(code):
    then = EXPLANATIONS[code].then
    assert "escalator node retry NAME NODE" in then
    assert "while the campaign runs" in then
    assert "another campaign of the same release" in then
