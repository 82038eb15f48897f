"""Fault files whose names nobody has."""

from __future__ import annotations

from escalator.model.inventory import Instance, Inventory, Node
from escalator.world.about_nothing import about_nothing
from escalator.world.rules import Character, Fault, FaultsSpec

SITE = Inventory(nodes=(Node(id="cn-1"),), instances=(Instance(id="vm-1", project="core", node="cn-1"),))


def test_rules_about_what_is_there_are_not_told() -> None:
    there = (
        Fault(kind="upgrade", node="cn-*"),
        Fault(kind="live_migration", instance="vm-1"),
        Fault(kind="quota", project="core"),
    )
    assert [*about_nothing(FaultsSpec(faults=there, vnfms=(Character(behaviour="silent", project="co*"),)), SITE)] == []


def test_rules_about_nothing_are() -> None:
    faults = (Fault(kind="upgrade"), Fault(kind="upgrade", node="nx-*"))
    found = [*about_nothing(FaultsSpec(faults=faults, vnfms=(Character(behaviour="silent", project="none"),)), SITE)]
    assert found == [
        "spec.faults[1].node: the inventory has no node 'nx-*'; upgrade never goes wrong by it",
        "spec.vnfms[0].project: the inventory has no instance of project 'none'",
    ]
