"""A real Alertmanager on loopback, from Debian's package `prometheus-alertmanager`.

Without it its tests are skipped, unless ESCALATOR_REQUIRE_REAL is set: then they fail.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from beds.ready import until_ready

__all__ = ["alertmanager"]

PROGRAM = "prometheus-alertmanager"
CONFIGURATION = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"
START_S = 30.0


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[str]:
    """Address of a new, empty one."""
    program = shutil.which(PROGRAM)
    if program is None:
        if os.environ.get("ESCALATOR_REQUIRE_REAL"):
            pytest.fail(f"ESCALATOR_REQUIRE_REAL is set, and {PROGRAM} is not installed")
        pytest.skip(f"{PROGRAM} is not installed")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    file = tmp_path / "alertmanager.yml"
    file.write_text(CONFIGURATION)
    command = [
        *(program, f"--config.file={file}", f"--storage.path={tmp_path / 'alertmanager'}"),
        *(f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="),
    ]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until_ready(url, "Alertmanager", START_S)
            yield url
        finally:
            process.terminate()
