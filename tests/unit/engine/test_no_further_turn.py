"""Another turn in a campaign that is over is refused, with what helps instead where something does."""

from __future__ import annotations

import pytest

from escalator.model.progress import CampaignState
from escalator.storage.port import CampaignRow
from escalator.upgrade_manager.node_verbs import no_further_turn


@pytest.mark.parametrize(
    ("state", "helps"), [(CampaignState.COMPLETED, True), (CampaignState.ABORTED, True), (CampaignState.RESTORING, False)]
)
def test_after_its_end_another_campaign_takes_up_what_was_left(state: CampaignState, *, helps: bool) -> None:
    refusal = no_further_turn(CampaignRow(name="c1", document={}, state=state))
    assert refusal.message == f"Campaign c1 is {state.value}; its nodes get no further turn."
    assert refusal.remedy.endswith("escalator campaign create FILE") is helps
