"""Consult: what the VNF managers answered decides what happens to each of their instances.

Silence may let an instance live-migrate; it never lets one be stopped, cold-migrated or upgraded in place. A notice that
could not be delivered is not silence. A refusal that leaves the node by policy is acted on at once. Where policy says pause, the
campaign pauses, and after its resume those VNF managers are asked again. As long as one of them is at work on a VNF of the
node, the node waits.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.errors import ConflictError
from escalator.model.inventory import Instance
from escalator.model.progress import CampaignState, Event, TaskKind
from escalator.upgrade_manager.engine.job import Job
from escalator.upgrade_manager.engine.outcome import Outcome, Status, done, skip, wait
from escalator.upgrade_manager.engine.rollback.guests import instances_here
from escalator.upgrade_manager.engine.runner import Step
from escalator.upgrade_manager.engine.states import PAUSES
from escalator.upgrade_manager.engine.steps.at_work import at_work
from escalator.upgrade_manager.engine.steps.noticed import said as noticed_by
from escalator.upgrade_manager.engine.steps.noticed import wary
from escalator.upgrade_manager.engine.steps.notify import ANSWERS, ask, round_id
from escalator.upgrade_manager.planner.actions import Stuck, action_for
from escalator.vim_interface.port import Answer

_UNREACHED = "unreached "
"""With a VNF manager's name: memo of the campaign, when it last paused because that one could not be told."""
UNSEEN = "unseen"
"""Memo of a task: why its campaign would have been paused, had it not waited for a person already; null once it is over."""
_WAIT_FOR_A_PERSON = (CampaignState.SUSPENDED, CampaignState.ROLLBACK_FAILED)
SHOWN = 5
"""How many instances a message names before it counts the rest."""
HARMLESS = ("live", "offline")
"""Planned actions that need no consent."""


async def _do(job: Job) -> Outcome:
    memo = await job.memo()
    round_number = int(memo.get("round", 1))
    instances = {i.id: i for i in await instances_here(job)}
    # Who has no instance here any more has no say either.
    answers = [a for a in await _latest(job, round_number) if instances.keys() & set(a.instances)]
    if memo.get("paused_round") == round_number or await _resumed_since(job, answers):
        return await _ask_again(job, memo, round_number + 1)
    waiting = await _awaited(job, memo, answers, round_number)
    if waiting is not None:
        return waiting
    held_back = await _refused(job, answers, round_number) or _too_early(job, answers)
    held_back = held_back or await at_work(job, list(instances.values()), ANSWERS)
    if held_back is not None:
        return held_back
    planned: dict[str, str] = dict(memo["planned"])
    decisions = _decide(planned, answers, instances, await wary(job, instances.values(), planned))
    if isinstance(decisions, Outcome):
        return decisions
    await job.remember("decisions", decisions)
    return done(_told(answers))


async def _awaited(job: Job, memo: Mapping[str, object], answers: Sequence[Answer], round_number: int) -> Outcome | None:
    """What to do as long as not all have said what they have to say; None once they have."""
    if any(answer.state == "open" for answer in answers):
        left_s = _until_deadline(job, memo, round_number)
        return _final(job, answers) or wait(left_s, "some VNF managers have not answered yet", topic=ANSWERS)
    deferred = [a for a in answers if a.result == "DEFER"]
    return await _defer(job, deferred) if deferred else None


async def _latest(job: Job, rounds: int) -> list[Answer]:
    """The last answer about each instance over all rounds of asking: a later round need not be about all of a VNF manager's."""
    latest: dict[str, list[Answer]] = {}
    for number in range(1, rounds + 1):
        for answer in await job.ctx.vim.answers(round_id(job, number)):
            if answer.gone and number < rounds:
                continue  # whoever speaks for those instances now was asked since
            earlier = [_beside(before, answer) for before in latest.get(answer.vnfm, ())]
            latest[answer.vnfm] = [*(one for one in earlier if one.instances), answer]
    return [answer for answers in latest.values() for answer in answers]


