"""VNF managers as processes, started and ended from tests."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SERVER = Path(__file__).with_name("server.py")
ORCHESTRATOR = Path(__file__).with_name("orchestrator.py")
FENIX_PEER = Path(__file__).with_name("fenix_peer.py")
LIFECYCLE_PEER = Path(__file__).with_name("lifecycle_peer.py")
TACKER_PEER = Path(__file__).with_name("tacker_peer.py")
DOCTOR_PEER = Path(__file__).with_name("doctor_peer.py")


@dataclass(frozen=True)
class VnfmProcess:
    port: int
    log: Path
    process: subprocess.Popen[bytes]
    service: int = 0
    """Where its VNF's service listens, of those that have one."""
    scheme: str = "http"

    @property
    def callback_uri(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/notices"

    def lines(self, what: str | None = None) -> list[dict]:
        """What it logged so far."""
        if not self.log.exists():
            return []
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [line for line in lines if what in (None, line["what"])]

    def control(self, timeout_s: float = 60, **changes: object) -> None:
        data = json.dumps(changes).encode()
        request = urllib.request.Request(f"{self.scheme}://127.0.0.1:{self.port}/control", data, method="POST")
        urllib.request.urlopen(request, timeout=timeout_s, context=_trusting() if self.scheme == "https" else None).close()


def _trusting() -> ssl.SSLContext:
    """Any certificate will do: which one is shown is what tests change."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@contextmanager
def vnfm_process(
    log: Path, *arguments: str, program: Path = SERVER, python: str | Path = sys.executable, **environment: str
) -> Iterator[VnfmProcess]:
    """Run a VNF manager; arguments as on the command line of its program, which that Python runs, with these variables."""
    command = [str(python), str(program), "--log", str(log), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, **environment}) as process:
        try:
            assert process.stdout is not None
            said = json.loads(process.stdout.readline())
            yield VnfmProcess(said["port"], log, process, said.get("service", 0), "https" if "--tls" in arguments else "http")
        finally:
            process.kill()
