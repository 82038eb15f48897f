"""Commands about single nodes, among those that a campaign says make sense now."""

from __future__ import annotations

from collections.abc import Sequence

from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.errors import ConflictError
from escalator.model.progress import CampaignState, NodeTask, Rung, TaskKind, TaskState
from escalator.storage.port import CampaignRow


def node_verbs(campaign: str, nodes: Sequence[str], most: int) -> list[str]:
    """Another turn or none for the first `most` nodes; how many there are beyond stands behind the command that lists them."""
    verbs = [f"escalator node {verb} {campaign} {node}" for node in nodes[:most] for verb in ("retry", "skip")]
    beyond = len(nodes) - most
    if beyond > 0:
        verbs.append(f"escalator node list --campaign {campaign}  # {counted(beyond, 'more node')} like these")
    return verbs


def left_by(row: CampaignRow, tasks: Sequence[NodeTask]) -> list[str]:
    """Nodes that were left out, not by a person, where a group did not succeed because of such."""
    if row.code != Code.UPG_GROUP.value:
        return []
    return [task.node for task in tasks if task.state is TaskState.SKIPPED and task.code != Code.UPG_SKIPPED.value]


def any_changed(tasks: Sequence[NodeTask]) -> bool:
    """Whether there may be something to roll back: of no node that waits, was left out or is as before, its software changed."""
    return any(_changed(task) for task in tasks)


def _changed(task: NodeTask) -> bool:
    if task.kind is not TaskKind.UPGRADE:
        return task.state is not TaskState.DONE  # else it is back already
    if task.state is TaskState.PENDING or (task.state is TaskState.SKIPPED and task.attempt > 1):
        # Rungs are of the last attempt alone: what an earlier one did is not known from them.
        return task.attempt > 1
    if task.state not in (TaskState.SKIPPED, TaskState.ROLLED_BACK):
        return True
    upgraded = [condition.status for condition in task.ladder if condition.rung is Rung.UPGRADED]
    return bool(upgraded) and upgraded[-1]


def no_further_turn(row: CampaignRow) -> ConflictError:
    """The refusal of another turn in a campaign that is over, or on its way out."""
    message = f"Campaign {row.name} is {row.state.value}; its nodes get no further turn."
    over = row.state in (CampaignState.COMPLETED, CampaignState.COMMITTED, CampaignState.ABORTED)
    again = "Another campaign of the same release takes up the nodes that this one left out: escalator campaign create FILE"
    return ConflictError(Code.UPG_STATE, message, remedy=again if over else "")
