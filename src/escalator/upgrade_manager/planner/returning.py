"""What could not come back as it went: guests of a newer hypervisor do not live-migrate to an older one.

Nova refuses such a migration by the hypervisor's version, and QEMU does not promise it. Named before the upgrade starts,
because in a rollback it is too late to ask.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.inventory import Instance, Inventory
from escalator.model.plan import Condition, NoReturn, Plan
from escalator.upgrade_manager.planner.versions import older

LAYER = "hypervisor"
NOTHING_MOVES = "not looked at: nothing moves"
SHOWN = 5


def with_returns(
    plan: Plan, campaign: Campaign, inventory: Inventory, managed: Collection[str], layers: Mapping[str, str]
) -> Plan:
    """The plan with the instances that a rollback could not bring back by live migration, and the condition that says so.

    `layers`: what the release brings, layer by layer. The condition never fails: it is for the change board to weigh.
    """
    brings = layers.get(LAYER)
    if brings is None:
        return plan
    rows = [
        NoReturn(
            instance=move.instance,
            vnf=_owner(inventory.instance_by_id[move.instance]),
            window=plan.upgrade_of[move.origin].window,
            reason=f"no live migration from hypervisor {brings} to {inventory.node_by_id[move.origin].versions.get(LAYER)}",
            way_back=way_back(campaign, managed=move.instance in managed),
        )
        for move in plan.moves
        if move.kind == "live" and not move.extra and _renewed(inventory, move.origin, brings)
    ]
    live = [move.origin for move in plan.moves if move.kind == "live" and not move.extra]
    unknown = sum(inventory.node_by_id[node].versions.get(LAYER) is None for node in live)
    message = _message(rows, unknown) if plan.moves else NOTHING_MOVES
    said = Condition(code=Code.PLN_RETURN.value, ok=True, message=message, remedy=_remedy(rows, unknown))
    return plan.model_copy(update={"no_return": tuple(rows), "conditions": (*plan.conditions, said)})


def _renewed(inventory: Inventory, node: str, brings: str) -> bool:
    return older(inventory.node_by_id[node].versions.get(LAYER), brings)


def _owner(instance: Instance) -> str:
    return instance.vnf or f"project {instance.project}"


def way_back(campaign: Campaign, *, managed: bool) -> str:
    """How an instance comes back that does not live-migrate to the older hypervisor."""
    if managed:
        return "its VNF manager acts itself, or agrees to a cold migration"
    match campaign.spec.workloads.default.action:
        case "cold" | "live-if-possible":
            return "cold migration"
        case "stop-start":
            return "stopped, and started on its node when that is rolled back"
        case _:
            return "none by policy: workloads.default.action allows no cold migration and no stop"


def _remedy(rows: list[NoReturn], unknown: int) -> str:
    """What to do before the start, while there is still time to; it makes a note of a condition that holds."""
    if unknown:
        return "give the nodes of the inventory their versions of the hypervisor before it is approved"
    if not rows:
        return ""
    if any(row.way_back.startswith("none") for row in rows):
        return (
            "before the start allow a way back (workloads.default.action: live-if-possible, which lets them come back cold), or"
            " register their VNF managers; else the nodes that they moved from cannot all be rolled back"
        )
    return "tell their owners before the start: a rollback interrupts them"


def _message(rows: list[NoReturn], unknown: int) -> str:
    """Who cannot come back; `unknown` is of how many nobody can tell."""
    open_ = f"whether {counted(unknown, 'instance')} can come back is not known: nobody tells the hypervisor of their nodes"
    if not rows:
        return open_ if unknown else "every instance that moves can come back the same way in a rollback"
    owners = Counter(row.vnf for row in rows)
    named = ", ".join(f"{count} of {owner}" for owner, count in sorted(owners.items())[:SHOWN])
    more = f", and of {len(owners) - SHOWN} more" if len(owners) > SHOWN else ""
    stuck = sum(row.way_back.startswith("none") for row in rows)
    policy = f"; for {stuck} of them policy allows no other way" if stuck else ""
    many = counted(len(rows), "instance")
    rest = f"; {open_}" if unknown else ""
    return f"{many} cannot come back by live migration in a rollback: {named}{more}{policy}{rest}"