def _beside(answer: Answer, later: Answer) -> Answer:
    """What is left of an answer: the yes to those instances that were not asked about again."""
    left = tuple(i for i in answer.heard if i not in later.instances)
    words = {i: word for i, word in answer.dispositions.items() if i in left}
    return replace(answer, state="answered", result="ACK", instances=left, dispositions=words, heard=left)


def _until_deadline(job: Job, memo: Mapping[str, object], round_number: int) -> float:
    reply_by = memo.get(f"reply_by-{round_number}")
    left = float(reply_by) - job.ctx.clock.now() if isinstance(reply_by, (int, float)) else 0.0
    return max(left, 0.0) + job.ctx.pace.recheck_s


async def _ask_again(job: Job, memo: Mapping[str, object], round_number: int) -> Outcome:
    """After a pause: ask those again who could not be asked, did not answer, or refused; not about what they agreed to."""
    latest = await _latest(job, round_number - 1)
    bad = {a.vnfm for a in latest if _trouble(a) is not None}
    gone = {a.vnfm for a in latest if a.gone}
    agreed = {instance for a in latest for instance in a.heard}
    owners: dict[str, str] = dict(memo.get("owners") or {})  # type: ignore[call-overload]  # JSON
    planned: dict[str, str] = dict(memo["planned"])  # type: ignore[call-overload]  # JSON
    here = [i for i in await instances_here(job) if i.id not in agreed]
    speaking = await job.ctx.vim.owners(here)
    concerned = [i for i in here if bad & {owners.get(i.id), speaking.get(i.id)}]
    for instance in concerned:
        if owners.get(instance.id) in gone and instance.id not in speaking:
            # A plan that counted on consent is none any more where nobody is left to give it.
            action = action_for(instance, job.spec, managed=False)
            if isinstance(action, Stuck):
                return skip(Code.PLN_PINNED, f"nobody speaks for it any more: {action.reason}")
            planned[instance.id] = action.kind
    await ask(job, concerned, planned, round_number)
    await job.remember("planned", planned)
    await job.remember("round", round_number)
    if gone:
        await job.remember("owners", {i: o for i, o in {**owners, **speaking}.items() if o not in gone})
    policy = job.spec.workloads.notify
    return wait(policy.reply_timeout_s + job.ctx.pace.recheck_s, "asked again", topic=ANSWERS)


async def _defer(job: Job, answers: Sequence[Answer]) -> Outcome:
    now = job.ctx.clock.now()
    untils = [a.until if a.until is not None else now for a in answers]
    for answer, until in zip(answers, untils, strict=True):
        # The round's id is the notice's task; it is found again by asking each round that has this notice.
        await job.ctx.vim.defer(await _round_of(job, answer), answer.vnfm, until)
    return wait(max(0.0, max(untils) - now) + job.ctx.pace.recheck_s, f"{answers[0].vnfm} asks for more time", topic=ANSWERS)


async def _round_of(job: Job, answer: Answer) -> str:
    rounds = int((await job.memo()).get("round", 1))
    for number in range(rounds, 0, -1):
        if any(a.notice == answer.notice for a in await job.ctx.vim.answers(round_id(job, number))):
            return round_id(job, number)
    return round_id(job, rounds)


def _too_early(job: Job, answers: Sequence[Answer]) -> Outcome | None:
    """Who says nothing, or cannot be reached, has not agreed to anything before the time that was announced."""
    announced = [a.action_at for a in answers if a.state in ("silent", "undeliverable") and a.action_at is not None]
    left_s = max(announced, default=0.0) - job.ctx.clock.now()
    if left_s <= 0:
        return None
    return wait(left_s, "what was announced to those who did not answer begins later", topic=ANSWERS)


def _trouble(answer: Answer) -> Code | None:
    if answer.state == "undeliverable":
        return Code.UPG_UNDELIVERABLE
    if answer.state == "silent":
        return Code.UPG_SILENT
    return Code.UPG_REJECTED if answer.result == "NACK" else None


