from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from beds.vnfm.bed import Bed, opened_bed


@pytest.fixture(params=["simulated", "vi-vnfm"])
async def bed(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bed]:
    async with opened_bed(request.param, tmp_path) as opened:
        yield opened
