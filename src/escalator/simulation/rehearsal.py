"""Rehearsal: a campaign on a simulated copy of an inventory, with the code that runs in production, in virtual time.

Each run draws durations and faults by its own seed. What a plan cannot tell comes out of many of them: how long it takes
when things go wrong, who is hit and for how long, and whether everything is in service at the end.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from concurrent.futures import Executor, Future
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

from escalator.model.campaign import Campaign, CampaignSpec
from escalator.model.counting import counted
from escalator.model.errors import ConditionsError
from escalator.model.inventory import Inventory
from escalator.model.progress import CampaignState, TaskKind, TaskState
from escalator.simulation.setup import RELEASE, Simulation, import_release, simulate
from escalator.storage.memory import memory_store
from escalator.upgrade_manager.copies import presumed_vnfms
from escalator.upgrade_manager.engine.context import Pace, ProbeRules
from escalator.upgrade_manager.engine.proof import prove
from escalator.upgrade_manager.engine.runtimes import virtual_time
from escalator.upgrade_manager.engine.runtimes.memory import Journal
from escalator.upgrade_manager.planner.make import BEGINNING
from escalator.upgrade_manager.planner.nights import assumed_start_s, openings
from escalator.upgrade_manager.planner.presumed import unconsented
from escalator.upgrade_manager.service import CampaignView
from escalator.world.records import VnfmRow
from escalator.world.rules import FaultsSpec
from escalator.world.timings import Timings, draw
from escalator.world.world import World

RESTING = (
    CampaignState.COMPLETED,
    CampaignState.ABORTED,
    CampaignState.PAUSED,
    CampaignState.SUSPENDED,
    CampaignState.ROLLED_BACK,
    CampaignState.ROLLBACK_PAUSED,
    CampaignState.ROLLBACK_FAILED,
)
LOOK_S = 60.0
"""Between two looks at the campaign: so late the person comes at most who resumes it."""
PATIENCE = 20.0
"""A campaign that takes this many times longer than planned, nights not counted, will not end any more."""
NIGHTS_S = 400 * 86400.0
PACE = Pace(asleep_s=NIGHTS_S)
"""No wake-up is lost in one process: days between windows cost nothing."""
NAMED = 3
"""How many nodes are named that a run waits for."""
REBOOT_SHARE = 0.25
"""Share of a node's upgrade that its reboot is taken to be."""
PROGRESS = 4
"""Place among the arguments of `verified_plan` of how far the campaign is."""
SPARE = 1
"""Instances that a VNF manager gives up each time that it is asked to scale in, of those that their groups can do without."""
JITTER = 0.2
"""Share by which durations differ where the fault file says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One run."""

    state: str
    reason: str
    duration_s: float
    upgraded: int
    rolled_back: int
    failed: int
    skipped: int
    moves: int
    windows: tuple[int, ...]
    """Nodes upgraded in each window."""
    interruptions: Mapping[str, float]
    """Seconds that each instance was impacted."""
    groups: Mapping[str, float]
    """Seconds that at least one member of each group was impacted."""
    violations: tuple[str, ...]
    causes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Why nodes are not upgraded in a run that is over, with what became of them, and which nodes."""
    accepted: str = ""
    """Failing conditions of the plan that the run began with all the same: an outage, or room that VNF managers make."""


@dataclass
class Planners(Executor):
    """Plans the same cloud once for all runs: every run begins on the same copy."""

    known: dict[str, Any] = field(default_factory=dict)

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401 - the base's form
        """Call it now, or give what the same cloud gave before. An error is raised here: who calls, waits for the result."""
        future: Future[Any] = Future()
        if args[PROGRESS] is not BEGINNING or not isinstance(args[1], Inventory):
            # The rest of a campaign is another one each time.
            future.set_result(fn(*args, **kwargs))
            return future
        key = args[1].model_dump_json()
        if key not in self.known:
            self.known[key] = fn(*args, **kwargs)
        future.set_result(self.known[key])
        return future


def rehearse(
    inventory: Inventory,
    campaign: Campaign,
    faults: FaultsSpec,
    seed: int,
    planners: Executor,
    start_s: float | None = None,
) -> Outcome:
    """One run. The same seed gives the same run.

    The campaign is started at `start_s` (Unix seconds); without it, when a plan from files takes it to be: at its
    `not_before`, else on a Monday. The nights are those of that plan.
    """
    return virtual_time.run(_run(inventory, campaign, faults, seed, planners, beginning(campaign.spec, start_s)))


def beginning(spec: CampaignSpec, start_s: float | None) -> float:
    """When virtual time begins for a campaign that is started then: as its first window opens, since all before it is waiting."""
    start_s = assumed_start_s(spec, start_s)
    return next((opens for opens, _ in openings(spec, start_s)), start_s)


async def _run(
    inventory: Inventory, campaign: Campaign, faults: FaultsSpec, seed: int, planners: Executor, begins_s: float
) -> Outcome:
    clock = virtual_time.VirtualClock(begins_s)
    world = World.in_memory(clock, _timings(campaign, faults, seed), balances=True)
    vnfms = _vnfms(inventory, faults, seed)
    if campaign.spec.workloads.scale_in == "ask":
        vnfms = [replace(row, spare=SPARE) for row in vnfms]
    # No campaign starts while they do not answer: those that fail are gone right after.
    world.load(inventory, [replace(row, behaviour="moves") if row.behaviour == "unreachable" else row for row in vnfms])
    world.faults.add(*faults.faults)
    store, journal = memory_store(), Journal()
    name = campaign.metadata.name
    probe_vm = ProbeRules() if campaign.spec.node.probe_vm == "all" else None
    simulated = partial(simulate, world, clock, store=store, journal=journal, pace=PACE, planners=planners, probe_vm=probe_vm)
    async with AsyncExitStack() as stack:
        made = await stack.enter_async_context(simulated())
        await import_release(store, RELEASE, clock.now())
        await made.campaigns.create(_document(campaign))
        plan = await made.campaigns.plan(name)
        failing = [condition.message for condition in plan.conditions if not condition.ok]
        if unsaid := unconsented(campaign, inventory):
            return _outcome_of_nothing("; ".join([*unsaid[:NAMED], *failing]))
        began = clock.now()
        try:
            # Nothing is at stake: an outage is accepted that the document's mode asks for, and VNF managers scale in.
            await made.campaigns.start(name, accept_outage=True)
        except ConditionsError:
            if plan.smooth:
                raise
            return _outcome_of_nothing("; ".join(failing))
        for row in vnfms:
            world.vnfms.behave(row.name, row.behaviour)
        moments = sorted(plan.totals.makespan_s * draw(seed, "kill", n) for n in range(faults.kills))
        # Nodes that get room, or an outage, only now are in no plan yet.
        later_s = campaign.spec.estimates.upgrade_s * len(plan.totals.not_upgraded) if failing else 0.0
        latest = began + (plan.totals.makespan_s + later_s) * PATIENCE + (NIGHTS_S if campaign.spec.windows else 0.0)
        while clock.now() < latest:
            if await _resumed(made, name, faults.resume_s):
                continue
            state, there = await made.store.campaigns.state(name), await _there(made, name)
            running = TaskState.RUNNING in there
            opens = next((opens for opens, _ in openings(campaign.spec, clock.now())), None)
            over = opens is None and state is CampaignState.RUNNING and TaskState.PENDING in there
            if not running and (state in RESTING or over):
                break
            if moments and clock.now() - began >= moments[0]:
                moments.pop(0)
                await stack.aclose()
                made = await stack.enter_async_context(simulated())
            # Nobody has anything to look at while no window is open.
            await clock.sleep(LOOK_S if running or opens is None else max(LOOK_S, opens - clock.now()))
        return replace(await _outcome(made, campaign, inventory, began), accepted="; ".join(failing))


async def _resumed(made: Simulation, name: str, after_s: float | None) -> bool:
    """Let a person resume a campaign that is suspended, where there is one; whether it goes on."""
    if after_s is None or await made.store.campaigns.state(name) is not CampaignState.SUSPENDED:
        return False
    view = await made.campaigns.show(name)
    await made.ctx.clock.sleep(after_s)
    await made.campaigns.resume(name)
    # A campaign that has no node left that could go is suspended again at once.
    await made.ctx.clock.sleep(LOOK_S)
    again = await made.campaigns.show(name)
    busy = any(task.state is TaskState.RUNNING for task in again.tasks)
    return busy or again.row.state is not CampaignState.SUSPENDED or again.done > view.done


async def _there(made: Simulation, name: str) -> AbstractSet[TaskState]:
    """The states that nodes of the campaign are in."""
    return {task.state for task in await made.store.tasks.list(name, ladders=False)}


async def _why(made: Simulation, view: CampaignView) -> str:
    """What a run waits for that does not end: its reason, else what its open nodes or the campaign said last."""
    still = [task for task in view.tasks if task.state in (TaskState.RUNNING, TaskState.PENDING)]
    said = [f"{task.node} {task.step or 'waits'}: {task.message}" for task in still if task.message][:NAMED]
    spec = (await made.ctx.book.campaign(view.row.name)).spec
    if not view.row.reason and next(openings(spec, made.ctx.clock.now()), None) is None:
        said.insert(0, "no maintenance window is left")
    elif not view.row.reason and not said:
        events = await made.store.events.read(0, campaign=view.row.name, limit=100_000)
        said = [event.message for event in events if event.action in ("campaign.waits", "campaign.trouble")][-1:]
    reason = "; ".join(filter(None, [view.row.reason, *said])) or "nothing says what it waits for"
    return f"given up with {len(still)} of {counted(view.total, 'node')} to go: {reason}"


def _timings(campaign: Campaign, faults: FaultsSpec, seed: int) -> Timings:
    estimates = campaign.spec.estimates
    # No hook is run: its time is one with the installer's.
    upgrade_s = estimates.upgrade_s + estimates.hooks_s
    rollback_s = upgrade_s if estimates.rollback_s is None else estimates.rollback_s
    return Timings(
        live_base_s=estimates.migration.base_s,
        live_s_per_gib=estimates.migration.s_per_gib,
        cold_s=estimates.cold_s,
        upgrade_s=estimates.upgrade_s * (1 - REBOOT_SHARE) + estimates.hooks_s,
        reboot_s=estimates.upgrade_s * REBOOT_SHARE,
        rollback_s=rollback_s,
        jitter=JITTER if faults.jitter is None else faults.jitter,
        seed=seed,
    )


def _vnfms(inventory: Inventory, faults: FaultsSpec, seed: int) -> list[VnfmRow]:
    """A VNF manager for each project that is presumed to have one, in the plan of the same files, too."""
    rows = []
    for row in presumed_vnfms(inventory):
        (project,) = row.projects
        for number, character in enumerate(faults.vnfms):
            if fnmatchcase(project, character.project) and draw(seed, "vnfm", project, number) < character.probability:
                rows.append(replace(row, behaviour=character.behaviour))
                break
        else:
            rows.append(row)
    return rows


def _document(campaign: Campaign) -> str:
    """The campaign on simulated nodes, with the release that these know."""
    document = json.loads(campaign.model_dump_json(by_alias=True, exclude_unset=True))
    document |= {"apiVersion": "escalator/v1", "kind": "Campaign"}
    document["spec"]["release"] = RELEASE.id
    document["spec"]["node"] = {**document["spec"].get("node", {}), "driver": "simulated"}
    return json.dumps(document)


def _outcome_of_nothing(why: str) -> Outcome:
    return Outcome(
        state="not smooth", reason=why, duration_s=0.0, upgraded=0, rolled_back=0, failed=0, skipped=0, moves=0,
        windows=(), interruptions={}, groups={}, violations=(),
    )  # fmt: skip


async def _outcome(made: Simulation, campaign: Campaign, inventory: Inventory, began: float) -> Outcome:
    name = campaign.metadata.name
    view = await made.campaigns.show(name)
    ended = view.row.ended_at or made.ctx.clock.now()
    count = Counter(task.state for task in view.tasks)
    upgraded = [t.updated_at for t in view.tasks if t.state is TaskState.DONE and t.kind is TaskKind.UPGRADE]
    interruptions, groups = _impacts(made.world, ended)
    resting = view.row.state in RESTING
    causes = _causes(view)
    proof = await prove(made.ctx, name)
    return Outcome(
        state=view.row.state.value if resting else "does not end",
        reason=_rest(view, causes) if resting else await _why(made, view),
        causes=causes,
        duration_s=round(ended - began, 3),
        upgraded=len(upgraded),
        rolled_back=count[TaskState.ROLLED_BACK] + count[TaskState.DONE] - len(upgraded),
        failed=count[TaskState.FAILED],
        skipped=count[TaskState.SKIPPED],
        moves=proof.moves,
        windows=_windows(campaign, began, upgraded),
        interruptions=interruptions,
        groups=groups,
        violations=(*await _violations(made, inventory), *[violation.message for violation in proof.violations]),
    )


def _causes(view: CampaignView) -> dict[str, tuple[str, ...]]:
    """Nodes that are not upgraded in a run that is over, by what became of them and why; alike are those that differ by name."""
    if view.row.state not in (CampaignState.COMPLETED, CampaignState.ABORTED):
        return {}
    found: defaultdict[str, list[str]] = defaultdict(list)
    for task in view.tasks:
        if task.state is not TaskState.DONE:
            found[f"{task.state.value}: {task.message.replace(task.node, 'the node')}"].append(task.node)
    return {cause: tuple(sorted(nodes)) for cause, nodes in sorted(found.items())}


def _rest(view: CampaignView, causes: Mapping[str, tuple[str, ...]]) -> str:
    """The reason of a run without what is said of single nodes, where their causes tell it."""
    reason = view.row.reason
    for task in view.tasks if causes else ():
        reason = reason.replace(f"{task.node} {task.state.value}: {task.message}", "")
    return "; ".join(filter(None, (part.strip() for part in reason.split("; "))))


def _said_of_causes(outcomes: list[Outcome]) -> list[str]:
    """Each cause once, over all runs: most nodes first."""
    nodes: defaultdict[str, set[str]] = defaultdict(set)
    runs: Counter[str] = Counter()
    for outcome in outcomes:
        runs.update(outcome.causes.keys())
        for cause, here in outcome.causes.items():
            nodes[cause].update(here)
    lines = []
    for cause in sorted(nodes, key=lambda one: (-len(nodes[one]), one)):
        names = sorted(nodes[cause])
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        many = counted(len(names), "node")
        lines.append(f"{many} ({', '.join(names[:NAMED])}{more}), in {runs[cause]} of {counted(len(outcomes), 'run')}, {cause}")
    return lines


def _windows(campaign: Campaign, began: float, ends: list[float]) -> tuple[int, ...]:
    """Nodes that came back in each window; one number without windows."""
    left, found = sorted(ends), []
    for _, closes in openings(campaign.spec, began):
        inside = sum(end <= closes for end in left)
        found.append(inside)
        left = left[inside:]
        if not left:
            break
    return tuple(found)


def _impacts(world: World, until: float) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds of impact per instance, and seconds with at least one member impacted per group."""
    total: defaultdict[str, float] = defaultdict(float)
    since: dict[str, float] = {}
    active: defaultdict[str, set[str]] = defaultdict(set)
    group_since: dict[str, float] = {}
    group_total: defaultdict[str, float] = defaultdict(float)
    for entry in world.audit.history("impact-start", "impact-end"):
        instance, begins = entry.instance or "", entry.what == "impact-start"
        if begins:
            since.setdefault(instance, entry.at)
        elif instance in since:
            total[instance] += entry.at - since.pop(instance)
        for group in filter(None, entry.detail.split(",")):
            if begins and not active[group]:
                group_since[group] = entry.at
            active[group].add(instance) if begins else active[group].discard(instance)
            if not begins and not active[group] and group in group_since:
                group_total[group] += entry.at - group_since.pop(group)
    for instance, at in since.items():
        total[instance] += until - at
    for group, at in group_since.items():
        group_total[group] += until - at
    return dict(total), dict(group_total)


