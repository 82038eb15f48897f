"""The real server as a process of its own, and the real command line against it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from beds.joint.commands import SOURCES, commands

START_S = 150.0


@dataclass(frozen=True)
class Ran:
    """How one command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class ServerProcess:
    """`escalator serve` with settings of its own; it can be killed and started again on the same state."""

    def __init__(self, folder: Path, settings: dict[str, Any], prefix: Sequence[str] = (), **environment: str) -> None:
        """`prefix` comes before the server's command and ends in it by `exec`; `environment` are variables changed for it."""
        self._prefix, self._changed = tuple(prefix), environment
        self.state = folder / "state"
        ports = free_ports(3)
        listeners = {name: {"port": port} for name, port in zip(("server", "repository", "vnfm"), ports, strict=True)}
        merged = {"state_dir": str(self.state), **settings}
        for name, listener in listeners.items():
            merged[name] = {**listener, **settings.get(name, {})}
        self.url = f"http://127.0.0.1:{ports[0]}"
        self.vnfm_url = f"http://127.0.0.1:{ports[2]}"
        self.settings = folder / "escalator.yaml"
        self.settings.write_text(yaml.safe_dump(merged))
        self.log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("ESCALATOR_", "OS_"))}
        return {**kept, "PYTHONPATH": str(SOURCES), "ESCALATOR_URL": self.url, "ESCALATOR_TOKEN_FILE": str(self.state / "token")}

    def start(self) -> None:
        """Start, and return when it is ready."""
        environment = {k: v for k, v in self.environment.items() if not k.startswith("ESCALATOR_")} | self._changed
        with self.log.open("ab") as log:
            command = [*self._prefix, sys.executable, "-m", "escalator.main", "serve", "--config", str(self.settings)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            try:
                urllib.request.urlopen(f"{self.url}/readyz", timeout=2).close()
            except (urllib.error.URLError, OSError):
                if self._process.poll() is not None:
                    break
                time.sleep(0.1)
            else:
                return
        self.kill()
        raise AssertionError(f"the server did not become ready:\n{self.log.read_text()[-3000:]}")

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """`kill -9`."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Shut down in good order."""
        self._end(signal.SIGTERM)

    def _end(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(30)
            self._process = None

    def cli(self, *arguments: str, timeout_s: float = 600.0, **environment: str) -> Ran:
        """Run one command of the command line, with these variables changed."""
        return Ran(*commands().run(arguments, self.environment | environment, timeout_s))

    def api(self, path: str) -> Any:
        """GET from the REST API with the operators' token."""
        token = (self.state / "token").read_text().strip()
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)

    def ok(self, *arguments: str, timeout_s: float = 600.0) -> Any:
        """Run a command that has to succeed; what it prints as JSON."""
        ran = self.cli(*arguments, "-f", "json", timeout_s=timeout_s)
        assert ran.code == 0, f"{' '.join(arguments)} ended {ran.code}: {ran.err[-3000:]} {ran.out[-2000:]}"
        return ran.json if ran.out.strip() else None


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
