"""A simulated Escalator driven by lines of text, in virtual time; what it shows is the transcript.

Every line of a script is one command, `#` begins a comment. Commands:

    world nodes=6 seed=1          a new simulated cloud; fill=65 is the percentage of its CPUs in use; control=3, network=2 and
                                  storage=4 add nodes of those roles; probe=1 sets up a probe VM
    roles NODE ROLE...            what a node is from now on
    label NODE KEY VALUE          a label that a node carries from now on; `rack` is its rack
    elect NODE                    the node becomes the master of its control cluster
    flag NODE on|off              a person keeps a storage cluster from recovering while the node is away
    away SECONDS                  how long the cloud's API does not answer when a control node is changed
    clusters                      masters, what is active where, and what keeps storage from recovering
    expires SECONDS               the release is imported anew, with an end from then on
    vnfm NAME BEHAVIOUR           how a VNF manager behaves from now on
    unregister NAME               a person forgets a VNF manager: nobody speaks for its instances
    spare NAME COUNT              how many instances it gives up when it is asked for room
    scaled                        what VNF managers have given up and not made anew
    operation VNFM VNF SECONDS    a VNF manager is at work on one of its VNFs from now on, for that time
    orchestrator NAME             an orchestrator is registered
    told NAME                     what it, or a VNF manager, was told since this was asked last, in the order of its hearing
    fault kind=upgrade node=...   something goes wrong from now on; `faults none` ends all of it
    constraint KIND ID [key=value...]  what a VNF declares from now on; without values, nothing any more
    quota PROJECT CORES MIB INSTANCES  what a project may use from now on; without amounts, shown
    crash NODE [seconds]          a host fails on its own, and is back after that time
    remove_unit NODE              a person takes a service unit of the node away
    bring_back NODE ROUTER...     a person puts back what was active on a network node
    mend INSTANCE                 a person starts an instance past the manager, and sees it run
    disable NODE / enable NODE    somebody else takes a node out of service, or back
    disabled NODE REASON...       the cloud itself keeps a node out of service for a reason of its own
    release NAME/VERSION [key=value...]  a release is there; keys are paths under `spec`
    campaign NAME [key=value...]  create a campaign; keys are paths under `spec`
    plan NAME, start NAME [accept_drift] [accept_outage] [accept_no_return], pause, resume [accept_no_return], abort, show NAME
    stage NAME                    bring the release onto the nodes before their turns; what came of it is shown
    versions NAME                 what the campaign's plan says of each node's version
    backups [NODE], prune [KEEP_LAST]
    verify NODE, damage NODE, take_back NODE [accept_impact] [accept_cluster] [begin]  by its newest backup; `begin` ends at once
    retry NAME NODE, skip NAME NODE
    rollback NAME [accept_outage], restore NAME, commit NAME    the way back, by force, or given up
    preview NAME                  the plan that a rollback would go by now
    runs NODE...                  what these nodes run, and how many backups there are of them
    gate NAME go|not-yet|no [WORDS...]   what a gate says from now on; approve NAME GATE [REASON...]
    lock KEY SITE SECONDS         another site asks the lock service for a key; steal: it gets it in any case
    freeze [REASON...], unfreeze  nothing begins in any campaign, until it may again
    hold NODE [REASON...], unhold NODE   a person's hold on a node
    run NAME                      until the campaign has ended or waits for a person
    until NAME ACTION [NODE] [OUTCOME]  until that event
    wait SECONDS
    held NODE...                  these nodes are expected to be out of service at the end
    pinned CAMPAIGN...            these campaigns are expected to leave versions pinned
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from escalator.model.constraint import Constraint
from escalator.model.counting import counted
from escalator.model.document import Source, load
from escalator.model.errors import EscalatorError
from escalator.model.inventory import Role
from escalator.model.notice import NoticeType
from escalator.model.progress import CampaignState, TaskState
from escalator.model.release import Release
from escalator.model.roles import CLUSTERED
from escalator.simulation.setup import RELEASE, Simulation, import_release, simulate
from escalator.upgrade_manager import freezing, holding
from escalator.upgrade_manager.backups import BackupService
from escalator.upgrade_manager.engine import gates, staging
from escalator.upgrade_manager.engine.context import ProbeRules
from escalator.upgrade_manager.engine.pins import KIND as PINS
from escalator.upgrade_manager.engine.runtimes.virtual_time import VirtualClock
from escalator.upgrade_manager.engine.staying import Retention
from escalator.world.records import VnfmRow
from escalator.world.rules import Fault
from escalator.world.world import World
from scenarios.wording import event_line, heard_line, nested, plan_words

RESTING = (
    CampaignState.COMPLETED,
    CampaignState.ABORTED,
    CampaignState.PAUSED,
    CampaignState.SUSPENDED,
    CampaignState.ROLLBACK_PAUSED,
    CampaignState.ROLLBACK_FAILED,
    CampaignState.ROLLED_BACK,
    CampaignState.RESTORED,
    CampaignState.COMMITTED,
)
PATIENCE_S = 5 * 86400.0
LOOK_S = 5.0
WHO = "ann"


class Stage:
    """One script's world, and what was shown of it."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.lines: list[str] = []
        self.held: set[str] = set()
        self.pinned: set[str] = set()
        self.accepted: set[str] = set()
        """Nodes on which a person accepted that a restore impacts instances."""
        self.limit = 0
        self.sim: Simulation
        self.world: World
        self._seen = 0
        self._told_of: dict[str, int] = {}
        self._stack = AsyncExitStack()

    async def close(self) -> None:
        await self._stack.aclose()

    async def play(self, script: str) -> None:
        for raw in script.splitlines():
            line = raw.split("#", 1)[0].strip()
            if not line:
                continue
            self.lines.append(f"> {line}")
            word, *arguments = line.split()
            command: Callable[..., Any] = getattr(self, f"do_{word}")
            try:
                await command(*arguments)
            except EscalatorError as error:
                self.lines.append(f"! exit {error.exit_code} {error.code.value}: {error.message} {error.remedy}".rstrip())
            await self._events()

    # -- commands

    async def do_world(self, *settings: str) -> None:
        numbers = {key: int(value) for key, value in (s.split("=") for s in settings)}
        self.world = World.in_memory(self.clock)
        fill = numbers.pop("fill", 65) / 100
        others = [(role, numbers.pop(role)) for role in CLUSTERED if role in numbers]
        probe = ProbeRules("reach-it") if numbers.pop("probe", 0) else None
        self.world.seed(**numbers, fill=fill, others=others)
        self.sim = await self._stack.enter_async_context(simulate(self.world, self.clock, strict=True, probe_vm=probe))
        self.backups = BackupService(self.sim.ctx, Retention())
        await import_release(self.sim.store, RELEASE, self.clock.now())

    async def do_roles(self, node: str, *roles: Role) -> None:
        with self.world.state.change():
            self.world.state.put_node(self.world.state.node(node).model_copy(update={"roles": roles}))

    async def do_label(self, node: str, key: str, value: str) -> None:
        before = self.world.state.node(node)
        change = {"rack": value} if key == "rack" else {"labels": {**before.labels, key: value}}
        with self.world.state.change():
            self.world.state.put_node(before.model_copy(update=change))

    async def do_elect(self, node: str) -> None:
        self.world.clusters.elect(node)

    async def do_flag(self, node: str, on: str) -> None:
        self.world.clusters.flag(node, on=on == "on")

    async def do_away(self, seconds: str) -> None:
        self.world.clusters.away_s = float(seconds)

    async def do_clusters(self) -> None:
        state = self.world.state
        self.lines.append(f"  masters: {', '.join(state.masters.rows.values()) or 'none'}")
        self.lines += [f"  {row.id} on {row.node}" for row in state.routers.rows.values()]
        self.lines.append(f"  flags: {', '.join(state.flags.rows) or 'none'}")

    async def do_expires(self, seconds: str) -> None:
        end = datetime.fromtimestamp(self.clock.now() + float(seconds), UTC).isoformat()
        await self.sim.store.releases.remove(RELEASE.id)
        release = RELEASE.model_copy(update={"spec": RELEASE.spec.model_copy(update={"expires": end})})
        await import_release(self.sim.store, release, self.clock.now())

    async def do_unregister(self, name: str) -> None:
        await self.sim.vim.unregistered.remove(name)

    async def do_vnfm(self, name: str, behaviour: str, delay_s: str = "") -> None:
        row: VnfmRow = self.world.vnfms.get(name)
        self.world.vnfms.behave(name, behaviour, delay_s=float(delay_s) if delay_s else row.delay_s)  # type: ignore[arg-type]

    async def do_spare(self, name: str, count: str) -> None:
        self.world.vnfms.put(replace(self.world.vnfms.get(name), spare=int(count)))

    async def do_scaled(self) -> None:
        """Who has given up what, and has not made it anew."""
        given = sorted(self.world.state.given_up.rows.values(), key=lambda one: one.instance.id)
        self.lines += [f"  {one.vnfm} without {one.instance.id}" for one in given] or ["  every VNF has what it had"]

    async def do_orchestrator(self, name: str) -> None:
        row = VnfmRow(name=name, behaviour="silent", orchestrator=True)
        self.world.vnfms.put(row)
        await self.sim.store.vnfms.add(row.registration())

    async def do_told(self, name: str) -> None:
        heard = self.world.vnfms.heard(name)
        self.lines += [heard_line(one) for one in heard[self._told_of.get(name, 0) :]]
        self._told_of[name] = len(heard)

    async def do_fault(self, *fields: str) -> None:
        self.world.faults.add(Fault.model_validate(nested(fields), strict=False))

    async def do_faults(self, what: str) -> None:
        assert what == "none"
        self.world.faults.clear()

    async def do_constraint(self, kind: str, name: str, *fields: str) -> None:
        if not fields:
            await self.sim.store.constraints.remove(kind, name)  # type: ignore[arg-type]
            return
        spec = nested(fields)
        await self.sim.store.constraints.put(load(Constraint, Source({"kind": kind, "id": name, "spec": spec})))

    async def do_crash(self, node: str, down_s: str = "") -> None:
        self.world.hosts.crash(node, down_s=float(down_s) if down_s else None)

    async def do_remove_unit(self, node: str) -> None:
        software = self.world.state.software.rows[node]
        with self.world.state.change():
            self.world.state.software.put(node, replace(software, defects=(*software.defects, "units")))

    async def do_bring_back(self, node: str, *routers: str) -> None:
        self.world.clusters.bring_back(node, routers)

    async def do_mend(self, instance: str) -> None:
        self.world.power.start(instance)
        await self.clock.sleep(60)

    async def do_disable(self, node: str) -> None:
        self.world.hosts.cordon(node, "a disk is being replaced")

    async def do_disabled(self, node: str, *reason: str) -> None:
        self.world.hosts.restore(node, enabled=False, reason=" ".join(reason))

    async def do_enable(self, node: str) -> None:
        self.world.hosts.restore(node, enabled=True, reason=None)

    async def do_campaign(self, name: str, *settings: str) -> None:
        given = nested(settings)
        spec = {
            "release": RELEASE.id,
            "mode": "smooth",
            "scope": {"select": {"role": "compute"}},
            "node": {"driver": "simulated"},
            **given,
        }
        document = {"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": name}, "spec": spec}
        await self.sim.campaigns.create(json.dumps(document))

    async def do_release(self, name: str, *settings: str) -> None:
        name, version = name.split("/")
        packages = [{"name": name, "version": version}]
        spec = {"version": version, "layers": {"agent": version}, "packages": packages, **nested(settings)}
        release = load(Release, Source({"kind": "Release", "metadata": {"name": name}, "spec": spec}))
        await import_release(self.sim.store, release, self.clock.now())

    async def do_plan(self, name: str) -> None:
        plan = await self.sim.campaigns.plan(name)
        words = "smooth" if plan.smooth else "not smooth"
        self.lines.append(f"  {words}: {plan_words(plan)}")
        self.lines += [f"  {c.code} {c.message}; {c.remedy}" for c in plan.conditions if c.remedy]
        self.lines += [f"  not upgraded: {n.node}: {n.reason}" for n in plan.totals.not_upgraded]
        campaign = await self.sim.ctx.book.campaign(name)
        self.limit = max(
            self.limit, campaign.spec.waves.limit(sum(map(campaign.spec.scope.includes, self.world.inventory().nodes)))
        )

    async def do_start(self, name: str, *flags: str) -> None:
        who = WHO if "accept_no_return" in flags else ""
        accepted = {flag: flag in flags for flag in ("accept_drift", "accept_outage")}
        await self.sim.campaigns.start(name, **accepted, past_no_return=who)

    async def do_stage(self, name: str) -> None:
        await staging.begin(self.sim.ctx, name)
        while (known := await staging.known(self.sim.ctx, name))[0]:
            await self.clock.sleep(LOOK_S)
        self.lines += [f"  {one.node} {'staged' if not one.code else one.code} {one.release}" for one in known[1]]

    async def do_pause(self, name: str) -> None:
        await self.sim.campaigns.pause(name)

    async def do_resume(self, name: str, flag: str = "") -> None:
        await self.sim.campaigns.resume(name, past_no_return=WHO if flag == "accept_no_return" else "")

    async def do_abort(self, name: str, *reason: str) -> None:
        await self.sim.campaigns.abort(name, " ".join(reason))

    async def do_retry(self, name: str, node: str) -> None:
        await self.sim.campaigns.retry(name, node)

    async def do_skip(self, name: str, node: str, *reason: str) -> None:
        await self.sim.campaigns.skip(name, node, " ".join(reason))

    async def do_rollback(self, name: str, flag: str = "") -> None:
        await self.sim.campaigns.back.rollback(name, accept_outage=flag == "accept_outage")

    async def do_restore(self, name: str) -> None:
        await self.sim.campaigns.back.restore(name)

    async def do_commit(self, name: str) -> None:
        await self.sim.campaigns.back.commit(name)
        await self.sim.engine.result(f"commit/{name}")

    async def do_preview(self, name: str) -> None:
        plan = await self.sim.campaigns.back.preview(name)
        self.lines.append(f"  {plan.purpose}: {plan_words(plan)}")
        self.lines += [f"  {c.code} {c.message}" for c in plan.conditions if c.code in ("ESC-PLN-011", "ESC-PLN-022")]
        self.lines += [f"  not rolled back: {n.node}: {n.reason}" for n in plan.totals.not_upgraded]

    async def do_runs(self, *nodes: str) -> None:
        for node in nodes:
            software = self.world.software.look(node)
            versions = dict(self.world.hosts.get(node).versions)
            kept = counted(sum(row.node == node for row in self.world.state.backups.rows.values()), "backup")
            self.lines.append(f"  {node}: {dict(software.packages)}, daemon {software.daemon}, {versions}, {kept}")

    async def do_gate(self, name: str, verdict: str, *said: str) -> None:
        self.world.gates.put(name, verdict.replace("-", " "), " ".join(said))

    async def do_approve(self, name: str, gate: str, *reason: str) -> None:
        await gates.approve(self.sim.ctx, name, gate, " ".join(reason))

    async def do_lock(self, key: str, site: str, seconds: str) -> None:
        has = self.world.locks.take(key, site, float(seconds))
        self.lines.append(f"  {has or site} has {key}")

    async def do_steal(self, key: str, site: str, seconds: str) -> None:
        self.world.locks.give_back(key)
        await self.do_lock(key, site, seconds)

    async def do_freeze(self, *reason: str) -> None:
        await freezing.begin_freeze(self.sim.ctx, " ".join(reason))

    async def do_unfreeze(self) -> None:
        await freezing.end_freeze(self.sim.ctx)

    async def do_hold(self, node: str, *reason: str) -> None:
        await holding.hold(self.sim.ctx, node, " ".join(reason))

    async def do_unhold(self, node: str) -> None:
        await holding.unhold(self.sim.ctx, node)

    async def do_run(self, name: str) -> None:
        end = self.clock.now() + PATIENCE_S
        while self.clock.now() < end:
            view = await self.sim.campaigns.show(name)
            busy = any(task.state is TaskState.RUNNING for task in view.tasks)
            if view.row.state in RESTING and not busy:
                if view.row.state in (CampaignState.COMPLETED, CampaignState.ABORTED):
                    await self.sim.engine.result(f"campaign/{name}")
                if view.row.state in (CampaignState.ROLLED_BACK, CampaignState.RESTORED):
                    await self.sim.engine.result(f"rollback/{name}")
                return
            await self.clock.sleep(LOOK_S)
        raise AssertionError(f"campaign {name} does not come to rest: {await self._standing(name)}")

    async def do_until(self, name: str, action: str, *more: str) -> None:
        """Until the event with that action, and with these other words in it."""
        end = self.clock.now() + PATIENCE_S
        while self.clock.now() < end:
            for event in await self.sim.store.events.read(self._seen, campaign=name, limit=100_000):
                said = (event.node, event.object_id, event.outcome)
                if event.action == action and all(word in said for word in more):
                    return
            await self.clock.sleep(LOOK_S)
        raise AssertionError(f"no {action} {more} came")

    async def do_versions(self, name: str) -> None:
        row = await self.sim.store.campaigns.get(name)
        plan, _ = await self.sim.ctx.book.plan(row.plan or "")
        for v in plan.versions:
            back = "" if v.back else f", no way back: {v.why_not}"
            self.lines.append(f"  {v.node} {v.runs} -> {v.to} {v.jump}{back}")

    async def do_backups(self, node: str | None = None) -> None:
        for row in sorted(await self.backups.list(node=node), key=lambda row: (row.taken_at, row.node)):
            words = [row.id, row.node, row.campaign, row.release, "+".join(row.scope), row.state.value, row.restore.value]
            self.lines.append("  " + " ".join(word for word in [*words, row.code, row.message] if word))
            self.lines += [f"    not kept: {what}" for what in row.not_kept]

    async def do_verify(self, node: str) -> None:
        row, check = await self.backups.verify(await self._newest(node))
        self.lines.append(f"  {row.id} {row.state.value} {check.message}".rstrip())

    async def do_damage(self, node: str) -> None:
        self.world.software.damage((await self.backups.get(await self._newest(node))).operation)

    async def do_take_back(self, node: str, *flags: str) -> None:
        why = "it is rebuilt anyway" if "accept_cluster" in flags else ""
        newest = await self._newest(node)
        row = await self.backups.restore(newest, accept_impact="accept_impact" in flags, accept_cluster=why)
        if flags and flags != ("begin",):
            self.accepted.add(node)
        if "begin" not in flags:
            await self.sim.engine.result(f"restore/{row.id}/{row.restores}")

    async def do_prune(self, keep_last: str = "3") -> None:
        swept = await BackupService(self.sim.ctx, Retention(keep_last=int(keep_last))).prune()
        self.lines.append(f"  pruned: {', '.join(row.id for row in swept.pruned) or 'none'}")

    async def _newest(self, node: str) -> str:
        """Id of the node's newest backup; what names none is taken for an id."""
        found = await self.backups.list(node=node)
        return found[0].id if found else node

    async def do_quota(self, project: str, *amounts: str) -> None:
        if amounts:
            cores, ram_mib, instances = map(int, amounts)
            self.world.quotas.put(project, (cores, ram_mib, instances))
        self.lines.append(f"  {project}: {(await self.sim.ctx.cloud.quotas.state(project)).limits}")

    async def do_operation(self, name: str, vnf: str, seconds: str) -> None:
        self.world.vnfms.operate(name, vnf, float(seconds))

    async def do_wait(self, seconds: str) -> None:
        await self.clock.sleep(float(seconds))

    async def do_show(self, name: str) -> None:
        self.lines += await self._standing(name)

    async def do_held(self, *nodes: str) -> None:
        self.held |= set(nodes)

    async def do_pinned(self, *names: str) -> None:
        self.pinned |= set(names)

    # -- what is shown

    async def _standing(self, name: str) -> list[str]:
        view = await self.sim.campaigns.show(name)
        lines = [f"  {name} {view.row.state.value} {view.done}/{view.total} {view.row.code} {view.row.reason}".rstrip()]
        lines += [f"  {t.node} attempt {t.attempt} {t.state.value} {t.code} {t.message}".rstrip() for t in view.tasks]
        return [*lines, *(f"  next: {verb}" for verb in view.next)]

    async def _events(self) -> None:
        if not hasattr(self, "sim"):
            return
        for event in await self.sim.store.events.read(self._seen, limit=100_000):
            self._seen = event.seq
            if event.outcome != "started":
                self.lines.append(event_line(event))

    # -- what holds at the end of every script

    async def invariants(self) -> Sequence[str]:
        """What is broken, one line each."""
        broken = [f"incident: {incident}" for incident in self.world.audit.incidents if incident.node not in self.accepted]
        if self.world.audit.most_unavailable() > self.limit:
            broken.append(f"{self.world.audit.most_unavailable()} nodes out of service at once, the limit is {self.limit}")
        broken += [f"storage is kept from recovering for {node}" for node in self.world.state.flags.rows if node not in self.held]
        inventory = self.world.inventory()
        out = {node.id for node in inventory.nodes if node.maintenance or node.state == "down"}
        if out != self.held:
            broken.append(f"out of service: {sorted(out)}, expected: {sorted(self.held)}")
        broken += [f"{i.id} is {i.state}" for i in inventory.instances if not i.running and i.node not in self.held]
        groups = self.world.audit.group_peaks()
        for group in inventory.groups:
            limit = group.limit(len(inventory.members.get(group.id, ())))
            if groups.get(group.id, 0) > limit:
                broken.append(f"group {group.id}: {groups[group.id]} impacted at once, the limit is {limit}")
        slots = {slot.node for slot in await self.sim.store.admission.node_slots()}
        if not slots <= self.held:
            broken.append(f"slots of nodes in service: {sorted(slots - self.held)}")
        for row in await self.sim.campaigns.list():
            broken += [f"impact is open: {i}" for i in await self.sim.store.admission.impacts(row.name) if i.ended_at is None]
        rows = await self.sim.store.restorations.open()
        pinned = {row.campaign for row in rows if row.kind == PINS}
        if pinned != self.pinned:
            broken.append(f"versions pinned by {sorted(pinned)}, expected: {sorted(self.pinned)}")
        sheet = {row.node for row in rows if row.kind != PINS}
        if not sheet <= self.held:
            broken.append(f"on the sheet although in service: {sorted(sheet - self.held)}")
        broken += [f"left of a probe VM: {left}" for left in (*self.world.probes.names, *self.world.probes.open_doors)]
        broken += await self._counted_twice()
        return broken

    async def _counted_twice(self) -> list[str]:
        notices = [n for n in await self.sim.store.notices.list() if n.type is NoticeType.HOST_MAINTENANCE_UPCOMING]
        found = []
        for notice in notices:
            kept = [r for r in await self.sim.store.notices.replies(notice.id) if r["verdict"] == "accepted"]
            if sum(r["reply"]["result"] != "DEFER" for r in kept) > 1:
                found.append(f"{len(kept)} replies to notice {notice.id} were counted")
        return found


@asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    stage = Stage()
    try:
        yield stage
    finally:
        await stage.close()
