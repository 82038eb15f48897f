"""Before which steps a turn can be given back: those that come before the node's software changes, and that change itself."""

from __future__ import annotations

from escalator.upgrade_manager.engine.overdue import UNTOUCHED, WAITING
from escalator.upgrade_manager.engine.procedure import AFTER_STAGE
from escalator.upgrade_manager.engine.steps.upgrade import UPGRADE


def test_every_step_up_to_the_upgrade_is_named_and_no_other() -> None:
    until = [step.name for step in AFTER_STAGE[: AFTER_STAGE.index(UPGRADE) + 1]]
    assert sorted([*WAITING, *UNTOUCHED]) == sorted(until)
