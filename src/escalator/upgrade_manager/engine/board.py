"""What the drive of a campaign knows about its nodes, kept so that one change costs one change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from escalator.model.inventory import Role
from escalator.model.plan import PlanGroup
from escalator.model.progress import NodeTask, TaskState
from escalator.upgrade_manager.engine.admission import SpreadLimit
from escalator.upgrade_manager.engine.lost import is_lost
from escalator.upgrade_manager.engine.states import ENDED, UNDER_WAY

FAILURES = (TaskState.FAILED, TaskState.ROLLED_BACK)
OWN_ERRORS = ("ESC-SYS", "ESC-CLD")
"""How codes begin of what nobody decided: others say that a VNF manager, a person or a plan left a node out."""
STRAYED = "strayed"
"""Memo of a campaign: when an instance went elsewhere than planned last, Unix seconds."""
LOOKED = "looked"
"""Memo of a campaign: when the cloud was looked at last for a plan for the rest, Unix seconds. What strayed since is news."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What bounds the nodes of one campaign's plan."""

    most: int
    """Nodes out of service at once."""
    scope: frozenset[str]
    spread: tuple[SpreadLimit, ...] = ()
    groups: tuple[PlanGroup, ...] = ()
    """Groups of nodes that go one after the other."""
    wave_soak_s: float | None = None
    """Pause between waves, seconds; null when waves overlap."""
    clusters: Mapping[str, tuple[tuple[Role, str], ...]] = field(default_factory=dict)
    """The clusters that nodes are members of, by node; empty where the release touches nothing."""
    together: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """For storage nodes, the others of their failure domains, with whom they may be away together."""
    needs_s: Mapping[str, float] = field(default_factory=dict)
    """Seconds that each node's turn needs of its maintenance window."""


class Board:
    """Nodes of a campaign by what can happen next. Made anew from storage whenever in doubt."""

    def __init__(self, plan: str, order: Mapping[str, frozenset[str]], limits: Limits) -> None:
        self.plan = plan
        self._turns = frozenset(order)
        self.limits = limits
        self.disturbed = ""
        """What happened since the plan was looked at last that may make another one better; empty for nothing."""
        self.stray_at = 0.0
        """When it was looked at last whether instances went elsewhere than planned, Unix seconds."""
        self.rested = False
        """Whether the campaign was not running when it was looked at last."""
        self.closes: float | None = None
        """End of the maintenance window that was open last, Unix seconds."""
        self.quotas_bound: bool | None = None
        """Whether VNFs are kept from scaling up; null when it is not known."""
        self.budgets_seen: set[str] = set()
        """Groups whose budgets were looked at then."""
        self.budget_at = float("-inf")
        """When the budgets of groups were looked at last, Unix seconds."""
        self.look_s: float | None = None
        """After how long to look again although nothing changes; null = the usual time."""
        self.asleep = False
        """Whether nothing is under way until the next maintenance window opens."""
        self.lease_look_s = float("inf")
        """After how long to look whether the campaign's keys are still held."""
        self.told = ""
        """State of the campaign that orchestrators were told last; empty when that is not known."""
        self.tasks: dict[str, NodeTask] = {}
        self.failed: dict[str, NodeTask] = {}
        self.spared: dict[str, NodeTask] = {}
        """Nodes that were left out, nothing of them changed, for an error of their own, of a command or of the cloud."""
        self.announced: set[str] = set()
        self.frozen: str | None = None
        """Why nothing may begin, as was said already; empty when all may, null when it was not looked at yet."""
        self.prepared = False
        """Whether the campaign's own hooks have run and its version pins were seen to hold, since it last rested."""
        self.held: dict[str, str] | None = None
        """Nodes that people hold, with why in words; null when it was not looked at yet."""
        self.owed_seen = False
        """Whether no VNF manager is still to be told that a node is back, as it was at the last look."""
        self._open: set[str] = set()
        self._before = {node: set(first) for node, first in order.items() if first}
        self._after: defaultdict[str, list[str]] = defaultdict(list)
        for node, first in order.items():
            for other in first:
                self._after[other].append(node)
        self._ready: dict[str, NodeTask] = {}

    @property
    def ended(self) -> bool:
        """Whether no node has anything left to do."""
        return not self._open

    @property
    def open(self) -> list[NodeTask]:
        """Nodes that have something left to do."""
        return [self.tasks[node] for node in sorted(self._open)]

    @property
    def under_way(self) -> bool:
        """Whether a node is having its turn."""
        return any(self.tasks[node].state is not TaskState.PENDING for node in self._open)

    def ready(self) -> list[NodeTask]:
        """Nodes whose turn it is by the plan's order."""
        return sorted(self._ready.values(), key=lambda task: (task.wave, task.node))

    def put(self, task: NodeTask) -> None:
        """Take in a task as it is now."""
        node = task.node
        # How a node came where it is stands in storage: of thousands that are through, their ladders would be most of the memory.
        task = replace(task, ladder=()) if task.ladder else task
        before = self.tasks.get(node)
        if before is task or before == task:
            return
        if before is not None:
            self._note(task, before)
        self.tasks[node] = task
        self.failed.pop(node, None)
        self.spared.pop(node, None)
        if task.state in FAILURES:
            self.failed[node] = task
        elif task.state is TaskState.SKIPPED and task.code.startswith(OWN_ERRORS):
            self.spared[node] = task
        if task.state in ENDED:
            self._open.discard(node)
            self.owed_seen = False
            # What waited for it may go, however it ended: a target that is lost is found out before each move.
            for later in self._after[node]:
                self._before[later].discard(node)
                self._look(later)
        else:
            self._open.add(node)
        self._look(node)

    def _note(self, task: NodeTask, before: NodeTask) -> None:
        if is_lost(task) and not is_lost(before):
            self.disturbed = f"{task.node} does not come back"
        elif is_lost(before) and task.state in UNDER_WAY and not is_lost(task):
            self.disturbed = f"{task.node} is back"
        elif task.state is before.state:
            return
        elif task.state in (*FAILURES, TaskState.SKIPPED):
            self.disturbed = f"{task.node} {task.state.value}"
        elif task.state is TaskState.PENDING and before.state in ENDED:
            self.disturbed = f"{task.node} tried again"
        elif task.state is TaskState.PENDING and task.attempt > before.attempt:
            self.disturbed = f"{task.node} gave its turn back"

    @property
    def waits(self) -> bool:
        """Whether a node waits for its turn."""
        return any(self.tasks[node].state is TaskState.PENDING for node in self._open)

    @property
    def without_turn(self) -> list[NodeTask]:
        """Nodes that wait although the plan has no turn for them."""
        return [self.tasks[n] for n in sorted(self._open) if n not in self._turns and self.tasks[n].state is TaskState.PENDING]

    def _look(self, node: str) -> None:
        task = self.tasks.get(node)
        if task is not None and task.state is TaskState.PENDING and node in self._turns and not self._before.get(node):
            self._ready[node] = task
        else:
            self._ready.pop(node, None)
