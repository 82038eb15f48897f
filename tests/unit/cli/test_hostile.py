"""Inventories that are malformed, contradictory or meant to hurt: each ends within bounds, with its reason."""

from __future__ import annotations

import copy
import json
import math
from typing import Any

import pytest
import yaml

from escalator.model.campaign import load_campaign
from escalator.model.document import load, parse
from escalator.model.inventory import Inventory
from escalator.upgrade_manager.planner.make import make_plan
from escalator.upgrade_manager.planner.verify.check import verify
from unit.cli.terminal import run
from unit.cli.test_offline import CAMPAIGN, inventory

LONG = "x" * 200_000


def changed(path: str, value: Any) -> dict[str, Any]:
    """A sound inventory in which one value is another."""
    document = copy.deepcopy(inventory())
    at: Any = document
    *way, last = path.split(".")
    for key in way:
        at = at[int(key)] if key.isdecimal() else at[key]
    at[int(last) if last.isdecimal() else last] = value
    return document


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (changed("instances.0.node", "nowhere"), "nowhere"),
        (changed("instances.0.groups", ["nobody"]), "nobody"),
        (changed("instances.1.id", "vm1"), "stands there 2 times"),
        (changed("nodes.1.id", "n0"), "stands there 2 times"),
        (changed("instances.0.numa_cell", 7), "NUMA entry"),
        (changed("instances.0.numa_cell", -1), "NUMA entry"),
        (changed("instances.0.numa_span", 0), "numa_span"),
        (changed("instances.0.numa_span", 10**9), "numa_span"),
        (changed("instances.0.demand", {"pcpu": -1}), "demand"),
        (changed("instances.0.demand", {"pcpu": math.nan}), "demand"),
        (changed("instances.0.demand", {"pcpu": math.inf}), "demand"),
        (changed("nodes.0.numa", [{"pcpu": -16}]), "numa"),
        (changed("nodes.0.numa", [{"pcpu": "many"}]), "numa"),
        (changed("nodes.0.state", "sleeping"), "state"),
        (changed("nodes.0.id", 7), "id"),
        (changed("nodes.0.id", LONG), "id"),
        (changed("nodes.0.progres", "done"), "progress"),
        (changed("nodes", {"n0": {}}), "nodes"),
        (changed("instances", None), "instances"),
        (changed("kind", "Campaign"), "kind"),
        (changed("groups", [{"id": "g", "policy": "friendship"}]), "policy"),
        (changed("groups", [{"id": "g", "policy": "affinity", "recovery_s": -1}]), "recovery_s"),
        (changed("groups", [{"id": "g", "policy": "affinity", "recovery_s": math.inf}]), "recovery_s"),
        (changed("groups", [{"id": "g", "policy": "affinity", "lead_s": 1e300}]), "lead_s"),
        (changed("instances.0.max_interruption_s", 1e10), "max_interruption_s"),
        (changed("groups", [{"id": "g", "policy": "affinity", "max_impacted": -1}]), "max_impacted"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_inventory_is_said_with_its_place(tmp_path, document: dict[str, Any], said: str) -> None:
    (tmp_path / "inventory.yaml").write_text(yaml.safe_dump(document))
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN)
    seen = run("plan", "--inventory", str(tmp_path / "inventory.yaml"), "--campaign", str(tmp_path / "campaign.yaml"))
    assert (seen.code, seen.out) == (2, "")
    assert seen.err.startswith("ESC-CFG-")
    assert said in seen.err
    assert len(seen.err) < 20_000


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[" * 5_000_000 + "]" * 5_000_000, id="ten megabytes of brackets"),
        pytest.param("{a: " * 200_000, id="maps that never end"),
        pytest.param('{"nodes": [' + "[" * 100_000 + "]" * 100_000 + "]}", id="nested lists of nodes"),
        pytest.param("a: &a [x, x]\n" + "".join(f"b{n}: &b{n} [*a, *a]\n" for n in range(50)), id="anchors"),
        pytest.param("- " * 1_000_000, id="dashes"),
        pytest.param("nodes: !!python/object/apply:os.system [id]", id="a tag that calls"),
        pytest.param("\x00\x01", id="control characters"),
        pytest.param("9" * 1_000_000, id="a number of a million digits"),
        pytest.param("a: 0x" + "f" * 1_000_000, id="a number of a million hexadecimal digits"),
        pytest.param("2026-01-01: a", id="a date as a key"),
    ],
)
def test_documents_that_are_meant_to_hurt_are_refused_quickly(tmp_path, text: str) -> None:
    (tmp_path / "inventory.json").write_text(text)
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN)
    seen = run("plan", "--inventory", str(tmp_path / "inventory.json"), "--campaign", str(tmp_path / "campaign.yaml"))
    assert (seen.code, seen.out) == (2, "")
    assert seen.err.startswith("ESC-CFG-")


@pytest.mark.parametrize("form", ["table", "json", "yaml", "csv", "value"])
def test_no_name_of_a_file_steers_the_terminal_of_who_reads_its_plan(tmp_path, form: str) -> None:
    document = inventory()
    steering = "\x1b]0;title\x07\x1b[8m\u202e"
    for row in (*document["nodes"], *document["instances"]):
        row["id"] += steering
    for row in document["instances"]:
        row["node"], row["project"] = row["node"] + steering, f"p{steering}"
    (tmp_path / "inventory.yaml").write_text(yaml.safe_dump(document))
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN)
    files = ("--inventory", str(tmp_path / "inventory.yaml"), "--campaign", str(tmp_path / "campaign.yaml"))
    seen = run("plan", *files, "-f", form)
    assert seen.code in (0, 3)
    assert not {"\x1b", "\x07", "\u202e"} & set(seen.out + seen.err)
    document["instances"][0]["node"] = f"nowhere{steering}"
    (tmp_path / "inventory.yaml").write_text(yaml.safe_dump(document))
    assert not {"\x1b", "\x07", "\u202e"} & set(run("plan", *files).err)


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(changed("instances.0.demand", {"pcpu": 64, "mem_mib": 8192}), id="a node that is over-full"),
        pytest.param(changed("instances.0.demand", {"gpu": 1}), id="a resource that no node has"),
        pytest.param(changed("instances.0.demand", {}), id="an instance that needs nothing"),
        pytest.param(changed("nodes.0.numa", [{"pcpu": 0, "mem_mib": 0}]), id="a node without room"),
        pytest.param(changed("groups", [{"id": "g", "policy": "none"}]), id="a group without members"),
        pytest.param(changed("nodes.0.numa", []), id="a node of which nothing is known"),
        pytest.param(changed("instances", []), id="no instances"),
        pytest.param(changed("nodes.0.versions", {"hypervisor": "9" * 5000}), id="a version of five thousand digits"),
        pytest.param(changed("nodes.1.versions", {"hypervisor": f"7.{'9' * 5000}"}), id="a part of one"),
        pytest.param({**inventory(), "nodes": [], "instances": []}, id="nothing at all"),
    ],
)
def test_what_is_odd_but_possible_gets_a_sound_plan_with_its_conditions(document: dict[str, Any]) -> None:
    there = load(Inventory, parse(json.dumps(document).encode()))
    wish = load_campaign(parse(CAMPAIGN.encode()))
    plan = make_plan(wish, there)
    assert verify(wish, there, plan) == []
    assert plan.smooth == all(condition.ok for condition in plan.conditions)
    assert len(plan.upgrades) + len(plan.totals.not_upgraded) == len(there.nodes)
