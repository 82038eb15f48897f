"""Commands that are forked from a process that has imported everything are what they are by themselves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from beds.joint.commands import SOURCES, commands

NOBODY = "http://127.0.0.1:9"
PLACES = {"unset": {}, "nobody": {"ESCALATOR_URL": NOBODY}}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("words", ["campaign list", "campaign lst", "explain ESC-UPG-014 -f json"])
def test_a_command_ends_with_the_same_code_and_says_the_same(words: str, place: str, tmp_path: Path) -> None:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ESCALATOR_")}
    environment = {**kept, "PYTHONPATH": str(SOURCES), "HOME": str(tmp_path), **PLACES[place]}
    argv = [sys.executable, "-m", "escalator.main", *words.split()]
    alone = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert commands().run(words.split(), environment, 60.0) == (alone.returncode, alone.stdout, alone.stderr)


def test_one_that_does_not_end_is_ended(tmp_path: Path) -> None:
    pipe = tmp_path / "campaign.yaml"
    os.mkfifo(pipe)  # nobody writes into it
    with pytest.raises(subprocess.TimeoutExpired):
        commands().run(["campaign", "validate", str(pipe)], dict(os.environ), 0.5)
    with pytest.raises(OSError, match="No such device"):  # nobody waits for who writes any more
        os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
