"""How a plan differs from the one before it, as a diff that people read. Times alone are no difference."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from escalator.model.plan import Plan


def differences(parent: Plan, child: Plan, over: Collection[str]) -> Sequence[str]:
    """What the child does otherwise, one line each: `+` new, `-` not any more, `~` changed.

    `over` holds the nodes whose turn has ended: the child does not repeat them.
    """
    return [*_nodes(parent, child, over), *_moves(parent, child, over), *_stays(parent, child, over)]


def _nodes(parent: Plan, child: Plan, over: Collection[str]) -> list[str]:
    reasons = {item.node: item.reason for item in child.totals.not_upgraded}
    old, new = ({u.node: u for u in plan.upgrades if u.node not in over} for plan in (parent, child))
    lines = [f"- node {node}: {reasons.get(node, 'not in scope any more')}" for node in sorted(old.keys() - new.keys())]
    lines += [f"+ node {node}" for node in sorted(new.keys() - old.keys())]
    lines += [
        f"~ node {node}: window {old[node].window + 1} -> {new[node].window + 1}"
        for node in sorted(old.keys() & new.keys())
        if old[node].window != new[node].window
    ]
    return lines


def _moves(parent: Plan, child: Plan, over: Collection[str]) -> list[str]:
    nodes = {upgrade.node for upgrade in child.upgrades} - set(over)
    old, new = ({(m.instance, m.origin): m.target for m in plan.moves if m.origin in nodes} for plan in (parent, child))
    here = {upgrade.node for upgrade in child.upgrades if upgrade.start_s < child.at_s}
    # Of nodes under way, departures that are over are not repeated.
    under_way = {m.origin for m in child.moves if m.start_s < child.at_s} | here
    gone = [key for key in sorted(old.keys() - new.keys()) if key[1] not in under_way]
    lines = [f"- instance {instance} leaves {origin}" for instance, origin in gone]
    lines += [f"+ instance {i}: {o} -> {new[i, o]}" for i, o in sorted(new.keys() - old.keys())]
    both = sorted(old.keys() & new.keys())
    return lines + [f"~ instance {i}: {o} -> {new[i, o]}, not {old[i, o]}" for i, o in both if new[i, o] != old[i, o]]


def _stays(parent: Plan, child: Plan, over: Collection[str]) -> list[str]:
    nodes = {upgrade.node for upgrade in child.upgrades if upgrade.start_s >= child.at_s} - set(over)
    old, new = ({(i.instance, i.node) for i in plan.impacts if i.node in nodes} for plan in (parent, child))
    lines = [f"- instance {instance} stays on {node}" for instance, node in sorted(old - new)]
    return lines + [f"+ instance {instance} stays on {node}" for instance, node in sorted(new - old)]
