"""Rehearsals: a campaign on a copy of an inventory, many times, with what may go wrong."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from escalator.model.campaign import Campaign, load_campaign
from escalator.model.document import Source
from escalator.model.inventory import Group, Instance, Inventory, Node
from escalator.simulation.rehearsal import Outcome, Planners, beginning, rehearse, summary
from escalator.upgrade_manager.planner.make import make_plan
from escalator.world.rules import Character, Fault, FaultsSpec

CELL = {"pcpu": 16.0, "mem_mib": 65536.0}


def site() -> Inventory:
    """Five nodes, the last one empty; a pair that switches over, and instances that move."""
    nodes = tuple(Node(id=f"n{n}", numa=(CELL,)) for n in range(5))
    demand = {"pcpu": 4.0, "mem_mib": 8192.0}
    movers = [Instance(id=f"vm{n}", project="core", node=f"n{n % 4}", demand=demand) for n in range(8)]
    pair = [
        Instance(
            id=f"gw{n}", project="gateway", node=f"n{n}", demand=demand, groups=("pair",), migration="none", vacate="in-place"
        )
        for n in range(2)
    ]
    groups = (Group(id="pair", policy="anti-affinity", max_impacted=1, recovery_s=60),)
    return Inventory(nodes=nodes, instances=(*movers, *pair), groups=groups)


def campaign(**spec: Any) -> Campaign:
    base = {"mode": "smooth", "scope": {"select": {}}, "waves": {"max_unavailable": 2}, **spec}
    return load_campaign(Source({"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": base}))


def played(seed: int = 1, faults: FaultsSpec | None = None, **spec: Any) -> Outcome:
    return rehearse(site(), campaign(**spec), faults or FaultsSpec(), seed, Planners())


def test_a_run_without_faults_upgrades_everything_and_tells_who_was_hit_for_how_long() -> None:
    found = played()
    assert (found.state, found.upgraded, found.violations) == ("completed", 5, ())
    assert found.moves == 8
    assert found.windows == (5,)
    assert set(found.interruptions) == {f"vm{n}" for n in range(8)} | {"gw0", "gw1"}
    assert found.interruptions["gw0"] > 900 > found.interruptions["vm0"] > 5  # an upgrade under it, and a move
    assert found.groups["pair"] >= found.interruptions["gw0"] + found.interruptions["gw1"] - 1e-6


def test_the_same_seed_gives_the_same_run_and_another_one_another() -> None:
    assert played(3) == played(3)
    assert played(3).duration_s != played(4).duration_s


def test_a_node_that_fails_is_rolled_back_and_calls_a_person() -> None:
    found = played(faults=FaultsSpec(faults=(Fault(kind="upgrade", node="n4"),)))
    assert (found.state, found.rolled_back, found.upgraded, found.violations) == ("suspended", 1, 0, ())
    assert "n4" in found.reason


@pytest.mark.parametrize(("behaviour", "state"), [("silent", "completed"), ("unreachable", "paused"), ("refuse", "completed")])
def test_vnf_managers_behave_as_the_fault_file_says(behaviour: str, state: str) -> None:
    character = Character(behaviour=behaviour, project="gate*")  # type: ignore[arg-type]
    found = played(faults=FaultsSpec(vnfms=(character,)))
    assert (found.state, found.violations) == (state, ())
    assert found.interruptions.get("gw0", 0.0) == 0.0  # nothing of it is stopped without its word


def test_a_manager_that_dies_goes_on_where_it_was() -> None:
    killed, spared = played(faults=FaultsSpec(kills=3, jitter=0.0)), played(faults=FaultsSpec(jitter=0.0))
    assert (killed.state, killed.upgraded, killed.moves, killed.violations) == ("completed", 5, spared.moves, ())
    assert killed.interruptions.keys() == spared.interruptions.keys()


def test_nights_are_counted_apart() -> None:
    window = {"days": ["mon", "thu"], "start": "01:00", "length_s": 7200.0}
    found = played(windows=[window], waves={"max_unavailable": 1})
    assert found.state == "completed"
    assert (sum(found.windows), len(found.windows)) == (5, 2)


FAR = "2031-12-01T00:00:00+02:00"
"""A date that no clock of a test is near to: a Monday."""
NIGHTS = {"days": ["mon", "tue", "wed"], "start": "01:00", "length_s": 7200.0, "time_zone": "Europe/Helsinki"}


@pytest.mark.parametrize("start", [{}, {"not_before": FAR}, {"not_before": "2020-11-30T00:00:00+02:00"}])
def test_the_nights_of_a_run_are_those_of_the_plan(start: dict[str, str]) -> None:
    spec = {"windows": [NIGHTS], "waves": {"max_unavailable": 1}, **start}
    plan = make_plan(campaign(**spec), site())
    planned = tuple(sum(upgrade.window == night for upgrade in plan.upgrades) for night in range(plan.totals.windows))
    found = played(faults=FaultsSpec(jitter=0.0), **spec)
    assert (found.state, found.windows) == ("completed", planned)
    assert found.duration_s < 86400 + 7200  # the second night ends it: nothing before the first is counted


def test_a_date_far_ahead_is_where_a_run_begins() -> None:
    found, free = played(not_before=FAR), played()
    assert (found.state, found.upgraded) == ("completed", 5)
    assert found.duration_s == free.duration_s


def test_a_start_that_is_given_tells_the_first_window() -> None:
    spec = campaign(windows=[NIGHTS], waves={"max_unavailable": 1})
    wednesday = datetime.fromisoformat("2031-12-03T01:30:00+02:00").timestamp()
    assert beginning(spec.spec, wednesday) == wednesday
    assert beginning(spec.spec, wednesday + 7200) == datetime.fromisoformat("2031-12-08T01:00:00+02:00").timestamp()
    cut = rehearse(site(), spec, FaultsSpec(), 1, Planners(), wednesday)
    assert cut.windows[0] < rehearse(site(), spec, FaultsSpec(), 1, Planners()).windows[0]


def test_a_run_that_does_not_end_says_what_it_waits_for() -> None:
    last = {"windows": [NIGHTS], "not_before": FAR, "not_after": "2031-12-02T12:00:00+02:00", "waves": {"max_unavailable": 1}}
    found = played(faults=FaultsSpec(faults=(Fault(kind="upgrade", effect="slow", factor=3.0),), jitter=0.0), **last)
    assert (found.state, found.violations) == ("does not end", ())
    assert found.reason.startswith(f"given up with {5 - found.upgraded} of 5 nodes to go: ")
    assert found.reason.count("no other one comes") == 1
    assert found.duration_s < 3 * 86400


def test_a_run_that_goes_back_ends_when_it_is_back() -> None:
    failure = {"on_node_failure": "rollback-node", "max_failed": 0, "then": "rollback"}
    faults = FaultsSpec(faults=(Fault(kind="upgrade", node="n2"),), jitter=0.0)
    found = played(faults=faults, failure=failure)
    assert (found.state, found.upgraded, found.violations) == ("rolled_back", 0, ())
    nights = played(faults=faults, failure=failure, windows=[NIGHTS], waves={"max_unavailable": 1})
    assert nights.state == "rolled_back"


def test_a_plan_that_is_not_smooth_is_not_played() -> None:
    there = site()
    alone = tuple(i.model_copy(update={"vacate": "move", "groups": ()}) for i in there.instances)
    found = rehearse(Inventory(nodes=there.nodes, instances=alone), campaign(), FaultsSpec(), 1, Planners())
    assert (found.state, found.upgraded) == ("not smooth", 0)
    assert "cannot migrate" in found.reason


def test_many_runs_are_told_by_their_spread() -> None:
    planners = Planners()
    faults = FaultsSpec(faults=(Fault(kind="upgrade", probability=0.2),))
    found = summary([rehearse(site(), campaign(), faults, seed, planners) for seed in range(1, 9)])
    assert found["runs"] == 8
    assert 0 < found["completed"] < 8
    assert sum(found["states"].values()) == 8
    assert found["duration_s"]["p50"] <= found["duration_s"]["p90"] <= found["duration_s"]["max"]
    assert found["nodes"]["rolled_back"]["max"] >= 1
    assert found["violations"] == []
    assert len(planners.known) == 1  # the same cloud is planned once


def test_a_person_resumes_what_waits_when_the_fault_file_says_so() -> None:
    fails = (Fault(kind="upgrade", node="n2"),)
    waits, resumed = played(faults=FaultsSpec(faults=fails)), played(faults=FaultsSpec(faults=fails, resume_s=600.0))
    assert (waits.state, resumed.state) == ("suspended", "completed")
    assert (resumed.rolled_back, resumed.violations) == (1, ())
    assert resumed.upgraded > waits.upgraded
    assert resumed.duration_s > waits.duration_s + 600


def test_a_person_gives_up_on_what_cannot_go_on() -> None:
    faults = FaultsSpec(faults=(Fault(kind="upgrade"),), resume_s=600.0)
    found = played(faults=faults, waves={"max_unavailable": 1})
    assert found.upgraded == 0
    assert found.violations == ()
    assert found.state in ("completed", "suspended")
