"""Probe: a small VM of our own boots on the upgraded node, is reached, and migrates away and back, before business lands there.

The node stays out of service meanwhile. What is made for it is on the break-glass sheet before it is made. The step is safe to
repeat: whatever an earlier run left is taken away first, and each try has a name of its own. Its undo takes all away.
"""

from __future__ import annotations

import hashlib

from escalator.cloud_manager.port import MoveOrder, MoveState, MoveStatus
from escalator.cloud_manager.probe_vms import DOOR_KIND, VM_KIND, ProbeState, ProbeVm
from escalator.model.codes import Code
from escalator.model.errors import PermanentError, TemporaryError
from escalator.model.inventory import Instance, Node
from escalator.model.progress import Restoration
from escalator.upgrade_manager.engine.context import Context, ProbeRules
from escalator.upgrade_manager.engine.job import Job
from escalator.upgrade_manager.engine.kinds import computes
from escalator.upgrade_manager.engine.named import perform
from escalator.upgrade_manager.engine.outcome import Outcome, done, failed
from escalator.upgrade_manager.engine.runner import Step
from escalator.upgrade_manager.engine.targets import has_room, upgraded_targets

KINDS = (VM_KIND, DOOR_KIND)
BOOTS = 3
"""Tries when the cloud finds no host: what keeps probes off a disabled node may have come back in the moment of choosing."""
TARGETS = 3
"""Nodes that are asked to take it; that all of them are short of room by chance is less likely than that it cannot leave."""
FIRST = "first_probed"
"""Memo of a campaign: its first wave of nodes with instances."""
NUMBER = "probe_vm"
"""Memo of a task: how many probes it has asked for."""


async def wanted(job: Job) -> bool:
    """Whether this node is to be proved by a probe: one is set up, instances run here, and the campaign wants it here."""
    if job.ctx.probe_vm is None or job.ref.back or job.release.spec.impact == "none" or not computes(job):
        return False
    return job.spec.node.probe_vm == "all" or await _goes_first(job)


async def _goes_first(job: Job) -> bool:
    """Whether it belongs to the groups that others wait for and that wait for none; without such groups, to the first wave.

    Only groups and waves with instances count: nodes of other roles mostly come before them, in groups and waves of their own.
    """
    nodes = job.inventory.node_by_id
    groups = {g.name: g for g in job.plan.groups if any(node in nodes and _carries(nodes[node]) for node in g.nodes)}
    awaited = {name for group in groups.values() for name in group.after if name in groups}
    if awaited:
        return any(job.node in groups[name].nodes and not groups.keys() & set(groups[name].after) for name in awaited)
    waves = [upgrade.wave for upgrade in job.plan.upgrades if _carries(nodes[upgrade.node])]
    # Of the plan by which the first of them begins: a later plan does not hold those that are through any more.
    first = await job.ctx.store.tasks.remember(job.ref.campaign, FIRST, min(waves, default=1), once=True)
    return bool(job.ref.wave == first)


def _carries(node: Node) -> bool:
    return "compute" in node.roles


async def is_back(ctx: Context, row: Restoration) -> bool:
    """Whether what was changed for a probe is as it was, by whoever's hand."""
    if row.kind == VM_KIND:
        return await ctx.cloud.probe_vms.find(row.object_id) is None
    shut = await ctx.cloud.probe_vms.door(row.node) is not None
    return shut or (await ctx.cloud.service(row.node)).enabled


async def _do(job: Job) -> Outcome:
    await _take_away(job)
    rules = job.ctx.probe_vm
    if rules is None:
        return done("no probe VM is set up any more")
    size = await job.ctx.cloud.probe_vms.size()
    shape = Instance(id="probe", project="", node=job.node, demand=dict(size))
    if not await has_room(job, shape):
        return done("not probed: beside what runs on the node there is no room for a probe VM")
    outcome = await _prove(job, rules, shape)
    await _take_away(job)
    return outcome


async def _prove(job: Job, rules: ProbeRules, shape: Instance) -> Outcome:
    name, probe = await _boot(job, rules)
    if probe.state is not ProbeState.ACTIVE:
        code = Code.CLD_NO_VALID_HOST if probe.no_host else Code.CLD_PROBE_BOOT
        return failed(code, f"the probe VM did not boot on the node: {probe.message}")
    if probe.at != job.node:
        return failed(Code.CLD_PROBE_BOOT, f"the probe VM was booted on {probe.at}, not on the node")
    await _reach(job, rules, name)
    moved = await _there_and_back(job, rules, probe.id, shape)
    if isinstance(moved, Outcome):
        return moved
    if not moved:
        return done("a probe VM booted; no upgraded node has room for it to migrate to")
    await _reach(job, rules, name)
    return done(f"a probe VM booted, migrated to {moved} and back")


