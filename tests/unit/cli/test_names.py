"""Names as parts of addresses: what cannot be a name is told as that, whatever would answer at the address that it makes."""

from __future__ import annotations

import pytest

from escalator.cli.campaign import quoted
from escalator.model.errors import NotFoundError


@pytest.mark.parametrize("name", ["", " ", "cn-0001; rm -rf /", "../../etc", "a/b", ".", ".."])
def test_what_cannot_be_a_name_is_not_asked_for(name: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        quoted(name)
    assert repr(name) in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_name_is_one_part_of_an_address() -> None:
    assert quoted("cn 1?x#y%") == "cn%201%3Fx%23y%25"
