"""What the nodes run, gathered for the check whether a release goes upon it; and the check itself, at plan and at start."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.errors import ConditionsError, EscalatorError
from escalator.model.inventory import Inventory, Node
from escalator.model.plan import Plan
from escalator.model.release import Release
from escalator.model.requires import RELEASE
from escalator.model.version_ranges import Version
from escalator.system_support.port import NodeFacts, SystemSupport
from escalator.upgrade_manager.engine.brought import AT_ONCE, by_campaigns
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.planner.fitting import Fit, Runs, fit, present
from escalator.upgrade_manager.planner.scope import select


async def imported(ctx: Context) -> list[Release]:
    """Every imported release."""
    return [Release.model_validate_json(json.dumps(row.document)) for row in await ctx.store.releases.list()]


async def fitting(ctx: Context, campaign: Campaign, inventory: Inventory, plan: Plan | None = None) -> Fit | None:
    """The check of the campaign's release against the nodes that it would be installed on; None without a release.

    Nodes that have no turn in the plan are counted apart.
    """
    if campaign.spec.release is None:
        return None
    release = await ctx.book.release(campaign.spec.release)
    known = await imported(ctx)
    nodes = select(campaign, inventory).eligible
    system = ctx.systems.get(campaign.spec.node.driver)
    # Looking costs a connection to each node: only for who declares something that depends on it.
    looked = _looked_for(release, known) if system is not None and _declares(release) else ()
    gate = asyncio.Semaphore(AT_ONCE)
    brought = await by_campaigns(ctx)

    async def runs(node: Node) -> Runs:
        async with gate:
            facts = [] if system is None else await _facts(system, node.id, looked)
        return _runs(node, facts, looked, {name: one.version for name, one in brought.get(node.id, {}).items()})

    turns = None if plan is None else plan.upgrade_of.keys()
    return fit(release, await asyncio.gather(*map(runs, nodes)), known, campaign.spec.backup.scope, turns)


async def fitted(ctx: Context, campaign: Campaign, inventory: Inventory, plan: Plan) -> Plan:
    """The plan with what was found; not smooth when the release does not go upon what nodes run."""
    found = await fitting(ctx, campaign, inventory, plan)
    if found is None:
        return plan
    more = {"conditions": (*plan.conditions, *found.conditions), "versions": found.versions, "smooth": plan.smooth and found.ok}
    return plan.model_copy(update=more).sealed(plan.id, plan.parent)


async def require_fit(ctx: Context, campaign: Campaign, inventory: Inventory) -> None:
    """Raise ConditionsError when the release does not go upon what the nodes run now, whatever the plan saw."""
    found = await fitting(ctx, campaign, inventory)
    bad = [] if found is None else [condition for condition in found.conditions if not condition.ok]
    if bad:
        remedy = "; ".join(condition.remedy for condition in bad)
        raise ConditionsError(Code(bad[0].code), f"{'; '.join(c.message for c in bad)}.", remedy=remedy)


async def came_from(ctx: Context, node: Node, release: Release, facts: NodeFacts) -> str | None:
    """The version of the release that the node runs before it is changed; `none` for none, null when it is not known."""
    known = [other for other in await imported(ctx) if other.id != release.id] + [release]
    before = present(release.metadata.name, _runs(node, [facts], [release], {}), known)
    return str(before) if before.known else None


def _declares(release: Release) -> bool:
    spec = release.spec
    return bool(spec.upgrades_from or spec.rollback_to or spec.requires)


def _looked_for(release: Release, known: Sequence[Release]) -> list[Release]:
    """The release, and the latest of each other one that it requires."""
    names = [key.removeprefix(RELEASE) for key in release.spec.requires if key.startswith(RELEASE)]
    latest = {r.metadata.name: r for r in sorted(known, key=lambda r: Version(r.spec.version))}
    return [release, *(latest[name] for name in names if name in latest)]


async def _facts(system: SystemSupport, node: str, releases: Sequence[Release]) -> list[NodeFacts]:
    try:
        return [await system.inspect(node, release) for release in releases]
    except EscalatorError:
        return []  # what is not known is said in the plan


def _runs(node: Node, facts: Sequence[NodeFacts], looked: Sequence[Release], brought: Mapping[str, str]) -> Runs:
    asked = frozenset(pin.name for release in looked for pin in release.spec.packages)
    packages = {name: version for found in facts for name, version in found.packages.items()}
    seen = next((f for f in facts if f.boot_id), None)
    return Runs(
        node=node.id,
        layers=dict(node.versions),
        os=seen.os if seen else "",
        arch=seen.arch if seen else "",
        packages=packages,
        asked=asked if seen else frozenset(),
        releases=brought,
    )
