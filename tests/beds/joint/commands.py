"""Commands of the command line as processes of their own, without their imports each time: see `zygote.py`."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[3] / "src"
PROGRAM = Path(__file__).with_name("zygote.py")


class Commands:
    """Runs commands until this process ends."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="escalator-commands-"))
        self._socket = str(self._folder / "socket")
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(PROGRAM), self._socket],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(SOURCES)},
        )
        atexit.register(self._close)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def _close(self) -> None:
        self._process.communicate()
        shutil.rmtree(self._folder)

    def run(self, argv: Sequence[str], environment: Mapping[str, str], timeout_s: float) -> tuple[int, str, str]:
        """Exit code, output and errors. Raises TimeoutExpired after that many seconds, when the command is ended."""
        with tempfile.NamedTemporaryFile(dir=self._folder) as out, tempfile.NamedTemporaryFile(dir=self._folder) as err:
            request = {"argv": [*argv], "env": dict(environment), "out": out.name, "err": err.name}
            code = self._ask(request, timeout_s)
            return code, out.read().decode(), err.read().decode()

    def _ask(self, request: Mapping[str, object], timeout_s: float) -> int:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout_s)
            connection.connect(self._socket)
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("r", encoding="utf-8") as wire:
                pid = int(wire.readline())
                try:
                    said = wire.readline()
                except TimeoutError:
                    os.kill(pid, signal.SIGKILL)
                    connection.settimeout(None)
                    connection.recv(1)  # its end of the connection is closed when it is dead
                    raise subprocess.TimeoutExpired(str(request["argv"]), timeout_s) from None
        return int(said) if said else -signal.SIGKILL


@cache
def commands() -> Commands:
    """The one for all tests: it keeps nothing of a command."""
    return Commands()
