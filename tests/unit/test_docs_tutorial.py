"""Tutorials run no campaign twice: there is one of each name, and nothing is left to upgrade once it has completed."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs/tutorial/answer-notices.md"


def test_each_campaign_of_the_tutorial_is_one_of_its_own_and_has_something_to_do() -> None:
    text = TUTORIAL.read_text()
    files = re.findall(r"^\$ escalator campaign create (\S+)$", text, re.MULTILINE)
    names = [yaml.safe_load((ROOT / file).read_text())["metadata"]["name"] for file in files]
    assert len(set(names)) == len(names) == 3
    assert all(f"$ escalator campaign start {name}" in text for name in names)
    # The first one upgrades all nodes: without the way back the second would find nothing to do.
    assert text.index("campaign start first") < text.index("campaign rollback first") < text.index("campaign start again")
