"""Parts of documents share the set of the keys that were given, and who sends ever new combinations fills no memory."""

from __future__ import annotations

import pytest

from escalator.model import document
from escalator.model.inventory import Instance


def instance(**more: object) -> Instance:
    return Instance.model_validate({"id": "vm", "project": "p", "node": "n", **more})


def test_parts_with_the_same_keys_share_one_set_that_no_copy_changes() -> None:
    first, second = instance(), instance()
    assert first.model_fields_set is second.model_fields_set
    copy = first.model_copy(update={"vnf": "smf"})
    assert copy.model_fields_set == {"id", "project", "node", "vnf"}
    assert first.model_fields_set == {"id", "project", "node"}


def test_beyond_a_bound_each_has_a_set_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "_GIVEN", {})
    monkeypatch.setattr(document, "_MOST_GIVEN", 1)
    instance()
    other = instance(vnf="smf")
    assert other.model_fields_set == {"id", "project", "node", "vnf"}
    assert len(document._GIVEN) == 1
