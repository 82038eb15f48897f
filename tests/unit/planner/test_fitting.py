"""A downgrade that no release declares compatible is said where a change board reads."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from escalator.cli.plan_view import summary_view
from escalator.model.plan import Condition
from escalator.simulation.setup import RELEASE
from escalator.upgrade_manager.planner.fitting import Runs, fit


def _condition(runs: str, **older: object) -> Condition:
    release = RELEASE.model_copy(update={"spec": RELEASE.spec.model_copy(update=older)})
    return fit(release, [Runs(node="n1", releases={"nfvi-agent": runs})], [], ("versions",)).conditions[0]


def _shown(condition: Condition) -> str:
    plan = {"smooth": True, "nodes": 1, "moves": 0, "makespan_s": 0.0, "not_upgraded": []}
    out = io.StringIO()
    Console(file=out, width=200).print(summary_view({**plan, "conditions": [condition.model_dump()]}))
    return out.getvalue().partition("Conditions")[0]


def test_a_downgrade_that_nobody_declares_stands_beside_the_verdict() -> None:
    found = _condition("3.0.0")
    assert found.ok
    assert found.message.endswith("1 node runs 3.0.0 (downgrade); no release declares this downgrade compatible")
    assert "rollback_to" in found.remedy
    assert "DOWNGRADE at your own risk: to nfvi-agent/2.0.0" in _shown(found)


@pytest.mark.parametrize(("runs", "older"), [("1.0.0", {}), ("3.0.0", {"upgrades_from": (">=1",)})])
def test_what_is_declared_or_goes_up_says_nothing_there(runs: str, older: dict[str, object]) -> None:
    found = _condition(runs, **older)
    assert found.ok
    assert not found.remedy
    assert "DOWNGRADE" not in _shown(found)


def test_nodes_without_a_turn_are_counted_apart_so_that_the_sum_is_the_plan_s() -> None:
    runs = {"n1": "1.0.0", "n2": "1.0.0", "n3": "1.1.0", "n4": "1.0.0"}
    nodes = [Runs(node=node, releases={"nfvi-agent": version}) for node, version in runs.items()]
    some, none = (fit(RELEASE, nodes, [], ("versions",), turns).conditions[0].message for turns in (("n1", "n2"), ()))
    apart = "to nfvi-agent/2.0.0: 2 nodes run 1.0.0 (major); without a turn: 1 node runs 1.0.0 (major), 1 node runs 1.1.0 (major)"
    assert some == apart
    assert none.startswith("to nfvi-agent/2.0.0: no node; without a turn: 3 nodes run 1.0.0 (major)")
