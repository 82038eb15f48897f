"""Virtual time passes as fast as nobody has anything to do, for as long as somebody waits."""

from __future__ import annotations

import pytest

from escalator.upgrade_manager.engine.runtimes import virtual_time

DAY_S = 86400.0


@pytest.mark.parametrize("days", [1, 190, 195, 3000])
def test_timers_are_due_however_long_it_has_run(days: int) -> None:
    async def waits() -> float:
        clock = virtual_time.VirtualClock()
        began = clock.now()
        await clock.sleep(days * DAY_S)
        await clock.sleep(60.0)
        return clock.now() - began

    assert virtual_time.run(waits()) == pytest.approx(days * DAY_S + 60.0, abs=1e-3)
