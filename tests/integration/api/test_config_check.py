"""A settings file that the check takes is one that a server starts with: both look at what it names, in the same words."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from integration.api.test_serving import SOURCE, configuration

TRUST = {"trust": {"keys": [{"name": "alice", "file": "/nowhere/alice.pub"}]}}
TLS = {"port": 0, "tls": {"certificate": "/nowhere/listener.pem"}}
BUS = {"fenix": {"notifications": {"credential": "broker"}}}


def said_by(file: Path, *words: str) -> tuple[int, str]:
    environment = {"PYTHONPATH": str(SOURCE), "PATH": os.environ["PATH"], "HOME": str(file.parent)}
    call = [sys.executable, "-m", "escalator.main", *words, "--config", str(file)]
    ended = subprocess.run(call, env=environment, capture_output=True, text=True, timeout=60, check=False)
    # A server logs what it does before it looks at what is refused.
    return ended.returncode, "".join(line for line in ended.stderr.splitlines(keepends=True) if not line.startswith("{"))


@pytest.mark.parametrize(
    ("over", "told"),
    [
        ({"releases": TRUST}, ["releases.trust.keys[0]: The key /nowhere/alice.pub cannot be used"]),
        ({"vnfm": TLS}, ["ESC-API-011: The certificate of the vnfm listener cannot be used: No such file"]),
        ({"releases": TRUST, "vnfm": TLS, "vim": BUS}, ["/nowhere/alice.pub", "vnfm.tls: The certificate", "'broker'"]),
        ({"cloud": {"driver": "openstack"}, "locks": {"kind": "simulated"}}, ["locks.kind: a simulated lock service needs"]),
    ],
)
def test_what_a_server_refuses_the_check_refuses_in_the_same_words(tmp_path: Path, over: dict, told: list[str]) -> None:
    file = configuration(tmp_path, **over)
    checked, served = said_by(file, "config", "show"), said_by(file, "serve")
    assert checked == served
    assert checked[0] == 2
    assert [text for text in told if text not in checked[1]] == []
    assert not (tmp_path / "state").exists()
