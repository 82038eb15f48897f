"""Numbers of things in sentences."""

from __future__ import annotations

import pytest

from escalator.model.counting import counted


@pytest.mark.parametrize(
    ("number", "words", "said"),
    [
        (0, ("node",), "0 nodes"),
        (1, ("node",), "1 node"),
        (2, ("node",), "2 nodes"),
        (1, ("node is", "nodes are"), "1 node is"),
        (2, ("node is", "nodes are"), "2 nodes are"),
    ],
)
def test_one_is_no_plural_and_its_verb_agrees(number: int, words: tuple[str, ...], said: str) -> None:
    assert counted(number, *words) == said
