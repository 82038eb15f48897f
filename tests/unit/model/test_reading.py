"""Large documents are read beside everything else."""

from __future__ import annotations

import threading

import pytest

from escalator.model.reading import SMALL, beside


async def test_a_large_document_does_not_hold_the_loop() -> None:
    here = threading.get_ident()

    def where(text: bytes) -> int:
        return threading.get_ident()

    assert await beside(b"x" * SMALL, where) == here
    assert await beside(b"x" * (SMALL + 1), where) != here


@pytest.mark.parametrize("size", [1, 2 * SMALL])
async def test_what_is_wrong_with_it_is_told_either_way(size: int) -> None:
    def refuse(text: str) -> int:
        raise LookupError(len(text))

    with pytest.raises(LookupError, match=str(size)):
        await beside("x" * size, refuse)
