"""Small clouds and campaigns of every kind, for property tests."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import strategies as st

CELL = {"pcpu": 8.0, "mem_mib": 16384.0}
POLICIES = ("anti-affinity", "soft-anti-affinity", "affinity", "soft-affinity", "none")


@st.composite
def groups(draw: st.DrawFn) -> list[dict[str, Any]]:
    return [
        {
            "id": f"g{number}",
            "policy": draw(st.sampled_from(POLICIES)),
            "max_per_node": draw(st.sampled_from([None, None, None, 1, 2, 3])),
            "max_impacted": draw(st.sampled_from([None, None, 0, 1, 2])),
            "min_preserved": draw(st.sampled_from([None, None, 1, 2])),
            "recovery_s": draw(st.sampled_from([0.0, 30.0, 900.0, 7200.0])),
            "lead_s": draw(st.sampled_from([0.0, 0.0, 60.0])),
        }
        for number in range(draw(st.integers(0, 3)))
    ]


@st.composite
def nodes(draw: st.DrawFn) -> list[dict[str, Any]]:
    rare = st.sampled_from
    return [
        {
            "id": f"n{number}",
            "roles": draw(rare([["compute"]] * 8 + [["control"], ["compute", "storage"]])),
            "az": draw(rare(["a", "a", "a", "b"])),
            "rack": draw(rare(["r1", "r1", "r2", "r3", None])),
            "labels": draw(rare([{}, {}, {"model": "slow"}])),
            "traits": draw(rare([[], [], ["T"]])),
            "state": draw(rare(["up"] * 9 + ["down"])),
            "maintenance": draw(rare([False] * 9 + [True])),
            "progress": draw(rare(["old"] * 8 + ["done", "failed"])),
            "versions": {"hypervisor": draw(rare(["7.2.18"] * 6 + ["7.10.0"]))},
            "numa": [dict(CELL) for _ in range(draw(st.integers(1, 2)))],
        }
        for number in range(draw(st.integers(2, 7)))
    ]


@st.composite
def clouds(draw: st.DrawFn) -> dict[str, Any]:
    """Instances fit where they are, and no node has more of a group than it may; the rest is as bad as clouds are."""
    hosts, kinds = draw(nodes()), draw(groups())
    used = {(h["id"], c): dict.fromkeys(CELL, 0.0) for h in hosts for c in range(len(h["numa"]))}
    there: Counter[tuple[str, str]] = Counter()
    found: list[dict[str, Any]] = []
    # Where no node is empty, what leaves the first one goes to a node that has its turn later.
    crowd = hosts if draw(st.booleans()) else []
    for number in range(draw(st.integers(0, 14)) + len(crowd)):
        host = crowd[number] if number < len(crowd) else draw(st.sampled_from(hosts))
        span = draw(st.sampled_from([1, 1, 1, 2]))
        size = draw(st.sampled_from([1.0, 2.0, 4.0]))
        demand = {"pcpu": size, "mem_mib": size * 1024}
        cells = [c for c in range(len(host["numa"])) if used[host["id"], c]["pcpu"] + size <= CELL["pcpu"]][:span]
        mine = draw(st.lists(st.sampled_from([k["id"] for k in kinds]), max_size=2, unique=True)) if kinds else []
        most = {k["id"]: 1 if k["policy"] == "anti-affinity" else k["max_per_node"] or 99 for k in kinds}
        if len(cells) < span or any(there[host["id"], group] >= most[group] for group in mine):
            continue
        there.update((host["id"], group) for group in mine)
        for cell in cells:
            for resource, amount in demand.items():
                used[host["id"], cell][resource] += amount
        migration = draw(st.sampled_from(["live"] * 4 + ["cold", "none"]))
        found.append(
            {
                "id": f"vm{number}",
                "project": draw(st.sampled_from(["p", "q"])),
                "node": host["id"],
                "numa_cell": cells if span > 1 else cells[0],
                "numa_span": span,
                "demand": demand,
                "groups": mine,
                "migration": migration,
                "state": draw(st.sampled_from(["active"] * 6 + ["stopped"])),
                "blocked": draw(st.sampled_from([None] * 14 + ["it is busy"])),
                "vacate": draw(st.sampled_from(["move"] * 5 + ["in-place"])),
                "requires": draw(st.sampled_from([{}, {}, {}, {"az": host["az"]}, {"traits": host["traits"]}])),
            }
        )
    return {"apiVersion": "escalator/v1", "kind": "Inventory", "nodes": hosts, "instances": found, "groups": kinds}


def _window(start: str, length_s: float) -> dict[str, Any]:
    return {"days": ["sat", "sun"], "start": start, "length_s": length_s}


CANARY = [
    {"name": "canary", "sample": {"count": 1, "spread": "az"}, "soak_s": 900.0},
    {"name": "rest", "after": ["canary"]},
]
THREE = [
    {"name": "one", "sample": {"percent": 30}},
    {"name": "beside", "select": {"az": ["b"]}, "soak_s": 60.0},
    {"name": "last", "after": ["one", "beside"]},
]


@st.composite
def campaigns(draw: st.DrawFn) -> dict[str, Any]:
    pick = st.sampled_from
    spec = {
        "release": "nfvi-agent/2.0.0",
        "mode": "smooth",
        "scope": {"select": draw(pick([{"role": "compute"}, {"role": "compute", "az": ["a"]}, {}]))},
        "waves": {
            "max_unavailable": draw(pick([1, 2, 3, "10%", "50%", "100%"])),
            "max_fill": draw(pick([1.0, 1.0, 0.75])),
            "max_extra_moves": draw(pick([0.02, 0.02, 0.0, 0.5])),
            "reserve_hosts": draw(pick([0, 0, 0, 1])),
            "spread": draw(pick([[], [], [{"by": "az", "max": 1}]])),
        },
        "estimates": {"hardware": draw(pick([[], [{"labels": {"model": "slow"}, "upgrade_s": 2400.0}]]))},
        "migration": {"per_node": draw(pick([1, 2])), "total": draw(pick([1, 2, 20]))},
        "workloads": {
            "notify": {"lead_time_s": draw(pick([0.0, 0.0, 120.0]))},
            "default": {"action": draw(pick(["live", "live-if-possible", "cold", "stop-start", "in-place", "leave"]))},
        },
    }
    spec["scope"]["groups"] = draw(pick([(), (), CANARY, THREE]))
    spec["waves"]["soak_s"] = draw(pick([0.0, 0.0, 0.0, 300.0]))
    windows = draw(pick([[], [], [_window("01:00", 7200.0)], [_window("23:00", 3000.0)]]))
    spec |= {"windows": windows} if windows else {}
    return {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": "c"}, "spec": spec}
