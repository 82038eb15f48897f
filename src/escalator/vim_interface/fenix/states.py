"""States of a Fenix session, by where the campaign stands that it is: its state, its turns, and what is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from escalator.model.notice import Notice, NoticeState, NoticeType
from escalator.model.progress import ENDED, CampaignState, NodeTask, TaskState
from escalator.vim_interface.negotiation import OPEN

PREPARE = "PREPARE_MAINTENANCE"
PLANNED = "PLANNED_MAINTENANCE"
SCALE_IN = "SCALE_IN"
_STATES: Mapping[CampaignState, str] = {
    CampaignState.DRAFT: "MAINTENANCE",
    CampaignState.PLANNED: "MAINTENANCE",
    CampaignState.COMPLETED: "MAINTENANCE_DONE",
    CampaignState.COMMITTED: "MAINTENANCE_DONE",
    CampaignState.ABORTED: "MAINTENANCE_FAILED",
    CampaignState.SUSPENDED: "MAINTENANCE_FAILED",
}


def session_state(state: CampaignState) -> str:
    """Return the state of the session as the campaign's alone tells it; on its way that is `PLANNED_MAINTENANCE`."""
    return _STATES.get(state, PLANNED)


def state_now(state: CampaignState, tasks: Sequence[NodeTask], asked: Sequence[Notice]) -> str:
    """Return the state of the session. `asked` are the notices that ask its VNF managers, the newest first."""
    if state in _STATES:
        return _STATES[state]
    if any(n.type is NoticeType.SCALE_IN_REQUESTED and n.state in OPEN for n in asked):
        return SCALE_IN
    if tasks and all(task.state in ENDED for task in tasks):
        return "MAINTENANCE_COMPLETE"
    about_nodes = (n for n in asked if n.type is NoticeType.HOST_MAINTENANCE_UPCOMING)
    newest = next((n for n in about_nodes if n.state is not NoticeState.CANCELLED), None)
    if newest is not None:
        return PREPARE if any(resource.interim for resource in newest.resources) else PLANNED
    begun = any(task.state is not TaskState.PENDING for task in tasks)
    # Nobody had to be asked for the hosts that are maintained by now.
    return "START_MAINTENANCE" if begun else "MAINTENANCE"
