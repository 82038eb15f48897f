"""What people are told to install is this project: another one may have a name that is nearly the same."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TOLD = re.compile(r"pip install '([\w-]+)\[([\w-]+)\]'")


def test_extras_are_asked_of_this_project_and_are_there():
    files = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "src").rglob("*.py")]
    told = {found.groups() for file in files for found in TOLD.finditer(file.read_text())}
    assert {extra for _, extra in told} >= {"ansible", "rabbitmq"}
    assert told <= {(PROJECT["name"], extra) for extra in PROJECT["optional-dependencies"]}
