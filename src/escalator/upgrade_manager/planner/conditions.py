"""The conditions of a smooth upgrade, each with its facts and a remedy in numbers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import ceil

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.inventory import Instance, Inventory, Node
from escalator.model.plan import Closer, Condition, Level
from escalator.upgrade_manager.planner.actions import PINNED_REMEDY, Stuck
from escalator.upgrade_manager.planner.cloud import LEAD_TIME, Cloud, Guest
from escalator.upgrade_manager.planner.scope import ScopedNodes
from escalator.upgrade_manager.planner.turns import Found, NotYet, Rules

NOTHING_PLANNED = "not looked at: nothing is planned"
"""Of a condition that holds of nothing: the plan has no turn."""
SHOWN = 10
"""How many objects a message names before it counts the rest."""


def scope_condition(scope: ScopedNodes) -> Condition:
    """The scope selects nodes, and at least one can be upgraded or is upgraded."""
    if scope.count and len(scope.upgraded) == scope.count:
        said = f"{counted(scope.count, 'node')} in scope, upgraded already: there is nothing to do"
        return Condition(code=Code.PLN_SCOPE.value, ok=True, message=said, remedy="start nothing, or widen spec.scope")
    if scope.count == 0:
        return _fails(Code.PLN_SCOPE, "the scope selects no node", "check scope.select and scope.exclude against the node list")
    return _holds(Code.PLN_SCOPE, f"{counted(scope.count, 'node')} in scope, {len(scope.upgraded)} of them upgraded already")


def availability_condition(scope: ScopedNodes, limit: int) -> Condition:
    """Nodes that are out of service already leave room under `max_unavailable`."""
    names = _names([f"{node}: {reason}" for node, reason in sorted(scope.left_out.items())])
    if scope.unavailable >= limit and scope.eligible:
        remedy = f"bring nodes back, or raise waves.max_unavailable to at least {scope.unavailable + 1}"
        if scope.others:
            ours = _names([f"campaign {name}" for name in scope.others])
            remedy = f"let {ours} end, and put back what escalator restoration list shows; then plan again"
        out = f"{counted(scope.unavailable, 'node in scope is', 'nodes in scope are')} out of service"
        return _fails(Code.PLN_NODE_STATE, f"{out}, max_unavailable is {limit}; {names}", remedy)
    if not names:
        return _holds(Code.PLN_NODE_STATE, "every node in scope is in service")
    remedy = "bring them back before the start, or upgrade them by another campaign later: this one leaves them as they are"
    return Condition(code=Code.PLN_NODE_STATE.value, ok=True, message=f"left out: {names}", remedy=remedy)


def pinned_condition(stuck: Sequence[tuple[Instance, Stuck]], movable: int = 0) -> Condition:
    """Every instance can move or may stay. `movable`: how many others policy would stop that can move, if it stopped this one."""
    pinned = [(i, s) for i, s in stuck if i.blocked is None]
    if not pinned:
        return _holds(Code.PLN_PINNED, "every instance can move or may stay")
    remedy = pinned[0][1].remedy
    if remedy == PINNED_REMEDY:
        others = f", and with {'it' if len(pinned) == 1 else 'them'} {counted(movable, 'other')} that can move" if movable else ""
        remedy += f"; or workloads.default.action stop-start or in-place, which stops whatever no VNF manager speaks for{others}"
    return _fails(Code.PLN_PINNED, _names([s.reason for _, s in pinned]), remedy)


def state_condition(stuck: Sequence[tuple[Instance, Stuck]]) -> Condition:
    """No instance is in a state that lets nobody touch it."""
    blocked = [(i, s) for i, s in stuck if i.blocked is not None]
    if not blocked:
        return _holds(Code.PLN_INSTANCE_STATE, "no instance's state stands in the way")
    return _fails(Code.PLN_INSTANCE_STATE, _names([s.reason for _, s in blocked]), blocked[0][1].remedy)


def mitigation_conditions(declared: Sequence[Instance], staying: Sequence[Instance]) -> tuple[Condition, ...]:
    """Whoever declares that it needs a replacement first leaves for one; nothing is said where nobody declares it."""
    if not declared:
        return ()
    if not staying:
        many = counted(len(declared), "instance needs", "instances need")
        return (_holds(Code.PLN_MITIGATION, f"{many} a replacement first, and move to one"),)
    said = [f"instance {i.id} on {i.node} needs a replacement before it is impacted, and would stay" for i in staying]
    vnfs = sorted({i.vnf or f"project {i.project}" for i in staying})
    remedy = (
        f"let it migrate ({counted(len(staying), 'instance')} of {_names(vnfs)}), or agree with the VNF's owner on"
        " is_impact_mitigation_requested: false once a replacement is there: escalator constraint set"
    )
    return (_fails(Code.PLN_MITIGATION, _names(said), remedy),)


def interruption_conditions(
    noticing: Sequence[Instance], unborne: Sequence[Instance], expected_s: Mapping[str, float]
) -> tuple[Condition, ...]:
    """Who notices a live migration is in a group that bears it, or asked; nothing is said where nobody would notice."""
    if not noticing:
        return ()
    if not unborne:
        many = counted(len(noticing), "instance notices its live migration", "instances notice their live migrations")
        said = f"{many} ({_span(expected_s)}): that counts within their groups' limits"
        return (_holds(Code.VIM_NOTICED, f"{said}, and their VNF managers are told so"),)
    said = _names([f"instance {i.id} on {i.node} notices more than {i.max_interruption_s:g} s" for i in unborne])
    remedy = (
        f"register VNF managers that can be asked ({counted(len(unborne), 'instance')}), declare how many members of their"
        " groups may be impacted at once (escalator constraint set), or put what your live migrations take into"
        " estimates.migration.interruption_s"
    )
    takes = _span({i.id: expected_s[i.id] for i in unborne})
    message = f"live migrations are expected to take {takes}, nobody is asked and no group bears it: {said}"
    return (_fails(Code.VIM_NOTICED, message, remedy),)


def _span(seconds: Mapping[str, float]) -> str:
    """From the shortest to the longest."""
    least, most = min(seconds.values()), max(seconds.values())
    return f"{most:g} s" if least == most else f"{least:g} s to {most:g} s"


def group_condition(blocked: Mapping[str, str]) -> Condition:
    """No group's limit or affinity keeps a node from being upgraded; `blocked` gives the reason per node."""
    if blocked:
        said = [f"{node}: {reason}" for node, reason in sorted(blocked.items())]
        remedy = (
            "raise the limits of the groups named by what is missing (escalator constraint list: what is declared), spread their"
            " members, or exclude these nodes"
        )
        return _fails(Code.PLN_GROUP, _names(said), remedy)
    return _holds(Code.PLN_GROUP, "every group's limit can hold")