async def _violations(made: Simulation, inventory: Inventory) -> list[str]:
    """What must not have happened, by the world's own word."""
    found = [f"{incident.what}: {incident.message}" for incident in made.world.audit.incidents]
    peaks = made.world.audit.group_peaks()
    for group in inventory.groups:
        limit = group.limit(len(inventory.members.get(group.id, ())))
        if peaks.get(group.id, 0) > limit:
            found.append(f"group {group.id}: {peaks[group.id]} impacted at once, the limit is {limit}")
    reported = {row.node for row in await made.store.restorations.open()}
    was_out = {node.id for node in inventory.nodes if node.maintenance or node.state == "down"}
    now_out = {node.id for node in made.world.inventory().nodes if node.maintenance}
    found += [f"node {node} is left in maintenance and not reported" for node in sorted(now_out - was_out - reported)]
    return found


def summary(outcomes: list[Outcome]) -> dict[str, Any]:
    """Many runs in numbers."""
    over = [seconds for outcome in outcomes for seconds in outcome.interruptions.values()]
    worst: Counter[str] = Counter()
    for outcome in outcomes:
        for group, seconds in outcome.groups.items():
            worst[group] = max(worst[group], round(seconds))
    nights = max((len(outcome.windows) for outcome in outcomes), default=0)
    return {
        "runs": len(outcomes),
        "completed": sum(o.state == "completed" and o.upgraded > 0 for o in outcomes),
        "states": dict(Counter(outcome.state for outcome in outcomes)),
        "whole": sum(o.state == "completed" and not (o.skipped or o.failed or o.rolled_back) for o in outcomes),
        "accepted": sorted({outcome.accepted for outcome in outcomes if outcome.accepted})[:10],
        "reasons": [*sorted({outcome.reason for outcome in outcomes if outcome.reason}), *_said_of_causes(outcomes)][:10],
        "duration_s": _spread([o.duration_s for o in outcomes]),
        "nodes": {
            word: _spread([getattr(o, word) for o in outcomes]) for word in ("upgraded", "rolled_back", "failed", "skipped")
        },
        "nodes_per_window": [_spread([o.windows[n] if n < len(o.windows) else 0 for o in outcomes]) for n in range(nights)],
        "moves": _spread([o.moves for o in outcomes]),
        "interruption_s": _spread(over),
        "groups_hit_longest_s": dict(worst.most_common(10)),
        "violations": sorted({violation for outcome in outcomes for violation in outcome.violations})[:50],
    }


def _spread(values: list[float]) -> dict[str, float]:
    """P50, P90 and the largest; nothing but zeros for no values."""
    row = sorted(values)
    if not row:
        return {"p50": 0.0, "p90": 0.0, "max": 0.0}
    return {
        word: round(row[min(len(row) - 1, int(share * len(row)))], 3)
        for word, share in (("p50", 0.5), ("p90", 0.9), ("max", 1.0))
    }
