"""One node task as its steps see it: the reference that workflows carry, and the documents behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from escalator.model.campaign import CampaignSpec
from escalator.model.codes import Code
from escalator.model.errors import PermanentError
from escalator.model.inventory import Inventory
from escalator.model.plan import Plan
from escalator.model.progress import Restoration, TaskKind
from escalator.model.release import Release
from escalator.system_support.port import SystemSupport
from escalator.upgrade_manager.engine.context import Context
from escalator.upgrade_manager.engine.deadline import Deadline


@dataclass(frozen=True, slots=True)
class TaskRef:
    """Which node of which campaign, by which plan. Plain values: it travels in the workflow's arguments."""

    campaign: str
    node: str
    attempt: int
    wave: int
    plan: str
    kind: TaskKind = TaskKind.UPGRADE
    hooked: bool = False
    """Whether hooks take part in a turn back, too: one that began before they did goes on without."""

    @property
    def back(self) -> bool:
        """Whether the turn is to undo what an earlier one did."""
        return self.kind is not TaskKind.UPGRADE

    @property
    def id(self) -> str:
        """Id of the task and of its workflow."""
        return f"{self.campaign}/{self.node}/{self.attempt}"

    def to_json(self) -> dict[str, Any]:
        """Arguments of the workflow."""
        return {**asdict(self), "kind": self.kind.value}

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> TaskRef:
        """From the arguments of the workflow."""
        return TaskRef(**{**value, "kind": TaskKind(value.get("kind", TaskKind.UPGRADE))})


@dataclass(frozen=True, slots=True)
class Job:
    """A task with everything its steps need."""

    ctx: Context
    ref: TaskRef
    spec: CampaignSpec
    plan: Plan
    inventory: Inventory
    release: Release
    system: SystemSupport
    deadline: Deadline = field(default_factory=Deadline, compare=False)
    """The time-out of the step that runs."""

    @property
    def node(self) -> str:
        """Id of the node."""
        return self.ref.node

    def operation(self, purpose: str) -> str:
        """Id of an operation on the node: the same for every repetition of the same purpose.

        The plan's id makes it another one when a campaign of that name ran before on another database: nodes remember.
        """
        return f"{self.ref.id}/{purpose}/{self.ref.plan}"

    async def memo(self) -> Mapping[str, Any]:
        """What earlier steps of this task have written down."""
        return await self.ctx.store.tasks.memo(self.ref.id)

    async def remember(self, key: str, value: object, *, once: bool = False) -> Any:  # noqa: ANN401 - JSON
        """Write down a JSON value for later steps; with `once` the first value stays and is returned."""
        return await self.ctx.store.tasks.remember(self.ref.id, key, value, once=once)

    async def will_change(
        self, kind: str, object_id: str, found: Mapping[str, object], commands: tuple[str, ...] | None = None
    ) -> Restoration:
        """Put a change on the break-glass sheet before it is made; what was found first stays.

        `commands` put it back by hand; those of the cloud when they are left out.
        """
        if commands is None:
            commands = self.ctx.cloud.by_hand(kind, self.node, object_id, found)
        row = Restoration(
            id=f"{self.ref.id}/{kind}/{object_id}",
            campaign=self.ref.campaign,
            kind=kind,
            object_id=object_id,
            node=self.node,
            found=found,
            commands=commands,
            created_at=self.ctx.clock.now(),
        )
        row = await self.ctx.store.restorations.add(row)
        await self.rewrite_sheet()
        return row

    async def changes(self, kind: str) -> list[Restoration]:
        """Changes of that kind by this task, or an earlier attempt at this node, that are not put back yet."""
        rows = await self.ctx.store.restorations.open(self.ref.campaign, self.node)
        return [row for row in rows if row.kind == kind]

    async def put_back(self, row: Restoration) -> None:
        """Take a change from the sheet: it is put back."""
        await self.ctx.store.restorations.done(row.id, self.ctx.clock.now())
        await self.rewrite_sheet()

    async def rewrite_sheet(self) -> None:
        """Write the sheet as it has to be now."""
        await self.ctx.sheet.rewrite(self.ctx.store.restorations)


async def job_of(ctx: Context, ref: TaskRef) -> Job:
    """Collect what the task's steps need. Raises PermanentError when the driver it names is not configured."""
    campaign = await ctx.book.campaign(ref.campaign)
    plan, inventory = await ctx.book.plan(ref.plan)
    release = await ctx.book.release(campaign.spec.release or "")
    driver = campaign.spec.node.driver
    if driver not in ctx.systems:
        known = ", ".join(sorted(ctx.systems))
        raise PermanentError(Code.SYS_CONFIG, f"The driver {driver!r} is not configured; configured are {known}.")
    return Job(ctx, ref, campaign.spec, plan, inventory, release, ctx.systems[driver])