def unplaced(cloud: Cloud, found: Found) -> list[tuple[str, Guest]]:
    """Nodes that got no turn for lack of room, each with the first instance that found none."""
    waits = [(number, wait.lacking) for number, wait in sorted(found.left.items())]
    return [(cloud.nodes[number].id, lacking) for number, lacking in waits if lacking is not None]


def stranded(cloud: Cloud, found: Found) -> list[Instance]:
    """All that was to leave those nodes."""
    left = [number for number, wait in sorted(found.left.items()) if wait.lacking is not None]
    return [guest.instance for number in left for guest in cloud.guests[number] if guest.leaves]


def reason(cloud: Cloud, wait: NotYet) -> str:
    """Why a node got no turn, with what was needed."""
    if wait.lacking is None:
        name = cloud.limits[wait.group].id if wait.group is not None else ""
        group = f" ({'' if name.startswith(LEAD_TIME) else 'group '}{name})" if name else ""
        return f"{wait.reason}{group}" if wait.reason else "nothing made room for it"
    if wait.apart:
        return f"no node has room for {said(wait.lacking)} that keeps the members of group {wait.apart} apart"
    return f"no node has room for {said(wait.lacking)} ({shape(cloud, [wait.lacking])})"


def kept_by(cloud: Cloud, wait: NotYet) -> str:
    """What a node waited for that had its turn later."""
    if wait.lacking is not None and wait.apart:
        return f"a place for {said(wait.lacking)} that keeps the members of group {wait.apart} apart"
    if wait.lacking is not None:
        return f"room on upgraded nodes for {said(wait.lacking)} ({shape(cloud, [wait.lacking])})"
    late = "window" in wait.reason
    if wait.group is None:
        return "the next window" if late else wait.reason
    name = cloud.limits[wait.group].id
    why = name if name.startswith(LEAD_TIME) else f"group {name}: its limit or recovery"
    return f"{why}, and the next window" if late else why


