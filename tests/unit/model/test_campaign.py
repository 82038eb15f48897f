"""Campaigns: what is not built yet is refused, and the rules about limits, selectors and estimates."""

from __future__ import annotations

from typing import Any

import pytest

from escalator.model.campaign import Estimates, Scope, Waves, load_campaign
from escalator.model.codes import Code
from escalator.model.document import Source, parse
from escalator.model.errors import InputError
from escalator.model.inventory import Node
from escalator.model.select import Select

HEAD = "apiVersion: escalator/v1\nkind: Campaign\nmetadata: {name: c}\nspec:\n  mode: smooth\n  scope: {select: {}}\n"


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ("  migration: {post_copy: true}\n", "spec.migration.post_copy"),
        ("  migration: {force_complete: true}\n", "spec.migration.force_complete"),
    ],
)
def test_what_is_not_built_yet_is_refused_and_never_ignored(more: str, path: str) -> None:
    with pytest.raises(InputError) as caught:
        load_campaign(parse(HEAD + more))
    assert caught.value.code is Code.CFG_UNSUPPORTED
    [problem] = caught.value.problems
    assert problem.path == path
    assert "is not supported yet; leave the key out" in problem.message
    assert problem.line == 7


def test_the_neutral_values_of_what_is_not_built_are_accepted() -> None:
    more = "  gates: {before: [], between: []}\n  windows: []\n  not_before: null\n  waves: {spread: [], soak_s: 0}\n"
    assert load_campaign(parse(HEAD + more)).spec.windows == ()


@pytest.mark.parametrize(
    ("wish", "nodes", "limit"),
    [("10%", 100, 10), ("10%", 19, 1), ("10%", 5, 1), ("10%", 0, 1), ("100%", 7, 7), ("33%", 10, 3), (4, 2, 4), (1, 500, 1)],
)
def test_max_unavailable_is_rounded_down_and_at_least_one(wish: Any, nodes: int, limit: int) -> None:
    assert Waves(max_unavailable=wish).limit(nodes) == limit


NODE = Node(id="cn-0001", az="az1", rack="r1", aggregates=("x", "y"), labels={"pinned": "false"}, roles=("compute", "storage"))


@pytest.mark.parametrize(
    ("select", "matches"),
    [
        ({}, True),
        ({"role": "storage"}, True),
        ({"role": "control"}, False),
        ({"az": ("az2", "az1")}, True),
        ({"az": ("az2",)}, False),
        ({"rack": ("r2",)}, False),
        ({"aggregate": ("y", "z")}, True),
        ({"aggregate": ("z",)}, False),
        ({"labels": {"pinned": "false"}}, True),
        ({"labels": {"pinned": "true"}}, False),
        ({"labels": {"other": "x"}}, False),
        ({"names": ("cn-00*",)}, True),
        ({"names": ("cn-lab-*", "cn-0001")}, True),
        ({"names": ("CN-*",)}, False),
        ({"role": "compute", "az": ("az2",)}, False),
    ],
)
def test_a_selector_holds_when_every_key_holds(select: dict[str, Any], matches: bool) -> None:
    assert Select(**select).matches(NODE) is matches


def test_the_scope_is_what_is_selected_and_not_excluded() -> None:
    assert Scope(select=Select()).includes(NODE)
    assert not Scope(select=Select(), exclude=Select(names=("cn-*",))).includes(NODE)


def test_a_move_lasts_as_estimated() -> None:
    assert Estimates().move_s(8.0, "live") == pytest.approx(5 + 8 * 1.04)
    assert Estimates().move_s(8.0, "cold") == pytest.approx(125 + 8 * 1.04)


def problems_of(more: str) -> list[str]:
    with pytest.raises(InputError) as refused:
        load_campaign(parse(HEAD + more))
    return [str(problem) for problem in refused.value.problems]


def test_a_wrong_day_is_one_mistake() -> None:
    said = problems_of("  windows: [{days: [fr], start: '01:00', length_s: 3600}]\n")
    assert len(said) == 1
    assert "'fr' is not one of" in said[0]
    assert "at least 1 expected, and there are 0" in problems_of("  windows: [{days: [], start: '01:00', length_s: 3600}]\n")[0]


def test_what_is_not_built_yet_is_told_beside_other_mistakes() -> None:
    said = problems_of("  migration: {post_copy: true, total: 0}\n")
    assert [line.partition(": ")[2].partition(":")[0] for line in said] == ["spec.migration.post_copy", "spec.migration.total"]
    assert problems_of("  migration: {post_copy: 1}\n") == [
        "line 7: spec.migration.post_copy: input should be a valid boolean (given: '1')"
    ]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            "  release: Agent 2\n",
            "line 7: spec.release: 'Agent 2' is no release: its name and version are expected, as nfvi-agent/2.0.0",
        ),
        (
            "  windows: [{days: [fri], start: '25:00', length_s: 3600}]\n",
            "line 7: spec.windows[0].start: '25:00' is no time of day: hours and minutes are expected in quotes, as '01:30'",
        ),
    ],
)
def test_a_text_of_another_form_is_told_in_words(more: str, said: str) -> None:
    assert problems_of(more) == [said]


@pytest.mark.parametrize("value", [0, "0", "many", 2.5, True])
def test_a_width_that_is_none_is_one_problem(value: Any) -> None:
    document = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}}
    spec = {"mode": "smooth", "scope": {"select": {}}, "waves": {"max_unavailable": value}}
    with pytest.raises(InputError) as caught:
        load_campaign(Source({**document, "spec": spec}))
    (problem,) = caught.value.problems
    assert problem.path == "spec.waves.max_unavailable"
    assert "a number of nodes from 1, or a percentage such as 10%, is expected" in problem.message
