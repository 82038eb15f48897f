"""Whether a release goes upon what an inventory file says of the nodes; what only nodes and a server tell is said to be open."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.inventory import Inventory
from escalator.model.plan import Condition, Plan
from escalator.model.release import Release
from escalator.upgrade_manager.planner.fitting import Runs, fit, present
from escalator.upgrade_manager.planner.scope import select

SHOWN = 5
OPEN = "not looked at, as only a server can:"


def with_fit(plan: Plan, campaign: Campaign, inventory: Inventory, release: Release) -> Plan:
    """The plan with what the inventory's versions tell of the release. A server also asks nodes, and knows other releases.

    The plan is not smooth where a node is known to run what the release does not go upon. What nobody can tell from files is
    a note that says so, and how many nodes it is about: it is for the change board to weigh.
    """
    nodes = [Runs(node=node.id, layers=dict(node.versions)) for node in select(campaign, inventory).eligible]
    known: list[Runs] = []
    unknown: list[Runs] = []
    for runs in nodes:
        (known if present(release.metadata.name, runs, [release]).known else unknown).append(runs)
    judged = [key for key in release.spec.requires if key != "arch" and known and all(key in runs.layers for runs in known)]
    reduced = _requiring(release, judged)
    found = fit(reduced, known, [reduced], campaign.spec.backup.scope, plan.upgrade_of.keys())
    conditions = [one for one in found.conditions if known or one.code == Code.PLN_NO_RETURN.value]
    conditions += _unknown(release, [runs.node for runs in unknown])
    conditions += _unjudged([f"{key} {release.spec.requires[key]}" for key in release.spec.requires if key not in judged])
    more = {
        "conditions": (*plan.conditions, *conditions),
        "versions": found.versions,
        "smooth": plan.smooth and all(one.ok for one in conditions),
    }
    return plan.model_copy(update=more)


def _requiring(release: Release, keys: Collection[str]) -> Release:
    requires = {key: wanted for key, wanted in release.spec.requires.items() if key in keys}
    return release.model_copy(update={"spec": release.spec.model_copy(update={"requires": requires})})


def _unknown(release: Release, nodes: Sequence[str]) -> list[Condition]:
    """That some nodes' version of the release is not known, where the release says that it matters."""
    if not nodes or not (release.spec.upgrades_from or release.spec.rollback_to):
        return []
    asks = [key for key in ("upgrades_from", "rollback_to") if getattr(release.spec, key)]
    named = ", ".join(nodes[:SHOWN]) + (f" and {len(nodes) - SHOWN} more" if len(nodes) > SHOWN else "")
    runs = counted(len(nodes), "node runs", "nodes run")
    message = f"{OPEN} which version of {release.metadata.name} {runs} ({named}), and so {' and '.join(asks)}"
    layers = ", ".join(release.brings) or "its layers"
    remedy = f"give these nodes versions of {layers} in the inventory, or have a server plan it before it is approved"
    return [Condition(code=Code.PLN_FROM.value, ok=True, message=message, remedy=remedy)]


def _unjudged(requires: Sequence[str]) -> list[Condition]:
    if not requires:
        return []
    message = f"{OPEN} whether nodes have what is required: {', '.join(requires)}"
    remedy = "have a server plan it before it is approved: it asks the nodes"
    return [Condition(code=Code.PLN_REQUIRES.value, ok=True, message=message, remedy=remedy)]
