"""Progress of campaigns and nodes, as plain values: the condition ladder, node tasks, events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Rung(StrEnum):
    """The condition ladder of a node task, in order."""

    STAGED = "Staged"
    SELECTED = "Selected"
    CORDONED = "Cordoned"
    NOTIFIED = "Notified"
    VACATED = "Vacated"
    BACKED_UP = "BackedUp"
    UPGRADED = "Upgraded"
    REBOOTED = "Rebooted"
    VERIFIED = "Verified"
    ROLLED_BACK = "RolledBack"
    AVAILABLE = "Available"


class TaskKind(StrEnum):
    """What a node's turn is for."""

    UPGRADE = "upgrade"
    ROLLBACK = "rollback"
    RESTORE = "restore"


class TaskState(StrEnum):
    """Where a node task stands."""

    PENDING = "pending"
    RUNNING = "running"
    HELD = "held"
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"  # and what could be undone is not undone, by policy or because an undo failed
    ROLLED_BACK = "rolled-back"  # failed, and the node is back in service as it was


class CampaignState(StrEnum):
    """States of a campaign; legal moves stand in the engine's state table."""

    DRAFT = "draft"
    PLANNED = "planned"
    RUNNING = "running"
    PAUSED = "paused"
    SUSPENDED = "suspended"
    ABORTING = "aborting"
    ABORTED = "aborted"
    COMPLETED = "completed"
    ROLLING_BACK = "rolling_back"
    ROLLBACK_PAUSED = "rollback_paused"
    ROLLBACK_FAILED = "rollback_failed"
    ROLLED_BACK = "rolled_back"
    RESTORING = "restoring"
    RESTORED = "restored"
    COMMITTED = "committed"


@dataclass(frozen=True, slots=True)
class Condition:
    """One rung reached (or undone), with since when and why. `since` is Unix seconds."""

    rung: Rung
    status: bool
    since: float
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeTask:
    """One node's part of a campaign."""

    campaign: str
    node: str
    attempt: int = 1
    """Counted over upgrades and rollbacks alike."""
    wave: int = 1
    kind: TaskKind = TaskKind.UPGRADE
    state: TaskState = TaskState.PENDING
    step: str = ""
    """The step under way, or the last one."""
    ladder: tuple[Condition, ...] = ()
    code: str = ""
    message: str = ""
    updated_at: float = 0.0

    @property
    def id(self) -> str:
        """`campaign/node/attempt`: also the id of its workflow."""
        return f"{self.campaign}/{self.node}/{self.attempt}"


ENDED = frozenset({TaskState.DONE, TaskState.SKIPPED, TaskState.FAILED, TaskState.ROLLED_BACK})
"""States of a turn that is over."""
_BEGUN = frozenset({TaskState.RUNNING, TaskState.HELD, TaskState.DONE, TaskState.FAILED})


def percent_ended(tasks: Collection[NodeTask], also: str | None = None) -> int:
    """Return the share of turns that are over, percent, rounded down; that of the node `also` counts as over."""
    ended = sum(task.state in ENDED or task.node == also for task in tasks)
    return 100 * ended // len(tasks) if tasks else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """The nodes of a campaign in numbers, as every face shows them.

    On the way there all its nodes count; on the way back, only those that were changed and have to go back. `done` are those
    that have come to where they are to go: upgraded, or back. A node that was put back in its own turn counts as failed.
    """

    back: bool
    """Whether it is the way back that is counted."""
    total: int
    done: int = 0
    running: int = 0
    held: int = 0
    pending: int = 0
    failed: int = 0
    skipped: int = 0

    @property
    def ended(self) -> int:
        """Nodes that have nothing left to do, however they ended."""
        return self.done + self.failed + self.skipped

    @property
    def percent(self) -> float:
        """Share of the nodes that are done, in percent with one decimal, rounded down: 100 is all of them."""
        return 1000 * self.done // self.total / 10 if self.total else 0.0


_WAY_BACK = frozenset(
    {
        CampaignState.ROLLING_BACK,
        CampaignState.ROLLBACK_PAUSED,
        CampaignState.ROLLBACK_FAILED,
        CampaignState.ROLLED_BACK,
        CampaignState.RESTORING,
        CampaignState.RESTORED,
    }
)


def _counts_as(state: CampaignState, task: NodeTask) -> TaskState:
    """A node that was taken back by a way back that ended early is not upgraded."""
    taken_back = state not in _WAY_BACK and task.kind is not TaskKind.UPGRADE and task.state is TaskState.DONE
    return TaskState.SKIPPED if taken_back else task.state


def counts_of(state: CampaignState, tasks: Collection[NodeTask]) -> Counts:
    """Count the nodes of a campaign that is in that state."""
    turns_back = [task for task in tasks if task.kind is not TaskKind.UPGRADE]
    if state not in _WAY_BACK:
        counted = tasks
    elif not turns_back:
        # Its turns are not laid out yet: those that have begun on their way there are what there may be to put back.
        return Counts(back=True, total=(total := sum(task.state in _BEGUN for task in tasks)), pending=total)
    else:
        counted = turns_back
    count = Counter(_counts_as(state, task) for task in counted)
    return Counts(
        back=state in _WAY_BACK,
        total=len(counted),
        done=count[TaskState.DONE],
        running=count[TaskState.RUNNING],
        held=count[TaskState.HELD],
        pending=count[TaskState.PENDING],
        failed=count[TaskState.FAILED] + count[TaskState.ROLLED_BACK],
        skipped=count[TaskState.SKIPPED],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the history. `seq` is given by the store; `at` is Unix seconds."""

    at: float
    action: str
    """Stable event name, such as `node.cordon`."""
    campaign: str | None = None
    node: str | None = None
    object_id: str | None = None
    step: str | None = None
    outcome: str | None = None
    """`started`, `done`, `failed`, `held`, `skipped` or null."""
    code: str | None = None
    message: str = ""
    duration_s: float | None = None
    data: Mapping[str, object] = field(default_factory=dict)
    by: str | None = None
    """Name of the operator who asked for it; null where the token says no name, and for what nobody asked for."""
    seq: int = 0


SHEET_FILE = "break-glass.txt"
"""File in the state directory with everything that is not put back yet, for who has no server."""
NOTHING_OPEN = "# Nothing: all is as it was found."
"""Its line where there is nothing."""
SHEET_WARNING = "# WARNING: "
"""How a line begins, among the commands of an entry, that has to be heeded before they are run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restoration:
    """Something Escalator changed and has to put back: an entry of the break-glass sheet."""

    id: str
    campaign: str
    kind: str
    """`cordon`, `instance-stopped`, ..."""
    object_id: str
    node: str
    found: Mapping[str, object]
    """What was there before."""
    commands: tuple[str, ...]
    """The commands that put it back by hand."""
    created_at: float
    restored_at: float | None = None
