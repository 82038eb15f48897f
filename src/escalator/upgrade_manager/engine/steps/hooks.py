"""Hooks: the operator's own commands in a node's turn, there and back, each phase a step of its own.

What a hook did is its own affair to take back. A node that hooks have prepared for its maintenance gets those that follow on it
before it is in service again, also when its software was put back or never touched: that is the undo of `pre-maintenance`. A
hook finds the same operation id when it is run again; one that has ended well is not run again, whatever happens to the manager.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import count

from escalator.model.campaign import Hooks
from escalator.model.errors import PermanentError, TemporaryError
from escalator.model.progress import TaskKind
from escalator.model.release import spares_instances
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.job import Job, TaskRef
from escalator.upgrade_manager.engine.named import keyed, metadata_of, perform
from escalator.upgrade_manager.engine.outcome import Outcome, done, skip
from escalator.upgrade_manager.engine.runner import ATTEMPTS, Step
from escalator.upgrade_manager.engine.steps.out_of_band import look

PASSED = "hooks"
"""Memo of a task: hooks that have ended well, as `phase/name`."""
PREPARED = "prepared"
"""Memo of a task: whether hooks before maintenance have begun."""
UNDO = "back/"
"""Before the names of hooks that run because the node goes back, in the memo and in the ids of operations."""
NOT_RUN = "its post_maintenance hooks are still to run"
"""What is said of a node that hooks have prepared and that stays out of service."""


async def run_all(job: Job, phase: str, again: str = "") -> Outcome:
    """Run the hooks of a phase, in order. Raises what the first that fails raises."""
    names: tuple[str, ...] = getattr(job.spec.node.hooks, phase)
    said_to = await metadata_of(job.ctx, job.ref.campaign) if names else {}
    for number, name in enumerate(names):
        passed, key = (await job.memo()).get(PASSED) or [], again + keyed(names, number)
        if f"{phase}/{key}" not in passed:
            await perform(job, phase, name, metadata=said_to.get(f"{phase}/{number}", ""), key=key)
            await job.remember(PASSED, [*passed, f"{phase}/{key}"])
    return done(f"{', '.join(names)} ended well" if names else "")


async def _preflight(job: Job) -> Outcome:
    """A node that its own check speaks against is left out: nothing of it is changed yet."""
    for number in count(1):
        try:
            # On the way back a node that nobody reaches out of band is not kept on software that has to go.
            if not (job.ref.back or spares_instances(job.release.spec.impact)):
                await look(job)
            return await run_all(job, "preflight")
        except PermanentError as error:
            return skip(error.code, error.message)
        except TemporaryError as error:
            if number == ATTEMPTS:
                return skip(error.code, error.message)
            await job.ctx.clock.sleep(job.ctx.pace.poll_s * 2**number)
    raise AssertionError  # it counts for ever


async def _pre_maintenance(job: Job) -> Outcome:
    await job.remember(PREPARED, value=True)
    return await run_all(job, "pre_maintenance")


async def _maintenance(job: Job) -> Outcome:
    return await run_all(job, "maintenance")


async def _post_maintenance(job: Job) -> Outcome:
    return await run_all(job, "post_maintenance")


async def give_back(job: Job) -> Outcome:
    """The node goes back into service as it was: the hooks after maintenance, in another run than those on the new software."""
    # Where it was an earlier turn that prepared the node, it is this one from now on that owes it these hooks.
    await job.remember(PREPARED, value=True)
    back = replace(job, ref=replace(job.ref, kind=TaskKind.ROLLBACK))
    return await run_all(back, "post_maintenance", UNDO)


async def prepared(ctx: Context, ref: TaskRef) -> bool:
    """Whether hooks have begun to prepare the node for its maintenance, and others are to follow on it.

    In this turn, or in the last one before it that came so far, where not all of those others have ended well.
    """
    names = (await ctx.book.campaign(ref.campaign)).spec.node.hooks.post_maintenance
    for attempt in range(ref.attempt, 0, -1) if names else ():
        memo = await ctx.store.tasks.memo(replace(ref, attempt=attempt).id)
        if memo.get(PREPARED):
            return attempt == ref.attempt or not _followed(names, memo.get(PASSED) or ())
    return False


def _followed(names: Sequence[str], passed: Collection[str]) -> bool:
    """Whether all hooks after maintenance have ended well, on the new software or because the node went back."""
    keys = [keyed(names, number) for number in range(len(names))]
    return any(all(f"post_maintenance/{again}{key}" in passed for key in keys) for again in ("", UNDO))


def hooked(hooks: Hooks) -> frozenset[str]:
    """Names of the steps whose phase has a hook."""
    return frozenset(name for name, phase in STEPS.items() if getattr(hooks, phase))


PREFLIGHT = Step(name="preflight", do=_preflight, timeout_s=lambda spec: spec.node.timeouts.upgrade_s)
PRE_MAINTENANCE = Step(
    name="pre-maintenance", do=_pre_maintenance, undo=give_back, timeout_s=lambda spec: spec.node.timeouts.upgrade_s
)
MAINTENANCE = Step(name="maintenance", do=_maintenance, timeout_s=lambda spec: spec.node.timeouts.upgrade_s, abortable=False)
POST_MAINTENANCE = Step(
    name="post-maintenance", do=_post_maintenance, timeout_s=lambda spec: spec.node.timeouts.upgrade_s, abortable=False
)
STEPS = {
    PREFLIGHT.name: "preflight",
    PRE_MAINTENANCE.name: "pre_maintenance",
    MAINTENANCE.name: "maintenance",
    POST_MAINTENANCE.name: "post_maintenance",
}
"""The phase of each step, by its name."""
