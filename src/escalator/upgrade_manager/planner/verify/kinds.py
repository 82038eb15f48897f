"""Checks of kinds of nodes: each goes when those before it are through, clusters lose one member at a time, masters go last."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from functools import partial

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.inventory import Node, Role
from escalator.model.plan import PlanGroup
from escalator.model.release import Impact
from escalator.upgrade_manager.planner.verify.replay import NEAR_S, Replay, Violation, too_many

wrong = partial(Violation, code=Code.UPG_ORDER)


def check_kinds(replay: Replay, impact: Impact | None) -> Iterator[Violation]:
    """All of it; nothing where the release touches nothing. `impact`: null = what the plan says of it is believed."""
    if (impact or replay.plan.impact) == "none":
        return
    nodes = [replay.node(name) for name in sorted(replay.scope)]
    if len({frozenset(node.roles) for node in nodes}) > 1:
        yield from _order(replay, known=impact is not None)
    yield from _one_at_a_time(replay, nodes)
    yield from _masters(replay, nodes)


def check_kind_groups(replay: Replay, groups: Sequence[PlanGroup]) -> Iterator[Violation]:
    """Groups that the campaign does not name hold nodes of one kind, each node once, and stand for nobody's own."""
    counts = Counter(node for group in groups for node in group.nodes)
    for node in sorted(replay.scope):
        if counts[node] != 1:
            yield wrong(node=node, message=f"{node} is in {counts[node]} groups")
    for group in groups:
        roles = {frozenset(replay.node(name).roles) for name in group.nodes if name in replay.inventory.node_by_id}
        if len(roles) > 1 or group.soak_s or not group.name.startswith("("):
            yield wrong(message=f"the plan has a group {group.name} that the campaign does not have")


def _order(replay: Replay, *, known: bool) -> Iterator[Violation]:
    plan, campaign = replay.plan, replay.campaign
    if sorted(plan.order) != ["compute", "control", "network", "storage"]:
        yield wrong(message="the plan does not say in which order kinds of nodes go")
        return
    if any(condition.code == Code.UPG_ORDER.value and not condition.ok for condition in plan.conditions):
        return  # it says itself that its order cannot be kept, and nobody may start it
    if known:
        yield from _as_wished(campaign, plan.order)
    ends: dict[tuple[int, ...], float] = {}
    for node, upgrade in replay.upgrades.items():
        place = _place(replay.node(node), plan.order)
        ends[place] = max(ends.get(place, 0.0), upgrade.end_s)
    for node, (start, _) in replay.away.items():
        place = _place(replay.node(node), plan.order)
        late = [first for first, end in ends.items() if first < place and start < end - NEAR_S]
        if late and node not in replay.under_way:
            message = f"{node} begins before the kinds of nodes that go before it are through"
            yield wrong(node=node, time_s=start, message=message)


def _as_wished(campaign: Campaign, order: Sequence[Role]) -> Iterator[Violation]:
    """The plan's order follows that of every layer."""
    for layer, roles in campaign.spec.order.items():
        if [role for role in order if role in roles] != [*roles]:
            yield wrong(message=f"the plan goes {', '.join(order)}, and layer {layer} goes {', '.join(roles)}")


def _place(node: Node, order: Sequence[Role]) -> tuple[int, ...]:
    return tuple(number for number, role in enumerate(order) if role in node.roles)


def _clusters(node: Node) -> Iterator[tuple[str, str]]:
    for role in node.roles:
        if role != "compute":
            yield role, node.labels.get(f"{role}-cluster", role)


def _one_at_a_time(replay: Replay, nodes: Sequence[Node]) -> Iterator[Violation]:
    spans: defaultdict[tuple[str, str], list[tuple[float, float, str]]] = defaultdict(list)
    down: Counter[tuple[str, str]] = Counter()
    for node in nodes:
        for cluster in _clusters(node):
            if node.id in replay.away:
                spans[cluster].append((*replay.away[node.id], node.id))
            down[cluster] += node.id in replay.out
    by = replay.campaign.spec.waves.storage_domain
    for cluster, there in spans.items():
        if cluster[0] == "storage" and by is not None:
            yield from _one_domain(replay, cluster, there, [node for node in nodes if cluster in _clusters(node)])
            continue
        for at, count, name in too_many(there, 1 - down[cluster]):
            if name not in replay.under_way:
                message = f"{count + down[cluster]} members of {cluster[0]} cluster {cluster[1]} are away at once"
                yield wrong(node=name, time_s=at, message=message)


def _one_domain(
    replay: Replay, cluster: tuple[str, str], there: Sequence[tuple[float, float, str]], members: Sequence[Node]
) -> Iterator[Violation]:
    """Whoever goes shares its failure domain with all that are away then, and with those that are down."""
    down = [node.id for node in members if node.id in replay.out]
    for start, _, name in there:
        if name in replay.under_way:
            continue
        away = [other for begin, end, other in there if begin <= start + NEAR_S and start + NEAR_S < end]
        mine = _storage_domain(replay, name)
        strangers = [o for o in (*away, *down) if o != name and (mine is None or _storage_domain(replay, o) != mine)]
        if strangers:
            message = f"{name} and {strangers[0]} of storage cluster {cluster[1]} are away at once, and share no failure domain"
            yield wrong(node=name, time_s=start, message=message)


def _storage_domain(replay: Replay, name: str) -> str | None:
    node = replay.node(name)
    match replay.campaign.spec.waves.storage_domain:
        case "rack":
            return node.rack
        case "az":
            return node.az
        case _:
            return node.labels.get("storage-domain")


def _masters(replay: Replay, nodes: Sequence[Node]) -> Iterator[Violation]:
    for master in nodes:
        if not master.master or master.id not in replay.away or master.id in replay.under_way:
            continue
        mine = {name for role, name in _clusters(master) if role == "control"}
        for node in nodes:
            others = {name for role, name in _clusters(node) if role == "control"}
            peer = node.id != master.id and mine & others and set(node.roles) == set(master.roles)
            if peer and node.id in replay.away:
                start = replay.away[master.id][0]
                if replay.away[node.id][1] > start + NEAR_S:
                    yield wrong(node=master.id, time_s=start, message=f"master {master.id} begins before {node.id} is through")
