"""Small clouds said in few words."""

from __future__ import annotations

from typing import Any

from escalator.model.campaign import Campaign, CampaignSpec
from escalator.model.document import Metadata
from escalator.model.inventory import Instance, Inventory, Node
from escalator.model.plan import Condition, Plan
from escalator.upgrade_manager.planner.make import make_plan


def node(name: str, **more: Any) -> Node:
    return Node(**{"id": name, "numa": ({"pcpu": 8.0},), **more})


def vm(name: str, where: str, **more: Any) -> Instance:
    return Instance(**{"id": name, "project": "p", "node": where, "demand": {"pcpu": 2.0}, **more})


def cloud(*things: Node | Instance | Any) -> Inventory:
    nodes = tuple(t for t in things if isinstance(t, Node))
    instances = tuple(t for t in things if isinstance(t, Instance))
    groups = tuple(t for t in things if not isinstance(t, (Node, Instance)))
    return Inventory(nodes=nodes, instances=instances, groups=groups)


def campaign(**spec: Any) -> Campaign:
    base = {"mode": "smooth", "scope": {"select": {}}, "waves": {"max_unavailable": 1}}
    return Campaign(metadata=Metadata(name="c"), spec=CampaignSpec.model_validate({**base, **spec}, strict=False))


def plan_of(*things: Any, managed: frozenset[str] = frozenset(), **spec: Any) -> Plan:
    return make_plan(campaign(**spec), cloud(*things), managed)


def order(plan: Plan) -> list[str]:
    return [u.node for u in sorted(plan.upgrades, key=lambda u: (u.start_s, u.node))]


def moves(plan: Plan) -> list[tuple[str, str, str]]:
    return [(m.instance, m.origin, m.target) for m in plan.moves]


def left_out(plan: Plan) -> dict[str, str]:
    return {n.node: n.reason for n in plan.totals.not_upgraded}


def failing(plan: Plan) -> dict[str, Condition]:
    return {c.code: c for c in plan.conditions if not c.ok}
