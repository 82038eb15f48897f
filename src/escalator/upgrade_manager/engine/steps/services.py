"""Services and agents of a node, before its upgrade and after it: what ran has to run, unless it is to go."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from escalator.cloud_manager.agents import Agent
from escalator.upgrade_manager.engine.job import Job
from escalator.upgrade_manager.engine.kinds import computes
from escalator.upgrade_manager.planner.scope import OURS

AGENTS = "agents"
"""Memo of a task: the cloud's services and agents on the node before its software changed."""
PATIENCE_S = 180.0
"""How long they may take to run: agents of Neutron report every 30 s, and are given up after 75 s of silence, by default."""


async def note_agents(job: Job) -> None:
    """Write down which of the cloud's services and agents run on the node. Its units stand among its facts.

    Of a node that runs no instances the cloud tells nothing: it has no compute service there to ask about.
    """
    found = await job.ctx.cloud.agents.on(job.node) if computes(job) else ()
    await job.remember(AGENTS, [agent.to_json() for agent in found], once=True)


async def services_gone(job: Job, memo: Mapping[str, Any], *, disabled: bool = True) -> list[str]:
    """What ran before and does not after some patience, one line each. Raises what the cloud and the node raise.

    Whether what somebody `disabled` meanwhile counts as gone is the caller's to say.
    """
    began = job.ctx.clock.now()
    while gone := await _gone(job, memo, disabled=disabled):
        if job.ctx.clock.now() - began > PATIENCE_S:
            break
        await job.ctx.clock.sleep(job.ctx.pace.next_poll_s(job.ctx.clock.now() - began))
    return gone


async def _gone(job: Job, memo: Mapping[str, Any], *, disabled: bool) -> list[str]:
    known = memo.get(AGENTS) or ()
    now = {agent.name: agent for agent in await job.ctx.cloud.agents.on(job.node)} if known else {}
    found = []
    for before in known:
        name = str(before["name"])
        agent = now.get(name)
        if not before["up"] or _may_go(job, name):
            continue
        if agent is None:
            found.append(f"the cloud knows no {name} here any more")
        elif not agent.up:
            found.append(f"{name} does not report to the cloud")
        elif disabled and not agent.enabled and not _ours(agent) and (before["enabled"] or agent.reason != before["reason"]):
            found.append(f"{name} was disabled meanwhile: {agent.reason or 'no reason given'}")
    units = set((await job.system.inspect(job.node, job.release)).units)
    passing = memo["facts"].get("passing") or ()
    before_units = [unit for unit in memo["facts"].get("units") or () if unit not in passing]
    return found + [f"unit {unit} does not run" for unit in before_units if unit not in units and not _may_go(job, unit)]


def _ours(agent: Agent) -> bool:
    """Whether it is disabled because its node has its turn: on the way back the reason is another one than on the way there."""
    return agent.reason is not None and agent.reason.startswith(OURS)


def _may_go(job: Job, name: str) -> bool:
    named = (*job.release.spec.units_gone, *job.spec.node.units_gone)
    return any(name == pattern or fnmatchcase(name, pattern) for pattern in named)
