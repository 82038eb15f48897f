"""All legal moves of campaigns and node tasks, as data. The diagrams in the documentation are made from these tables."""

from __future__ import annotations

from collections.abc import Mapping

from escalator.model.codes import Code
from escalator.model.errors import ConflictError
from escalator.model.progress import CampaignState as C
from escalator.model.progress import TaskKind
from escalator.model.progress import TaskState as T

_CALLED_OFF: Mapping[C, str] = {C.ABORTED: "abort", C.COMPLETED: "abort"}
"""Where a way back goes of which nothing has begun: to where it came from."""
CAMPAIGN_MOVES: Mapping[C, Mapping[C, str]] = {
    C.DRAFT: {C.PLANNED: "plan"},
    C.PLANNED: {C.RUNNING: "start", C.DRAFT: "edit", C.PLANNED: "plan"},
    C.RUNNING: {
        C.PAUSED: "pause",
        C.COMPLETED: "last node",
        C.SUSPENDED: "error budget, waits for a person",
        C.ABORTING: "abort",
        C.ROLLING_BACK: "error budget, by policy",
    },
    C.PAUSED: {C.RUNNING: "resume", C.ABORTING: "abort", C.ROLLING_BACK: "rollback"},
    C.SUSPENDED: {C.RUNNING: "retry, skip, resume", C.ABORTING: "abort", C.ROLLING_BACK: "rollback"},
    C.ABORTING: {C.ABORTED: "last node put back", C.SUSPENDED: "an undo failed"},
    C.ABORTED: {C.ROLLING_BACK: "rollback", C.COMMITTED: "commit"},
    C.COMPLETED: {C.ROLLING_BACK: "rollback", C.COMMITTED: "commit"},
    C.ROLLING_BACK: {
        C.ROLLED_BACK: "last node",
        C.ROLLBACK_PAUSED: "pause",
        C.ROLLBACK_FAILED: "error",
        C.ABORTED: "last node, others left as they are",
        C.COMPLETED: "no node taken back",
    },
    C.ROLLBACK_PAUSED: {C.ROLLING_BACK: "resume", **_CALLED_OFF},
    C.ROLLBACK_FAILED: {C.ROLLING_BACK: "retry, skip", C.RESTORING: "restore", **_CALLED_OFF},
    C.RESTORING: {C.RESTORED: "last node", C.ROLLBACK_FAILED: "error", C.ABORTED: "last node, others left as they are"},
    C.COMMITTED: {},
    C.ROLLED_BACK: {},
    C.RESTORED: {},
}

TASK_MOVES: Mapping[T, Mapping[T, str]] = {
    T.PENDING: {T.RUNNING: "admitted", T.SKIPPED: "skip"},
    T.RUNNING: {
        T.HELD: "gate",
        T.DONE: "available",
        T.SKIPPED: "policy, put back",
        T.ROLLED_BACK: "failed, put back",
        T.FAILED: "failed, needs a person",
        T.PENDING: "its window is over, put back",
    },
    T.HELD: {
        T.RUNNING: "resume",
        T.PENDING: "its window is over, put back",
        T.ROLLED_BACK: "put back",
        T.SKIPPED: "put back",
        T.FAILED: "an undo failed",
    },
    T.DONE: {},
    T.SKIPPED: {T.PENDING: "retry"},
    T.ROLLED_BACK: {T.PENDING: "retry", T.SKIPPED: "skip"},
    T.FAILED: {T.PENDING: "retry", T.SKIPPED: "skip"},
}

BACK = (C.ROLLING_BACK, C.ROLLBACK_PAUSED, C.ROLLBACK_FAILED, C.RESTORING)
"""States in which a campaign is on its way back."""
ACTIVE = (C.RUNNING, C.PAUSED, C.SUSPENDED, C.ABORTING, *BACK)
"""States in which a campaign holds its cloud: one at a time."""
UNDER_WAY = (T.RUNNING, T.HELD)
"""States of a node that has its turn."""
ENDED = (T.DONE, T.SKIPPED, T.ROLLED_BACK, T.FAILED)
"""States in which a node task does nothing any more."""
VERBS: Mapping[C, tuple[str, ...]] = {
    C.DRAFT: ("plan", "edit", "remove"),
    C.PLANNED: ("start", "plan", "edit", "remove"),
    C.RUNNING: ("pause", "abort"),
    C.PAUSED: ("resume", "abort", "rollback"),
    C.SUSPENDED: ("retry", "skip", "resume", "abort", "rollback"),
    C.ABORTED: ("rollback", "commit"),
    C.COMPLETED: ("rollback", "commit"),
    C.ROLLING_BACK: ("pause", "abort"),
    C.ROLLBACK_PAUSED: ("resume", "abort"),
    C.ROLLBACK_FAILED: ("retry", "skip", "restore", "abort"),
}
"""What a person can do next in each state, as the CLI names it."""


GOING: Mapping[TaskKind, tuple[C, ...]] = {
    TaskKind.UPGRADE: (C.RUNNING, C.SUSPENDED),
    TaskKind.ROLLBACK: (C.ROLLING_BACK, C.ROLLBACK_FAILED, C.RESTORING),
    TaskKind.RESTORE: (C.RESTORING, C.ROLLBACK_FAILED, C.ROLLING_BACK),
}
"""States of the campaign in which a node that has begun its turn goes on with it."""
HOLDING: Mapping[TaskKind, C] = {
    TaskKind.UPGRADE: C.PAUSED,
    TaskKind.ROLLBACK: C.ROLLBACK_PAUSED,
    TaskKind.RESTORE: C.ROLLBACK_PAUSED,
}
"""The state in which it waits between two steps."""
LEAVING: Mapping[TaskKind, tuple[C, ...]] = {
    TaskKind.UPGRADE: (C.ABORTING, C.ABORTED, *BACK),
    TaskKind.ROLLBACK: (),
    TaskKind.RESTORE: (),
}
"""States in which what waits at a door of admission does not begin any more."""
PAUSES: Mapping[C, C] = {C.RUNNING: C.PAUSED, C.ROLLING_BACK: C.ROLLBACK_PAUSED}
"""From which state to which a pause goes."""


def sources(target: C) -> tuple[C, ...]:
    """States from which a campaign may move to `target`."""
    return tuple(state for state, moves in CAMPAIGN_MOVES.items() if target in moves)


def check(name: str, state: C, target: C) -> None:
    """Raise ConflictError unless a campaign may move from `state` to `target`."""
    if target not in CAMPAIGN_MOVES[state]:
        verbs = ", ".join(VERBS.get(state, ())) or "nothing more"
        raise ConflictError(
            Code.UPG_STATE, f"Campaign {name} is {state.value}.", remedy=f"Possible now: {verbs}.", facts={"state": state.value}
        )


def mermaid(moves: Mapping[C, Mapping[C, str]] | Mapping[T, Mapping[T, str]], start: str) -> str:
    """A state table as a Mermaid diagram, for the documentation."""
    lines = ["stateDiagram-v2", f"    [*] --> {_word(start)}"]
    for state, targets in moves.items():
        lines += [f"    {_word(state)} --> {_word(target)}: {by}" for target, by in targets.items()]
        if not targets:
            lines.append(f"    {_word(state)} --> [*]")
    return "\n".join(lines)


def _word(state: str) -> str:
    return str(state).replace("-", "_")
