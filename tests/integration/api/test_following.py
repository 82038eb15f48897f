"""`event list --follow` as a process, while the server is killed and started again."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from integration.api.test_serving import SOURCE, configuration, serving
from unit.cli.terminal import run

LONGEST_S = 60


@contextmanager
def following(environment: dict[str, str], *words: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "escalator.main", "event", "list", "--follow", "-f", "json", *words]
    known = {"PYTHONPATH": str(SOURCE), "PATH": os.environ["PATH"], **environment}
    with subprocess.Popen(command, env=known, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1) as process:
        try:
            yield process
        finally:
            process.kill()


def object_of_next(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], LONGEST_S)[0], "no line came"
    return str(json.loads(process.stdout.readline())["object_id"])


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def register(environment: dict[str, str], name: str) -> None:
    assert run("vnfm", "register", name, "--dialect", "simulated", environment=environment).code == 0


def test_following_goes_on_when_the_server_is_killed_and_started_again(tmp_path: Path) -> None:
    port = free_port()
    file = configuration(tmp_path, server={"port": port})
    environment = {"ESCALATOR_URL": f"http://127.0.0.1:{port}", "ESCALATOR_STATE_DIR": str(tmp_path / "state")}
    with serving(file) as (server, _):
        register(environment, "first")
        register(environment, "second")
        with following(environment, "--limit", "1") as process:
            assert object_of_next(process) == "second"
            server.send_signal(signal.SIGKILL)
            server.wait()
            with serving(file) as (again, _):
                register(environment, "third")
                assert process.stdout is not None
                rows = [json.loads(process.stdout.readline()) for _ in range(2)]
                assert [(row["action"], row["object_id"]) for row in rows][1:] == [("vnfm.register", "third")]
                assert rows[0]["action"] == "server.start"
                again.send_signal(signal.SIGTERM)
                assert process.stderr is not None
                said = [process.stderr.readline(), process.stderr.readline()]
                assert said[0].startswith(f"The connection to {environment['ESCALATOR_URL']}")
                assert said[1] == "The server ended the stream; asking again.\n"


def test_a_server_that_is_not_there_to_begin_with_is_not_waited_for(tmp_path: Path) -> None:
    environment = {"ESCALATOR_URL": f"http://127.0.0.1:{free_port()}", "ESCALATOR_STATE_DIR": str(tmp_path)}
    found = run("event", "list", "--follow", environment=environment)
    assert (found.code, "No server answers" in found.err) == (1, True)