def _final(job: Job, answers: Sequence[Answer]) -> Outcome | None:
    """A refusal by which the node is left whatever the others say: they are not waited for, and hear that nothing happens.

    Where policy pauses or goes on, each of them has its say; and who could not be told is why it pauses, where it does.
    """
    notify = job.spec.workloads.notify
    pauses = notify.on_undeliverable == "pause" and any(_trouble(answer) is Code.UPG_UNDELIVERABLE for answer in answers)
    if notify.on_reject != "skip-node" or pauses:
        return None
    no = next((answer for answer in answers if _trouble(answer) is Code.UPG_REJECTED), None)
    return None if no is None else skip(Code.UPG_REJECTED, _said(no))


async def _refused(job: Job, answers: Sequence[Answer], round_number: int) -> Outcome | None:
    """What policy says about the worst answer; None when all may go on."""
    notify = job.spec.workloads.notify
    policies = {
        Code.UPG_UNDELIVERABLE: notify.on_undeliverable,
        Code.UPG_REJECTED: notify.on_reject,
        Code.UPG_SILENT: notify.on_timeout,
    }
    for code, policy in policies.items():
        for answer in answers:
            if _trouble(answer) is not code or policy == "proceed":
                continue
            message = _said(answer)
            if policy == "skip-node" or await restoring(job):
                return skip(code, message)
            await job.remember("paused_round", round_number)
            await _note_unreached(job, answers)
            await pause(job, code, message)
            return Outcome(status=Status.HELD, code=code.value, message=message, wait_s=job.ctx.pace.recheck_s)
    return None


async def _note_unreached(job: Job, answers: Sequence[Answer]) -> None:
    """Write down of whom the pause tells that they could not be told: one resume is about them at all nodes."""
    for answer in answers:
        if answer.state == "undeliverable":
            await job.ctx.store.tasks.remember(job.ref.campaign, _UNREACHED + answer.vnfm, job.ctx.clock.now())


async def _resumed_since(job: Job, answers: Sequence[Answer]) -> bool:
    """Whether those whom this node could not tell were known at a pause that a person has ended since: then they are back."""
    bad = [answer for answer in answers if answer.state == "undeliverable"]
    if not bad or job.spec.workloads.notify.on_undeliverable != "pause" or job.ref.kind is TaskKind.RESTORE:
        return False
    state = await job.ctx.store.campaigns.state(job.ref.campaign)
    known = await job.ctx.store.tasks.memo(job.ref.campaign)
    paused_at = [known.get(_UNREACHED + answer.vnfm) for answer in bad]
    later = all(isinstance(at, (int, float)) and a.asked_at <= at for a, at in zip(bad, paused_at, strict=True))
    return later and state in PAUSES


async def restoring(job: Job) -> bool:
    """Whether nodes are restored, by this turn or beside it: a restore is asked for once more, and cannot be paused."""
    if job.ref.kind is TaskKind.RESTORE:
        return True
    return job.ref.back and await job.ctx.store.campaigns.state(job.ref.campaign) is CampaignState.RESTORING


async def pause(job: Job, code: Code, message: str) -> None:
    """Pause the campaign for a reason of this node. When it is paused or on its way out already, nothing happens.

    Where it waits for a person already, the node waits with it: `until_seen` is its gate.
    """
    state = await job.ctx.store.campaigns.state(job.ref.campaign)
    if state in _WAIT_FOR_A_PERSON:
        await job.remember(UNSEEN, message)
    if state is None or state not in PAUSES:
        return
    reason = f"{job.node}: {message}"
    event = Event(
        at=job.ctx.clock.now(),
        action="campaign.pause",
        campaign=job.ref.campaign,
        node=job.node,
        object_id=job.ref.campaign,
        outcome=PAUSES[state].value,
        code=code.value,
        message=reason,
    )
    # Another node may have paused it in this moment, or a person: either is as good.
    with suppress(ConflictError):
        await job.ctx.store.campaigns.change(
            job.ref.campaign, (state,), (event,), state=PAUSES[state], code=code.value, reason=reason
        )
    job.ctx.signals.wake(job.ref.campaign)
    job.ctx.signals.wake_doors(job.ref.campaign)


