"""Making plans while the server does other things: in a worker process where there is one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor
from dataclasses import replace

from escalator.model.campaign import Campaign
from escalator.model.codes import Code
from escalator.model.errors import TemporaryError
from escalator.model.inventory import Inventory
from escalator.model.plan import Plan
from escalator.model.release import spares_instances
from escalator.upgrade_manager.engine.means import Means
from escalator.upgrade_manager.engine.reach import concerned, condition, of_orchestrators, reached
from escalator.upgrade_manager.engine.workers import RenewedWorker
from escalator.upgrade_manager.planner.impact import NOTHING, Brings
from escalator.upgrade_manager.planner.make import BEGINNING
from escalator.upgrade_manager.planner.progress import Progress
from escalator.upgrade_manager.planner.repair.sofar import so_far
from escalator.upgrade_manager.planner.verified import verified_plan
from escalator.vim_interface.port import VimInterface

Arguments = tuple[Campaign, Inventory, frozenset[str], float, Progress, Brings]
"""Those of `verified_plan`."""
WORTH_KEEPING = 5000
"""Moves of a plan that it takes long to send to another process and to read there."""
_KEPT: dict[str, Plan] = {}
"""In a worker process: the plan that is followed, by its digest."""


def keep(plan: Plan) -> None:
    """Have the plan at hand, and read, in this process: whoever asks for the rest of its campaign has not to send it."""
    _KEPT.clear()
    _KEPT[plan.digest] = plan
    so_far(plan)


def planned_on(digest: str, *arguments: *Arguments) -> Plan | None:
    """As `verified_plan` with the plan that is kept here as the parent; None where it is not, as the process is another one."""
    parent = _KEPT.get(digest)
    if parent is None:
        return None
    campaign, inventory, managed, now_s, progress, brings = arguments
    return verified_plan(campaign, inventory, managed, now_s, replace(progress, parent=parent), brings)


class Planning:
    """Makes verified plans with an id. Without `workers` they are made in this thread."""

    def __init__(
        self,
        vim: VimInterface,
        new_id: Callable[[], str],
        workers: Executor | None = None,
        means: Means | None = None,
        worth_keeping: int = WORTH_KEEPING,
    ) -> None:
        self._means = means
        self._vim = vim
        self._new_id = new_id
        self._workers = workers
        self._worth_keeping = worth_keeping
        self._kept = ""
        """Digest of the plan that the worker process has at hand, unless it is another process by now."""

    def prepare(self, plan: Plan) -> None:
        """Let the worker process have the plan at hand that is followed from now on; nobody waits for that."""
        if isinstance(self._workers, RenewedWorker) and len(plan.moves) >= self._worth_keeping and plan.digest != self._kept:
            self._workers.submit(keep, plan)
            self._kept = plan.digest

    async def plan(
        self,
        campaign: Campaign,
        inventory: Inventory,
        now_s: float,
        parent: str | None,
        progress: Progress = BEGINNING,
        brings: Brings = NOTHING,
    ) -> Plan:
        """A plan by the rules of `verified_plan`; one that begins a campaign says who of the VNF managers answers.

        Raises PermanentError (`PLN_VIOLATION`) when the verifier refuses it, TemporaryError (`PLN_WORKER`) when the worker
        process ends before the plan is made.
        """
        managed = frozenset(await self._vim.owners(inventory.instances))
        plan = await self._made(campaign, inventory, managed, now_s, progress, brings)
        if managed and progress is BEGINNING and not spares_instances(brings.impact):
            said = condition(await reached(self._vim, concerned(plan, inventory)), campaign)
            plan = plan.model_copy(update={"conditions": (*plan.conditions, said)})
        orchestrators = await self._vim.orchestrators.names() if progress is BEGINNING else ()
        if orchestrators:
            told = of_orchestrators(await self._vim.reach(orchestrators))
            plan = plan.model_copy(update={"conditions": (*plan.conditions, told)})
        if self._means is not None and progress is BEGINNING:
            able = (*await self._means.conditions(campaign), *self._means.roles(plan, inventory))
            smooth = plan.smooth and all(condition.ok for condition in able)
            plan = plan.model_copy(update={"conditions": (*plan.conditions, *able), "smooth": smooth})
        return plan.sealed(self._new_id(), parent)

    async def _made(self, *arguments: *Arguments) -> Plan:
        if self._workers is None:
            return verified_plan(*arguments)
        loop, workers = asyncio.get_running_loop(), self._workers
        campaign, inventory, managed, now_s, progress, brings = arguments
        try:
            if self._kept and progress.parent is not None and progress.parent.digest == self._kept:
                without = (campaign, inventory, managed, now_s, replace(progress, parent=None), brings)
                made = await loop.run_in_executor(workers, planned_on, self._kept, *without)
                if made is not None:
                    return made
                self._kept = ""
            return await loop.run_in_executor(workers, verified_plan, *arguments)
        except BrokenExecutor as error:
            self._kept = ""
            message = "The process that makes plans ended before this one was made."
            remedy = "Try again; see whether the server's host has memory left."
            raise TemporaryError(Code.PLN_WORKER, message, remedy=remedy) from error
