"""The demo: a whole campaign on a simulated cloud, in virtual time, in this process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from escalator.model.notice import NoticeState, NoticeType
from escalator.model.plan import Plan
from escalator.model.progress import NodeTask, TaskState, counts_of
from escalator.simulation.setup import RELEASE, Simulation, import_release, simulate
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.states import ENDED
from escalator.world.timings import Timings
from escalator.world.world import World

NAME = "demo"
FRAMES = 240
"""How often the view is offered over the whole campaign."""
PATIENCE = 20
"""A campaign that takes this many times longer than planned will not end any more."""
Watch = Callable[[Mapping[str, Any], float], None]
"""Called with the campaign's view (plain data) and the virtual time, Unix seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoReport:
    """The demo in numbers. `violations` counts what the simulated world saw that must not happen."""

    state: str
    nodes: int
    upgraded: int
    instances: int
    moves: int
    notices: int
    answered: int
    violations: int
    makespan_s: float
    most_unavailable: int


def run_demo(nodes: int, seed: int, watch: Watch | None = None) -> DemoReport:
    """Upgrade a simulated cloud of that many nodes. The same numbers give the same campaign."""
    return virtual_time.run(_demo(nodes, seed, watch or (lambda _view, _now: None)))


async def _demo(nodes: int, seed: int, watch: Watch) -> DemoReport:
    clock = virtual_time.VirtualClock()
    world = World.in_memory(clock, Timings(jitter=0.15, seed=seed))
    world.seed(nodes=nodes, seed=seed)
    instances = len(world.inventory().instances)
    async with simulate(world, clock) as simulation:
        await import_release(simulation.store, RELEASE, clock.now())
        await simulation.campaigns.create(json.dumps(_document()))
        plan = await simulation.campaigns.plan(NAME)
        await simulation.campaigns.start(NAME)
        await _follow(simulation, plan, watch)
        return await _report(simulation, instances)


def _document() -> dict[str, Any]:
    return {
        "apiVersion": "escalator/v1",
        "kind": "Campaign",
        "metadata": {"name": NAME},
        "spec": {
            "release": RELEASE.id,
            "mode": "smooth",
            "scope": {"select": {"role": "compute"}},
            "waves": {"max_unavailable": "15%"},
            "node": {"driver": "simulated"},
        },
    }


async def _follow(simulation: Simulation, plan: Plan, watch: Watch) -> None:
    frame_s = max(plan.totals.makespan_s / FRAMES, 1.0)
    clock = simulation.ctx.clock
    end = asyncio.ensure_future(simulation.engine.result(f"campaign/{NAME}"))
    latest = clock.now() + plan.totals.makespan_s * PATIENCE
    while not end.done() and clock.now() < latest:
        await clock.sleep(frame_s)
        watch(await _view(simulation), clock.now())
        if (await simulation.campaigns.show(NAME)).row.state.value in ("paused", "suspended"):
            break
    end.cancel()
    await asyncio.gather(end, return_exceptions=True)
    watch(await _view(simulation), clock.now())


async def _view(simulation: Simulation) -> dict[str, Any]:
    view = await simulation.campaigns.show(NAME)
    counts = counts_of(view.row.state, view.tasks)
    waiting = [n for n in await simulation.store.notices.list(NAME, 50) if n.state is NoticeState.DELIVERED and n.reply_by]
    return {
        "name": NAME,
        "state": view.row.state.value,
        "release": RELEASE.id,
        "plan": view.row.plan,
        "code": view.row.code,
        "reason": view.row.reason,
        "eta_s": view.eta_s,
        "progress": {**asdict(counts), "ended": counts.ended, "percent": counts.percent},
        "tasks": [_task(task) for task in view.tasks],
        "waiting": [
            {"vnfm": n.vnfm, "node": n.node, "since": n.created_at, "reply_by": n.reply_by, "delivered": True} for n in waiting
        ],
    }


def _task(task: NodeTask) -> dict[str, Any]:
    rungs = [{"rung": c.rung.value, "status": c.status, "since": c.since, "message": c.message} for c in task.ladder]
    return {
        "node": task.node,
        "wave": task.wave,
        "tries": task.attempt,
        "state": task.state.value,
        "step": task.step if task.state not in ENDED else "",
        "ladder": rungs,
        "code": task.code,
        "message": task.message,
        "updated_at": task.updated_at,
    }


async def _report(simulation: Simulation, instances: int) -> DemoReport:
    view = await simulation.campaigns.show(NAME)
    notices = await simulation.store.notices.list(NAME, 1_000_000)
    asked = [n for n in notices if n.type is NoticeType.HOST_MAINTENANCE_UPCOMING]
    moved = [r for r in await simulation.store.admission.impacts(NAME) if r.target is not None]
    world = simulation.world
    began, ended = view.row.started_at or 0.0, view.row.ended_at or simulation.ctx.clock.now()
    return DemoReport(
        state=view.row.state.value,
        nodes=view.total,
        upgraded=sum(task.state is TaskState.DONE for task in view.tasks),
        instances=instances,
        moves=len(moved),
        notices=len(notices),
        answered=sum(n.state is NoticeState.ANSWERED for n in asked),
        violations=len(world.audit.incidents),
        makespan_s=round(ended - began, 3),
        most_unavailable=world.audit.most_unavailable(),
    )
