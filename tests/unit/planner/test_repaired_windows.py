"""A plan that was repaired says when its windows are, as the one that it comes from."""

from __future__ import annotations

from datetime import UTC, datetime

from escalator.model.campaign import load_campaign
from escalator.model.codes import Code
from escalator.model.document import Source
from escalator.model.inventory import Instance, Inventory, Node
from escalator.upgrade_manager.planner.make import make_plan
from escalator.upgrade_manager.planner.verified import verified_plan
from properties.midway import moment, state_at
from properties.rolling import late

CELL = {"pcpu": 16.0, "mem_mib": 65536.0}
FRIDAY_S = datetime(2026, 12, 4, tzinfo=UTC).timestamp()
SPEC = {
    "release": "a/1.0.0",
    "mode": "smooth",
    "scope": {"select": {}},
    "waves": {"max_unavailable": 2},
    "windows": [{"days": ["sat", "sun"], "start": "01:00", "length_s": 7200.0}],
}


def test_a_repaired_plan_tells_its_windows() -> None:
    nodes = tuple(Node(id=f"n{number}", numa=(CELL,)) for number in range(12))
    demand = {"pcpu": 4.0, "mem_mib": 8192.0}
    instances = [
        Instance(id=f"v{number}-{k}", project="p", node=f"n{number}", numa_cell=0, demand=demand)
        for number in range(2, 12)
        for k in range(2)
    ]
    there = Inventory(nodes=nodes, instances=tuple(instances))
    campaign = load_campaign(Source({"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": SPEC}))
    parent = make_plan(campaign, there, (), FRIDAY_S)
    now, progress = state_at(there, parent, moment(parent, 0.2, moving=True))
    child = verified_plan(campaign, now, (), FRIDAY_S, late(progress, 5.0))
    assert any(condition.code == Code.PLN_REPAIRED.value and condition.ok for condition in child.conditions)
    assert {row.window for row in child.windows} == {upgrade.window for upgrade in child.upgrades}
    assert {(row.window, row.opens) for row in child.windows} <= {(row.window, row.opens) for row in parent.windows}
