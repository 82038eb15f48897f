"""States of a Fenix session, by those of the campaign that it stands for."""

from __future__ import annotations

from collections.abc import Mapping

from escalator.model.progress import CampaignState

_STATES: Mapping[CampaignState, str] = {
    CampaignState.DRAFT: "MAINTENANCE",
    CampaignState.PLANNED: "MAINTENANCE",
    CampaignState.COMPLETED: "MAINTENANCE_DONE",
    CampaignState.COMMITTED: "MAINTENANCE_DONE",
    CampaignState.ABORTED: "MAINTENANCE_FAILED",
    CampaignState.SUSPENDED: "MAINTENANCE_FAILED",
}


def session_state(state: CampaignState) -> str:
    """Return the state of the session; while its campaign is under way that is `PLANNED_MAINTENANCE`."""
    return _STATES.get(state, "PLANNED_MAINTENANCE")