async def _boot(job: Job, rules: ProbeRules) -> tuple[str, ProbeVm]:
    """Boot a probe, and see how that ends: its name, and the probe then."""
    vms = job.ctx.cloud.probe_vms
    for number in range(1, BOOTS + 1):
        name = await _next_name(job)
        await job.will_change(VM_KIND, name, {})
        door = await vms.door(job.node)
        if door is not None:
            await job.will_change(DOOR_KIND, job.node, door)
            await vms.open_door(job.node)
        await vms.boot(name, job.node)
        probe = await _booted(job, rules, name)
        if not probe.no_host or number == BOOTS:
            break
        await _take_away(job)
    return name, probe


async def _next_name(job: Job) -> str:
    """A name that was never given before. It tells nothing of the campaign to who may not know of it."""
    number = int((await job.memo()).get(NUMBER) or 0) + 1
    await job.remember(NUMBER, number)
    return f"escalator-probe-{hashlib.sha256(job.operation(f'probe-{number}').encode()).hexdigest()[:16]}"


async def _booted(job: Job, rules: ProbeRules, name: str) -> ProbeVm:
    """See the boot to its end. The door is shut as soon as the cloud has chosen the probe's place."""
    began = job.ctx.clock.now()
    while True:
        probe = await job.ctx.cloud.probe_vms.find(name)
        if probe is None:
            await _shut(job)
            return ProbeVm("", ProbeState.FAILED, None, message="it vanished")
        if probe.at is not None or probe.state is not ProbeState.BUILDING:
            await _shut(job)
        if probe.state is not ProbeState.BUILDING:
            return probe
        if job.ctx.clock.now() - began > rules.timeout_s:
            return ProbeVm(probe.id, ProbeState.FAILED, probe.at, message=f"it does not run after {rules.timeout_s:g} s")
        await job.ctx.clock.sleep(job.ctx.pace.poll_s)


async def _reach(job: Job, rules: ProbeRules, name: str) -> None:
    """Run the operator's command until it reaches the guest, which takes its time to boot. Raises what its last run raises."""
    if rules.command is None:
        return
    began = job.ctx.clock.now()
    while True:
        probe = await job.ctx.cloud.probe_vms.find(name)
        address = probe.address if probe is not None else None
        if address is None:
            raise PermanentError(Code.CLD_PROBE_BOOT, "The probe VM has no address that it could be reached by.")
        try:
            await perform(job, "probe", rules.command, address=address)
        except TemporaryError as error:
            if job.ctx.clock.now() - began > rules.timeout_s:
                raise PermanentError(error.code, error.message) from error
        else:
            return
        await job.ctx.clock.sleep(job.ctx.pace.poll_s)


async def _there_and_back(job: Job, rules: ProbeRules, probe: str, shape: Instance) -> str | Outcome:
    """The node that it went to and came back from; empty when there is none to go to; a failure when it did not get through."""
    targets = (await upgraded_targets(job, shape))[:TARGETS]
    why = ""
    for target in targets:
        try:
            await job.ctx.cloud.probe_vms.start_move(MoveOrder(probe, job.node, target, "live"))
        except PermanentError as error:
            why = error.message
            continue
        why = await _arrived(job, rules, MoveOrder(probe, job.node, target, "live"))
        if why:
            return failed(Code.UPG_PROBE_MOVE, f"the probe VM did not migrate to {target}: {why}")
        back = MoveOrder(probe, target, job.node, "live")
        try:
            await job.ctx.cloud.probe_vms.start_move(back)
        except PermanentError as error:
            why = error.message
        why = why or await _arrived(job, rules, back)
        return failed(Code.UPG_PROBE_MOVE, f"the probe VM did not migrate back from {target}: {why}") if why else target
    return failed(Code.UPG_PROBE_MOVE, f"the probe VM did not migrate to {targets[-1]}: {why}") if targets else ""


async def _arrived(job: Job, rules: ProbeRules, order: MoveOrder) -> str:
    """See the migration to its end; why it did not arrive, empty when it did."""
    began = job.ctx.clock.now()
    while (status := await job.ctx.cloud.move_status(order)).state is MoveState.RUNNING:
        if job.ctx.clock.now() - began > rules.timeout_s:
            return f"it has not ended after {rules.timeout_s:g} s"
        await job.ctx.clock.sleep(job.ctx.pace.poll_s)
    return _trouble(status)


def _trouble(status: MoveStatus) -> str:
    if status.state is MoveState.DONE and status.healthy:
        return ""
    return status.why


async def _shut(job: Job) -> None:
    for row in await job.changes(DOOR_KIND):
        await job.ctx.cloud.probe_vms.shut_door(job.node)
        await job.put_back(row)


async def _take_away(job: Job) -> None:
    """Shut the door and delete every probe of this campaign's turns at the node; the step's time-out bounds the wait."""
    await _shut(job)
    for row in await job.changes(VM_KIND):
        await job.ctx.cloud.probe_vms.delete(row.object_id)
        while await job.ctx.cloud.probe_vms.find(row.object_id) is not None:
            await job.ctx.clock.sleep(job.ctx.pace.poll_s)
        await job.put_back(row)


async def _undo(job: Job) -> Outcome:
    await _take_away(job)
    return done("no probe VM is left")


PROBE = Step(name="probe", do=_do, undo=_undo, timeout_s=lambda spec: spec.node.timeouts.verify_s, abortable=False)
