"""What a node that went back is compared with: what it was before its upgrade, less what others have taken away since.

Days may lie between an upgrade and its way back. When the upgrade was proved, everything of before was there at its end: what
is missing when the way back begins was taken away by somebody else, and is not asked for. When it was not proved, what is
missing may be the upgrade's doing, and has to be there again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from escalator.upgrade_manager.engine.job import Job
from escalator.upgrade_manager.engine.kinds import computes, node_now
from escalator.upgrade_manager.engine.steps.services import AGENTS

PROVED = "proved"
"""Memo of a turn: its upgrade was verified, with everything that there was before."""
FOUND = "back_found"
"""Memo of the same turn: what the node was like when the way back first touched it."""
LISTS = ("traits", "physnets", "aggregates")


async def note_found(job: Job, first: str) -> None:
    """Write down what the node is like before anything of it is put back; a way back that is tried again keeps the first.

    `first`: the turn that knows what the node was like before its upgrade.
    """
    if FOUND in await job.ctx.store.tasks.memo(first):
        return
    facts = await job.system.inspect(job.node, job.release)
    agents = await job.ctx.cloud.agents.on(job.node) if computes(job) else ()
    found = {
        "facts": facts.to_json(),
        "offered": (await node_now(job)).model_dump(mode="json"),
        AGENTS: [agent.to_json() for agent in agents],
    }
    await job.ctx.store.tasks.remember(first, FOUND, found, once=True)


def expected(before: Mapping[str, Any]) -> Mapping[str, Any]:
    """What has to be there after the way back, in the form of the memo of the turn that knows what was `before`."""
    found = before.get(FOUND)
    if not before.get(PROVED) or found is None:
        return before
    facts = {
        **before["facts"],
        "offers": _least(before["facts"]["offers"], found["facts"]["offers"]),
        "units": [unit for unit in before["facts"].get("units") or () if unit in found["facts"]["units"]],
    }
    offered = {**before["offered"], "numa": _least_of(before["offered"]["numa"], found["offered"]["numa"])}
    offered |= {what: [name for name in before["offered"][what] if name in found["offered"][what]] for what in LISTS}
    return {**before, "facts": facts, "offered": offered, AGENTS: _agents(before.get(AGENTS) or (), found[AGENTS])}


def _least(before: Mapping[str, float], found: Mapping[str, float]) -> dict[str, float]:
    return {name: min(amount, found.get(name, 0)) for name, amount in before.items()}


def _least_of(before: Sequence[Mapping[str, float]], found: Sequence[Mapping[str, float]]) -> list[dict[str, float]]:
    return [_least(old, now) for old, now in zip(before, found, strict=False)]


def _agents(before: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those that still reported when the way back began, each enabled or not as it was then."""
    now = {agent["name"]: agent for agent in found if agent["up"]}
    return [{**agent, **now[agent["name"]]} for agent in before if agent["up"] and agent["name"] in now]
