"""Groups of nodes in the campaign document: what is refused, and what order they make."""

from __future__ import annotations

from typing import Any

import pytest

from escalator.model.campaign import load_campaign
from escalator.model.document import Source
from escalator.model.errors import InputError
from escalator.model.node_groups import NodeGroup, earlier


def load(*groups: dict[str, Any]) -> tuple[NodeGroup, ...]:
    spec = {"mode": "smooth", "scope": {"select": {"role": "compute"}, "groups": list(groups)}}
    document = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": spec}
    return load_campaign(Source(document)).spec.scope.groups


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ([{"name": "a"}, {"name": "a"}], "a is the name of two groups"),
        ([{"name": "a", "after": ["b"]}], "a is after b, which is no group"),
        ([{"name": "a", "after": ["b"]}, {"name": "b", "after": ["a"]}, {"name": "c"}], "a, b wait for one another"),
        ([{"name": "a", "after": ["a"]}], "a wait for one another"),
        ([{"name": "a", "sample": {}}], "either count or percent is expected"),
        ([{"name": "a", "sample": {"count": 1, "percent": 5}}], "either count or percent is expected"),
        ([{"name": "a", "success": {"min_percent": 101}}], "100"),
        ([{"name": f"g{n}"} for n in range(101)], "at most 100 groups"),
    ],
)
def test_groups_that_make_no_order_are_refused(groups: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(InputError) as caught:
        load(*groups)
    assert said in "; ".join(str(problem) for problem in caught.value.problems)


def test_what_comes_before_the_groups_before_comes_before_too() -> None:
    groups = load({"name": "c", "after": ["b"]}, {"name": "b", "after": ["a"]}, {"name": "a"})
    assert earlier(groups) == {"a": frozenset(), "b": frozenset({"a"}), "c": frozenset({"a", "b"})}
