"""Ctrl-C while a command's modules are still imported: it ends, as soon as they are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from unit.cli.listening import Quiet, listening

SOURCE = Path(__file__).parents[3] / "src"
RUNNING = {"name": "c", "state": "running", "tasks": []}
INTERRUPTED_WHILE_IMPORTING = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
left, nth = int(sys.argv[1]), 0

def watch(frame, event, _):
    # Python's import system calls `cb` as a module's lock is given up; what is raised in it is dropped.
    global nth
    if event == "call" and frame.f_code.co_name == "cb" and "importlib" in frame.f_code.co_filename and MODULE in sys.modules:
        nth += 1
        if nth == left:
            sys.setprofile(None)
            os.kill(os.getpid(), signal.SIGINT)

MODULE = sys.argv[2]
sys.setprofile(watch)
from escalator.main import main
sys.exit(main(["campaign", "show", "c", "--watch", "--timeout", "2"]))
"""


@pytest.mark.parametrize(
    ("left", "module"), [(1, "escalator.cli.app"), (1, "escalator.cli.campaign_show"), (1, "httpx"), (1, "httpcore"), (1, "rich")]
)
def test_an_interrupt_in_the_middle_of_an_import_is_not_lost(tmp_path: Path, left: int, module: str) -> None:
    class Handler(Quiet):
        def do_GET(self) -> None:  # noqa: N802 - the handler's name for it
            self.say(200, json.dumps(RUNNING).encode())

    with listening(Handler) as url:
        words = [sys.executable, "-c", INTERRUPTED_WHILE_IMPORTING, str(left), module]
        environment = {"ESCALATOR_URL": url, "ESCALATOR_STATE_DIR": str(tmp_path), "PYTHONPATH": str(SOURCE)}
        ended = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert (ended.returncode, "Exception ignored" in ended.stderr) == (130, False), ended.stderr
