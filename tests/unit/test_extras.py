"""What people are told to install for an extra is there: the lock file has all that each of them asks for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TOLD = "requirements/extras.lock"


def test_the_lock_file_of_the_extras_has_what_they_ask_for():
    locked = dict(re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / TOLD).read_text(), re.MULTILINE))
    asked = [Requirement(one) for extra in PROJECT["optional-dependencies"].values() for one in extra]
    assert {one.name for one in asked} >= {"ansible-core", "ansible-runner", "aio-pika"}
    assert [one.name for one in asked if locked.get(one.name, "") not in one.specifier] == []


def test_nobody_is_sent_to_an_index_for_this_project():
    # Nobody has published it there: whoever did would be somebody else.
    files = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "src").rglob("*.py")]
    assert [file.name for file in files if re.search(rf"pip install [^\n]*{PROJECT['name']}", file.read_text())] == []
    assert len([file for file in files if TOLD in file.read_text()]) >= 5
