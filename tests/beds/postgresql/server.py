"""A PostgreSQL cluster of our own: made for one test run, on loopback alone, forgotten afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg

START_TIMEOUT_S = 30.0
INSTALL_TIMEOUT_S = 600.0
HOST = "127.0.0.1"
SETTINGS = (
    "fsync=off",  # nobody wants these data back
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=200",
    "log_min_messages=fatal",
)


class MissingError(Exception):
    """There is no PostgreSQL here, and none can be installed."""


def binaries() -> Path:
    """Return the folder of PostgreSQL's programs; installs the package when there is none and we may."""
    found = _installed()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for argv in (["apt-get", "update", "-q"], ["apt-get", "install", "-q", "-y", "--no-install-recommends", "postgresql"]):
            subprocess.run(argv, check=False, env=environment, timeout=INSTALL_TIMEOUT_S, capture_output=True)
        found = _installed()
    if found is None:
        raise MissingError("PostgreSQL is not installed")
    return found


def _installed() -> Path | None:
    on_path = shutil.which("initdb")
    newest_last = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return Path(on_path).parent if on_path else newest_last[-1].parent if newest_last else None


class Server:
    """One running cluster."""

    def __init__(self) -> None:
        self._bin = binaries()
        # A server refuses to run as root; then it runs as the user that its package made.
        self._user = "postgres" if os.geteuid() == 0 else None
        self._home = Path(tempfile.mkdtemp(prefix="escalator-postgresql-"))
        if self._user:
            shutil.chown(self._home, self._user)
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._run(
            [str(self._bin / "initdb"), "-D", str(self._home / "data"), "-U", "escalator", "-A", "trust", "-N", "-E", "UTF8"]
        )
        self.start()

    def _run(self, argv: Sequence[str]) -> None:
        subprocess.run(argv, check=True, user=self._user, cwd=self._home, capture_output=True, timeout=START_TIMEOUT_S)

    def url(self, database: str) -> str:
        """Return the address of one of its databases."""
        return f"postgresql://escalator@{HOST}:{self.port}/{database}"

    def start(self) -> None:
        """Start and wait until it answers."""
        settings = [word for setting in SETTINGS for word in ("-c", setting)]
        where = ["-D", str(self._home / "data"), "-h", HOST, "-p", str(self.port), "-k", str(self._home)]
        # The server goes down with the test run, however that ends.
        dies_with_us = ["setpriv", "--pdeathsig", "INT", "--"] if shutil.which("setpriv") else []
        self._process = subprocess.Popen(
            [*dies_with_us, str(self._bin / "postgres"), *where, *settings],
            user=self._user,
            cwd=self._home,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("PostgreSQL did not start")
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        """Stop at once, breaking all connections."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=START_TIMEOUT_S)
            self._process = None

    def execute(self, statement: str) -> None:
        """Run one statement as the owner, outside transactions."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """A new database for as long as the block runs, as the template is; gives its name."""
        name = f"test_{uuid.uuid4().hex}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield name
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def close(self) -> None:
        """Stop, and leave nothing behind."""
        self.stop()
        shutil.rmtree(self._home)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
