"""What is given before anything is searched for: what happens to each instance, and which nodes that leaves out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from operator import itemgetter

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.inventory import Inventory
from escalator.model.plan import Condition
from escalator.model.release import Impact
from escalator.upgrade_manager.planner import conditions as c
from escalator.upgrade_manager.planner.actions import Action, Leaves, Stays, Stuck, action_for, any_of
from escalator.upgrade_manager.planner.interruption import expected_s, unborne
from escalator.upgrade_manager.planner.scope import ScopedNodes

LEAST_REBOOT_S = 60.0
"""No host that runs instances is upgraded and back from a reboot sooner."""


def actions_of(campaign: Campaign, inventory: Inventory, scope: ScopedNodes, managed: Collection[str]) -> dict[str, Action]:
    """What has to happen to each instance on the nodes that can be upgraded, by its id, node by node."""
    found: dict[str, Action] = {}
    alike: tuple[dict[tuple[object, ...], Action], ...] = ({}, {})
    """By what is read of them: those without a VNF manager, and those with one."""
    for node in scope.eligible:
        for one in inventory.instances_by_node.get(node.id, ()):
            row = vars(one)
            name, key = row["id"], _READ(row)
            if key[0] is not None or key[1] == "none":
                found[name] = action_for(one, campaign.spec, managed=name in managed)
                continue
            # What can migrate is decided by these alone.
            known = alike[name in managed]
            action = known.get(key)
            if action is None:
                action = known[key] = action_for(one, campaign.spec, managed=name in managed)
            found[name] = action
    return found


_READ = itemgetter("blocked", "migration", "state", "vacate", "allowed")
"""What decides for an instance that can migrate, in one look: there may be a hundred thousand."""


def stuck_on(inventory: Inventory, actions: Mapping[str, Action]) -> dict[str, str]:
    """Nodes with an instance that can neither move nor stay, each with the reason of the first one."""
    found: dict[str, str] = {}
    for name, action in actions.items() if any_of(actions, Stuck) else ():
        if isinstance(action, Stuck):
            found.setdefault(inventory.instance_by_id[name].node, action.reason)
    return found


def first_conditions(
    campaign: Campaign,
    inventory: Inventory,
    scope: ScopedNodes,
    actions: Mapping[str, Action],
    managed: Collection[str],
    impact: Impact | None = None,
) -> tuple[Condition, ...]:
    """The conditions that need no search: scope, states of nodes and instances, who declares what of its own impacts.

    `impact` is that of the release; null where nothing is known of it.
    """
    stuck = []
    if any_of(actions, Stuck):
        stuck = [(inventory.instance_by_id[i], a) for i, a in actions.items() if isinstance(a, Stuck)]
    declared = {instance.id: instance for instance in inventory.instances if instance.mitigation}
    wary = [declared[i] for i in actions if i in declared] if declared else []
    return (
        c.scope_condition(scope),
        *_estimates(campaign, scope),
        *(_too_quick(campaign, scope) if impact in (None, "reboot") else ()),
        c.availability_condition(scope, campaign.spec.waves.limit(scope.count)),
        c.pinned_condition(stuck, _movable(inventory, actions, managed) if stuck else 0),
        c.state_condition(stuck),
        *c.mitigation_conditions(wary, [i for i in wary if _stays(actions[i.id])]),
        *_noticed(campaign, inventory, actions, managed),
    )


def _movable(inventory: Inventory, actions: Mapping[str, Action], managed: Collection[str]) -> int:
    """How many instances move that nobody speaks for: policy that stops one stops them, too."""
    leaving = [name for name, action in actions.items() if isinstance(action, Leaves) and name not in managed]
    return sum(inventory.instance_by_id[name].may("none") for name in leaving)


def _estimates(campaign: Campaign, scope: ScopedNodes) -> tuple[Condition, ...]:
    """That the campaign has estimates for hardware that none of its nodes is; it never fails, and nobody else would notice."""
    nodes = [*scope.eligible, *scope.upgraded]
    strange = [
        ", ".join(f"{key}: {value}" for key, value in hardware.labels.items())
        for hardware in campaign.spec.estimates.hardware
        if not any(all(node.labels.get(key) == value for key, value in hardware.labels.items()) for node in nodes)
    ]
    if not strange or not nodes:
        return ()
    message = f"no node has the labels of these estimates: {'; '.join(strange)}"
    remedy = "compare the labels in estimates.hardware with those of the nodes"
    return (Condition(code=Code.PLN_ESTIMATES.value, ok=True, message=message, remedy=remedy),)


def _too_quick(campaign: Campaign, scope: ScopedNodes) -> tuple[Condition, ...]:
    """That nodes are said to reboot sooner than a host can, in case minutes were meant; it never fails."""
    estimates = campaign.spec.estimates
    quick = [node for node in scope.eligible if estimates.upgrade_of(node) - estimates.hooks_s < LEAST_REBOOT_S]
    if not quick:
        return ()
    shortest = min(estimates.upgrade_of(node) - estimates.hooks_s for node in quick)
    message = f"{counted(len(quick), 'node is', 'nodes are')} estimated to be upgraded within {shortest:g} s, with a reboot"
    remedy = "see whether minutes were meant: upgrade_s of estimates is in seconds, and windows and nights follow from it"
    return (Condition(code=Code.PLN_ESTIMATES.value, ok=True, message=message, remedy=remedy),)


def _noticed(
    campaign: Campaign, inventory: Inventory, actions: Mapping[str, Action], managed: Collection[str]
) -> Sequence[Condition]:
    noticing, found = unborne(campaign.spec, inventory, actions, managed)
    return c.interruption_conditions(noticing, found, {i.id: expected_s(i, campaign.spec, "live") for i in noticing})


def _stays(action: Action) -> bool:
    """Whether the instance is impacted where it is."""
    return isinstance(action, Stays) and action.kind != "offline"
