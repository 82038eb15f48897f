"""A real Prometheus, and one exporter that says what a test has it say."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from beds.ready import until_ready

PROGRAM = "prometheus"
START_S = 60.0
CONFIGURATION = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: vnf
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


@dataclass
class Figures:
    """Prometheus at `url`; `say` makes its exporter say something else."""

    url: str
    text: list[str] = field(default_factory=lambda: [""])

    def say(self, query: str, **values: float) -> None:
        """Let `answered` have these values by VNF, and wait until the query gives exactly them."""
        self.text[0] = "".join(f'answered{{vnf="{vnf}"}} {value}\n' for vnf, value in values.items())
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            found = httpx.get(f"{self.url}/api/v1/query", params={"query": query}, trust_env=False).json()
            if {row["metric"]["vnf"]: float(row["value"][1]) for row in found["data"]["result"]} == values:
                return
            time.sleep(0.05)
        raise AssertionError(f"Prometheus does not tell {json.dumps(values)}")


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Figures]:
    """A new one with an exporter that says nothing yet."""
    program = shutil.which(PROGRAM)
    if program is None:
        if os.environ.get("ESCALATOR_REQUIRE_REAL"):
            pytest.fail(f"ESCALATOR_REQUIRE_REAL is set, and {PROGRAM} is not installed")
        pytest.skip(f"{PROGRAM} is not installed")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    found = Figures(f"http://127.0.0.1:{port}")

    class Exporter(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # on a busy machine it is too late for that scrape
                self.wfile.write(found.text[0].encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Exporter) as exporter:
        threading.Thread(target=exporter.serve_forever, daemon=True).start()
        file = tmp_path / "prometheus.yml"
        file.write_text(CONFIGURATION.format(port=exporter.server_port))
        command = [
            *(program, f"--config.file={file}", f"--storage.tsdb.path={tmp_path / 'prometheus'}"),
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                until_ready(found.url, "Prometheus", START_S)
                yield found
            finally:
                process.terminate()
                exporter.shutdown()
