"""What a repair starts from: the campaign, the cloud as it is now, the plan so far, and who can have a turn at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from operator import itemgetter

from escalator.model.campaign import Campaign
from escalator.model.inventory import Instance, Inventory, Node
from escalator.model.plan import Plan
from escalator.model.release import Impact
from escalator.upgrade_manager.planner.actions import LIVE, Action, Leaves, Stays, action_for
from escalator.upgrade_manager.planner.givens import stuck_on
from escalator.upgrade_manager.planner.groups import blocked_by_groups
from escalator.upgrade_manager.planner.impact import apart, seen_by
from escalator.upgrade_manager.planner.progress import Progress
from escalator.upgrade_manager.planner.repair.sofar import SoFar, so_far
from escalator.upgrade_manager.planner.repair.sums import Sums
from escalator.upgrade_manager.planner.rules import windows_of
from escalator.upgrade_manager.planner.scope import UNDER_WAY, ScopedNodes, select
from escalator.upgrade_manager.planner.windows import Windows


class CannotRepairError(Exception):
    """What happened is for the search."""


@dataclass(frozen=True, slots=True)
class Given:
    """Everything that a repair reads."""

    campaign: Campaign
    inventory: Inventory
    managed: Collection[str]
    progress: Progress
    parent: Plan
    scope: ScopedNodes
    actions: Mapping[str, Action]
    """What has to happen to each instance on the nodes that can be upgraded."""
    noted: Mapping[str, Action]
    """Those of them that something is to be said of: they stay, or are not moved without more ado. Node by node."""
    stuck: Mapping[str, str]
    blocked: Mapping[str, str]
    nodes: tuple[Node, ...]
    """Nodes that are to have their turns, or are having them."""
    done: frozenset[str]
    """Nodes that are upgraded and take instances."""
    windows: Windows
    width: int
    """Nodes out of service at once, those counted off that are so anyway."""
    sums: Sums
    """How amounts are added."""
    so_far: SoFar
    """The parent in columns."""

    @property
    def at_s(self) -> float:
        """The moment from which the plan counts."""
        return self.progress.at_s

    @property
    def tonight(self) -> int:
        """Number of the window in which that moment lies."""
        return self.windows.index(self.progress.at_s)


def given(
    campaign: Campaign,
    inventory: Inventory,
    managed: Collection[str],
    now_s: float | None,
    progress: Progress,
    impact: Impact | None,
) -> Given:
    """Raises CannotRepairError where everything depends on everything: for such campaigns there is the search.

    Only a plan that is followed is repaired: before the beginning, and on a way back, a parent has no times to go by but only
    an order and places.
    """
    spec, parent = campaign.spec, progress.parent
    if parent is None or progress.at_s <= 0 or not parent.upgrades or parent.purpose != "upgrade" or spec.mode != "smooth":
        raise CannotRepairError
    if spec.waves.soak_s or spec.gates.between or any(group.soak_s for group in spec.scope.groups):
        raise CannotRepairError
    inventory = seen_by(inventory, impact)
    scope = replace(select(campaign, inventory), apart=apart(impact))
    actions, noted = _actions(campaign, inventory, scope, managed)
    stuck = stuck_on(inventory, noted)
    suspects = _suspects(inventory, noted)
    blocked = blocked_by_groups(inventory, [n for n in scope.eligible if n.id in suspects and n.id not in stuck], actions)
    nodes = tuple(node for node in scope.eligible if node.id not in stuck and node.id not in blocked)
    unseen = sum(node.progress in UNDER_WAY for node in scope.eligible) - sum(node.progress in UNDER_WAY for node in nodes)
    return Given(
        campaign=campaign,
        inventory=inventory,
        managed=managed,
        progress=progress,
        parent=parent,
        scope=scope,
        actions=actions,
        noted=noted,
        stuck=stuck,
        blocked=blocked,
        nodes=nodes,
        done=frozenset(node.id for node in scope.upgraded),
        windows=windows_of(spec, now_s),
        width=spec.waves.limit(scope.count) - scope.unavailable - unseen,
        sums=Sums(inventory.nodes),
        so_far=so_far(parent),
    )


class _Actions(dict[str, Action]):
    """Of next to all instances it is the same that has to happen: only the others are kept one by one."""

    def __init__(self, usual: Action) -> None:
        super().__init__()
        self._usual = usual

    def __missing__(self, instance: str) -> Action:
        return self._usual


def _actions(
    campaign: Campaign, inventory: Inventory, scope: ScopedNodes, managed: Collection[str]
) -> tuple[Mapping[str, Action], Mapping[str, Action]]:
    """What has to happen to each instance, as `actions_of` tells it; and of those of which something is to be said."""
    places = {node.id: number for number, node in enumerate(scope.eligible)}
    alike: dict[tuple[object, ...], Action] = {}
    actions, noted = _Actions(LIVE), list[tuple[int, Instance]]()
    for one in inventory.instances:
        # A look at what a model keeps is quicker than at its attributes, and there are a hundred thousand.
        values = one.__dict__
        name = values["id"]
        if values["node"] not in places:
            continue
        if values["blocked"] is not None or values["migration"] == "none" or name in managed:
            action = action_for(one, campaign.spec, managed=name in managed)
        else:
            key = (values["state"], values["vacate"], values["migration"], values["allowed"])
            found = alike.get(key)
            action = alike[key] = action_for(one, campaign.spec, managed=False) if found is None else found
        if action is not LIVE:
            actions[name] = action
        if action.__class__ is not Leaves or values["mitigation"] or values["max_interruption_s"] is not None:
            noted.append((places[values["node"]], one))
    noted.sort(key=itemgetter(0))
    return actions, {one.id: actions[one.id] for _, one in noted}


def _suspects(inventory: Inventory, noted: Mapping[str, Action]) -> set[str]:
    """Nodes that groups can block at all: each look at a node costs, and few are so tight."""
    down = Counter(
        name
        for node in inventory.nodes
        if node.state == "down"
        for one in inventory.instances_by_node.get(node.id, ())
        for name in one.groups
    )
    found: set[str] = set()
    wide: dict[str, int] = {}
    stays = [name for name, action in noted.items() if isinstance(action, Stays) and action.kind != "offline"]
    for group in inventory.groups:
        name, most = group.id, group.max_impacted if group.min_preserved is None else None
        if not stays and most is not None and most > down[name] and group.policy != "affinity":
            continue  # as next to all are
        members = inventory.members.get(name)
        if members is None:
            continue
        allowed = group.limit(len(members)) - down[name]
        if allowed <= 0 or group.policy == "affinity":
            found.update(member.node for member in members)
        elif stays and allowed < len(members):
            wide[name] = allowed
    staying: Counter[tuple[str, str]] = Counter()
    for name in stays:
        instance = inventory.instance_by_id[name]
        staying.update((group, instance.node) for group in instance.groups if group in wide)
    found.update(node for (group, node), count in staying.items() if count > wide[group])
    return found