def said(guest: Guest) -> str:
    """The instance by name, with what ties it to others."""
    tied = f", with those of affinity group {guest.tied[0]} together" if guest.tied else ""
    return f"instance {guest.id}{tied}"


def room(campaign: Campaign, inventory: Inventory, spare: str) -> str:
    """What would make room: `spare`, hosts out of scope, fuller nodes where the campaign forbids them, or VNFs that scale in."""
    fill = campaign.spec.waves.max_fill
    outside = sum("compute" in node.roles and serves(node) and not campaign.spec.scope.includes(node) for node in inventory.nodes)
    if spare and outside:
        hosts = counted(outside, "host in service is", "hosts in service are")
        spare = f"widen spec.scope: {hosts} out of it, and what is out of scope takes no instances; or {spare}"
    if spare and fill < 1:
        spare = f"raise waves.max_fill: upgraded nodes are filled to {fill:.0%} only; or {spare}"
    if campaign.spec.workloads.scale_in == "ask":
        return f"VNF managers are asked to scale in when the campaign starts; else {spare}"
    return f"{spare}; or let VNF managers be asked to scale in (workloads.scale_in: ask)"


def serves(node: Node) -> bool:
    """Whether the node is in service, whatever becomes of it."""
    return node.state == "up" and not node.maintenance


def capacity_condition(lacking: Sequence[tuple[str, Guest]], spare: str, unseen: int = 0, *, planned: bool = True) -> Condition:
    """There is room for everything that has to move; `spare` says what would make it so.

    `unseen`: nodes that were left out for another reason before anybody looked for room; `planned`: some have their turn.
    """
    if not lacking and not planned:
        return _holds(Code.PLN_CAPACITY, NOTHING_PLANNED)
    if not lacking:
        rest = f"; not looked at for {counted(unseen, 'node')} left out before" if unseen else ""
        return _holds(Code.PLN_CAPACITY, f"there is room for everything that has to move{rest}")
    message = _names([f"{node}: no node has room for {said(guest)}" for node, guest in lacking])
    return _fails(Code.PLN_CAPACITY, message, spare)


def other_conditions(cloud: Cloud, rules: Rules, found: Found, relief: str, more_time: str = "") -> tuple[Condition, ...]:
    """Windows, the reserve, the spread rules and clusters, where the campaign has any.

    `relief` says what would let the reserve hold, `more_time` what would bring every node into its window.
    """
    left = [(cloud.nodes[n].id, wait) for n, wait in sorted(found.left.items()) if wait.lacking is None]
    checks = []
    if not rules.windows.open:
        checks.append(
            _window_condition(rules, [(node, wait) for node, wait in left if "window" in wait.reason], found, more_time)
        )
    if rules.reserve or rules.domains:
        rest = [(node, wait) for node, wait in left if "window" not in wait.reason]
        checks.append(
            _reserve_condition(rules, rest, relief) if rest or found.turns else _holds(Code.PLN_RESERVE, NOTHING_PLANNED)
        )
    return tuple(checks)


