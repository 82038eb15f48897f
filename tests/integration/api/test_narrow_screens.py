"""Tables of a running campaign on the screens that people have."""

from __future__ import annotations

import pytest

from integration.api.running import CAMPAIGN, served, write_release
from unit.cli.terminal import run


@pytest.fixture
def esc(tmp_path):
    with served(tmp_path / "state") as server:
        yield lambda *words: run(*words, environment=server.environment)


@pytest.mark.parametrize("width", [80, 120])
def test_lists_fit_the_screen_and_say_which_columns_gave_way(esc, tmp_path, width):
    assert esc("release", "import", write_release(tmp_path / "release")).code == 0
    file = tmp_path / "campaign.yaml"
    file.write_text(CAMPAIGN)
    assert esc("campaign", "create", file).code == 0
    assert esc("campaign", "plan", "agent-2").code == 0
    assert esc("campaign", "start", "agent-2", "--wait", "--timeout", "60").code == 0
    for words in (("node", "list", "--campaign", "agent-2"), ("notice", "list")):
        seen = esc(*words, "--max-width", str(width))
        assert max(map(len, seen.out.splitlines())) <= width, seen.out
        assert "The screen is too narrow for: campaign" in seen.err
        assert "Campaign" not in seen.out
        assert "| Id " in seen.out
        assert "Campaign" in esc(*words).out, "where nobody's screen ends nothing gives way"
        assert "agent-2" in esc(*words, "--max-width", str(width), "-c", "id", "-c", "campaign").out
