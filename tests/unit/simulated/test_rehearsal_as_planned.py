"""A rehearsal plans as a plan of the same files does, plays what needs a yes, and tells what was not done and why."""

from __future__ import annotations

from io import StringIO
from typing import Any

from rich.console import Console

from escalator.cli.rehearsal_view import rehearsal_view
from escalator.model.campaign import Campaign, load_campaign
from escalator.model.document import Source
from escalator.model.inventory import Instance, Inventory, Node
from escalator.model.plan import Plan
from escalator.simulation.rehearsal import Outcome, Planners, rehearse, summary
from escalator.upgrade_manager.planner.make import make_plan
from escalator.upgrade_manager.planner.presumed import presumed_managed, with_presumed
from escalator.world.rules import Character, FaultsSpec

CELL = {"pcpu": 8.0, "mem_mib": 65536.0}
HALF, WHOLE = {"pcpu": 4.0, "mem_mib": 4096.0}, {"pcpu": 8.0, "mem_mib": 4096.0}


def site(*instances: Instance, nodes: int = 3) -> Inventory:
    return Inventory(nodes=tuple(Node(id=f"n{n}", numa=(CELL,)) for n in range(nodes)), instances=instances)


def one(name: str, where: str, **more: Any) -> Instance:
    return Instance(**{"id": name, "project": "core", "node": where, "demand": HALF, **more})


def campaign(**spec: Any) -> Campaign:
    base = {"mode": "smooth", "scope": {"select": {}}, "waves": {"max_unavailable": 1}, **spec}
    return load_campaign(Source({"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": base}))


def planned(inventory: Inventory, **spec: Any) -> Plan:
    return make_plan(campaign(**spec), inventory, presumed_managed(inventory))


def played(inventory: Inventory, faults: FaultsSpec | None = None, **spec: Any) -> Outcome:
    return rehearse(inventory, campaign(**spec), faults or FaultsSpec(), 1, Planners())


def test_a_plan_of_files_and_its_rehearsal_presume_the_same_vnf_managers() -> None:
    there = site(one("amf", "n0", vnf="amf"), one("plain", "n1", project="lic"))
    stop = {"default": {"action": "stop-start"}}
    plan, found = planned(there, workloads=stop), played(there, workloads=stop)
    assert [move.instance for move in plan.moves] == ["amf"]
    assert [impact.instance for impact in plan.impacts] == ["plain"]
    assert found.moves == len(plan.moves)
    said = with_presumed(plan, there).conditions[-1]
    assert (said.code, said.ok) == ("ESC-PLN-019", True)
    assert said.message == (
        "no VNF manager is known without a server; presumed to be asked, as in a rehearsal: 1 of project core;"
        " 1 instance goes by workloads.default"
    )


def test_nobody_is_presumed_to_let_an_instance_be_stopped() -> None:
    there = site(one("pinned", "n0", vnf="amf", migration="none", migration_reason="PCI"))
    assert not planned(there).smooth
    found = played(there)
    assert found.state == "not smooth"
    assert "instance pinned on n0 cannot migrate (PCI)" in found.reason


def test_what_its_vnf_declares_to_stay_is_planned_and_rehearsed_as_on_a_server() -> None:
    there = site(one("pinned", "n0", vnf="amf", migration="none", migration_reason="its VNF declares it", allowed=("none",)))
    plan = planned(there)
    assert plan.smooth
    assert [(impact.instance, impact.kind) for impact in plan.impacts] == [("pinned", "in-place")]
    found = played(there)
    assert (found.state, found.upgraded, found.moves) == ("completed", 3, 0)


def test_an_outage_that_the_mode_asks_for_is_played_and_told() -> None:
    full = [one(f"v{n}", f"n{n}", demand=WHOLE) for n in range(2)]
    spec = {"mode": "non-smooth", "waves": {"max_unavailable": 1, "max_extra_moves": 0.0}}
    found = played(site(*full, nodes=2), **spec)
    assert (found.state, found.upgraded) == ("completed", 2)
    assert found.accepted.startswith("2 instances are stopped with their nodes")
    assert summary([found])["accepted"] == [found.accepted]


def test_room_that_vnf_managers_are_asked_for_is_played_and_told() -> None:
    full = [one(f"v{n}", f"n{n}", demand=WHOLE, vnf="amf") for n in range(3)]
    spec = {"workloads": {"scale_in": "ask"}, "waves": {"max_unavailable": 1, "max_extra_moves": 0.0}}
    found = played(site(*full), **spec)
    assert (found.state, found.upgraded) == ("completed", 3)
    assert "no node has room" in found.accepted


def test_what_is_left_out_for_one_cause_is_one_line_and_is_said_in_the_first() -> None:
    there = site(*(one(f"v{n}", f"n{n}", vnf="amf") for n in range(3)), nodes=5)
    faults = FaultsSpec(vnfms=(Character(project="core", behaviour="refuse"),))
    found = summary([played(there, faults), rehearse(there, campaign(), faults, 2, Planners())])
    assert (found["completed"], found["whole"]) == (2, 0)
    assert found["reasons"] == ["3 nodes (n0, n1, n2), in 2 of 2 runs, skipped: vnfm-core refused: Simulated: not now"]
    out = StringIO()
    Console(width=120, file=out).print(rehearsal_view(found))
    assert out.getvalue().startswith("2 of 2 runs completed, 0 of them with every node upgraded  2 completed")