def _window_condition(rules: Rules, left: Sequence[tuple[str, NotYet]], found: Found, more_time: str) -> Condition:
    if not left and not found.turns:
        return _holds(Code.PLN_WINDOW, NOTHING_PLANNED)
    if not left:
        used = len({rules.windows.index(turn.away_s) for turn in found.turns})
        return _holds(Code.PLN_WINDOW, f"every turn fits into its window; {counted(used, 'window')} used")
    message = _names([f"{node}: {wait.reason}" for node, wait in left])
    needs_s = max(wait.needs_s for _, wait in left)
    if needs_s == 0 or more_time:
        return _fails(Code.PLN_WINDOW, message, more_time or "give more windows, or longer ones")
    few = sum(wait.needs_s == 0 for _, wait in left)
    besides = f"; {counted(few, 'node')} beside these may need more windows" if few else ""
    minutes = ceil(needs_s / 60)
    return _fails(Code.PLN_WINDOW, message, f"give windows of at least {minutes * 60} s ({minutes} min){besides}")


def _in_domains(rules: Rules) -> str:
    return ", those of storage clusters by failure domain" if any(any(domain.parts) for domain in rules.domains) else ""


def _reserve_condition(rules: Rules, left: Sequence[tuple[str, NotYet]], relief: str) -> Condition:
    if not left:
        wished = rules.reserve or any(domain.by != "cluster" for domain in rules.domains)
        said = (
            "the reserve and the spread rules hold all the time"
            if wished
            else "members of clusters go one at a time" + _in_domains(rules)
        )
        return _holds(Code.PLN_RESERVE, said)
    message = _names([f"{node}: {wait.reason}" for node, wait in left])
    remedy = "relax waves.spread, or bring nodes back"
    if any(wait.reason.startswith("cluster ") for _, wait in left):
        remedy = "bring back the members of these clusters that are away"
    return _fails(Code.PLN_RESERVE, message, relief or remedy)


def spread_conditions(
    groups: int, levels: Collection[Level], closer: Sequence[Closer], *, moving: bool = True
) -> tuple[Condition, ...]:
    """Groups end as far apart as they began; nothing is said where none is watched. It never fails: it is there to be weighed.

    `groups`: how many are watched; `moving`: something moves.
    """
    if not groups:
        return ()
    if not moving:
        return (_holds(Code.PLN_SPREAD, NOTHING_PLANNED.replace("is planned", "moves")),)
    if not closer:
        over = " and ".join(name for level, name in LEVELS.items() if level in levels)
        many = counted(groups, "group whose members move ends", "groups whose members move end")
        return (_holds(Code.PLN_SPREAD, f"{many} as far apart as before, over {over}"),)
    worse = {row.group for row in closer}
    rows = [
        f"{row.group}: from {_times(row.places_before, row.level)} with at most {row.most_before} in one"
        f" to {row.places_after} with {row.most_after}"
        for row in closer
    ]
    all_of_them = counted(groups, "group whose members move", "groups whose members move")
    ends = counted(len(worse), f"of {all_of_them} ends", f"of {all_of_them} end")
    message = f"{ends} closer together than before: {_names(rows)}"
    remedy = "leave room where these groups are to be: an empty host, already upgraded, in each rack or zone; or accept it"
    return (Condition(code=Code.PLN_SPREAD.value, ok=True, message=message, remedy=remedy),)


LEVELS = {"node": "nodes", "rack": "racks", "az": "zones"}


def _times(count: int, level: str) -> str:
    return f"{count} {LEVELS[level]}"


def shape(cloud: Cloud, guests: Sequence[Guest]) -> str:
    """What the largest of the instances need, per resource, over all their NUMA entries."""
    need: dict[str, float] = {}
    for guest in guests:
        for resource, amount in guest.shape.demand:
            name = cloud.resources[resource]
            need[name] = max(need.get(name, 0.0), amount * guest.shape.span)
    return ", ".join(f"{resource} {amount:g}" for resource, amount in sorted(need.items()))


def _names(items: Sequence[str]) -> str:
    more = f"; and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return "; ".join(items[:SHOWN]) + more


def _holds(code: Code, message: str) -> Condition:
    return Condition(code=code.value, ok=True, message=message)


def _fails(code: Code, message: str, remedy: str) -> Condition:
    return Condition(code=code.value, ok=False, message=message, remedy=remedy)