async def until_seen(job: Job) -> Outcome:
    """Closed while a campaign waits for a person that would have been paused else; then what asked for that is tried again."""
    if await job.ctx.store.campaigns.state(job.ref.campaign) in _WAIT_FOR_A_PERSON:
        return Outcome(status=Status.HELD, message=str((await job.memo()).get(UNSEEN)))
    await job.remember(UNSEEN, None)
    return done()


def _said(answer: Answer) -> str:
    if answer.state == "undeliverable":
        return f"the notice to {answer.vnfm} could not be delivered: {answer.error}"
    if answer.state == "silent":
        return f"{answer.vnfm} did not answer in time{_about(answer)}"
    return f"{answer.vnfm} refused" + (f": {answer.reason}" if answer.reason else "")


def _decide(
    planned: Mapping[str, str], answers: Sequence[Answer], instances: Mapping[str, Instance], noticing: Collection[str] = ()
) -> dict[str, str] | Outcome:
    """What happens to each instance: `live`, `cold`, `in-place`, `stop-start`, `offline`, `own`."""
    decisions = {i: action for i, action in planned.items() if i in instances}
    for answer in answers:
        for instance_id in answer.instances:
            if instance_id not in decisions:
                continue
            decided = _for_one(instances[instance_id], decisions[instance_id], answer)
            agreed = answer.result == "ACK" or instance_id in answer.heard
            if decided == "live" and instance_id in noticing and not agreed:
                return skip(Code.VIM_NOTICED, noticed_by(instance_id))
            if decided is None:
                return skip(_trouble(answer) or Code.UPG_REJECTED, _why(instance_id, answer, planned))
            decisions[instance_id] = decided
    return decisions


def _for_one(instance: Instance, planned: str, answer: Answer) -> str | None:
    """What happens to one instance by its VNF manager's word; None when nothing that is allowed would empty the node."""
    match answer.dispositions.get(instance.id):
        case "MOVED" | "KEEP":
            return planned
        case "MIGRATE":
            return instance.migration if instance.running and instance.migration != "none" else _harmless(planned)
        case "LIVE_MIGRATE":
            return "live" if instance.running and instance.migration == "live" else _harmless(planned)
        case "OWN_ACTION":
            return "own"
        case _:
            return _harmless(planned)


def _harmless(planned: str) -> str | None:
    return planned if planned in HARMLESS else None


def _why(instance_id: str, answer: Answer, planned: Mapping[str, str]) -> str:
    said = {"silent": f"the silence of {answer.vnfm}", "undeliverable": f"a notice that did not reach {answer.vnfm}"}
    word = f"the answer of {answer.vnfm}"
    word = word if instance_id in answer.heard else said.get(answer.state, word)
    return f"{word} does not allow {planned[instance_id]} of instance {instance_id}"


def _told(answers: Sequence[Answer]) -> str:
    words = [f"{a.vnfm} {a.result or a.state}{_about(a)}" for a in sorted(answers, key=lambda a: a.vnfm)]
    return ", ".join(dict.fromkeys(words))


def _about(answer: Answer) -> str:
    """Which instances there was no word about, where there was one about others."""
    without = [i for i in answer.instances if i not in answer.heard]
    if len(without) in (0, len(answer.instances)):
        return ""
    more = f" and {len(without) - SHOWN} more" if len(without) > SHOWN else ""
    return f" about {', '.join(without[:SHOWN])}{more} of {counted(len(answer.instances), 'instance')}"


CONSULT = Step(name="consult", do=_do, gate=until_seen, gate_for=UNSEEN)
