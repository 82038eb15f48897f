"""A RabbitMQ node of our own: on loopback alone, with its own ports, cookie and name server, forgotten afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from beds.vnfm.authority import Authority

START_S = 60.0
HOST = "127.0.0.1"
USER, PASSWORD = "escalator", "swordfish-of-the-broker"
_FLAGS = "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}"


class MissingError(Exception):
    """There is no RabbitMQ here."""


def script() -> Path:
    """Debian's start script, without the wrapper that changes the user."""
    found = sorted(Path("/usr/lib/rabbitmq/lib").glob("*/sbin/rabbitmq-server"))
    if not found:
        raise MissingError("rabbitmq-server is not installed")
    return found[-1]


class Broker:
    """One running node, over plain AMQP and over TLS."""

    def __init__(self) -> None:
        self._script = script()
        self._home = Path(tempfile.mkdtemp(prefix="escalator-rabbitmq-"))
        authority = Authority(self._home)
        self.ca_file = authority.file
        certificate = authority.issue("broker")
        self.port, self.tls_port, self._dist, self._names = (_free_port() for _ in range(4))
        lines = [
            f"listeners.tcp.local = {HOST}:{self.port}",
            f"listeners.ssl.default = {HOST}:{self.tls_port}",
            f"ssl_options.cacertfile = {self.ca_file}",
            f"ssl_options.certfile = {certificate}",
            f"ssl_options.keyfile = {certificate}",
            "ssl_options.verify = verify_none",
            f"default_user = {USER}",
            f"default_pass = {PASSWORD}",
            "vm_memory_high_watermark.absolute = 512MiB",
            "disk_free_limit.absolute = 10MB",
        ]
        (self._home / "rabbitmq.conf").write_text("\n".join(lines) + "\n")
        self._children: list[subprocess.Popen[bytes]] = []
        self._spawn("epmd")
        self.start()

    def url(self, *, tls: bool = False, password: str = PASSWORD) -> str:
        port = self.tls_port if tls else self.port
        return f"amqp{'s' if tls else ''}://{USER}:{password}@{HOST}:{port}/"

    def start(self) -> None:
        """Start and wait until it takes connections."""
        node = self._spawn(str(self._script))
        deadline = time.monotonic() + START_S
        while not (_listens(self.port) and _listens(self.tls_port)):
            if node.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"RabbitMQ did not start: {(self._home / 'output').read_text()[-2000:]}")
            time.sleep(0.1)

    def stop(self) -> None:
        """Kill the node at once, as a power cut does; what it has on disk stays."""
        self._end(self._children.pop())
        while _listens(self.port) or _listens(self.tls_port):
            time.sleep(0.01)

    def close(self) -> None:
        """End everything, and leave nothing behind."""
        while self._children:
            self._end(self._children.pop())
        shutil.rmtree(self._home)

    def _spawn(self, program: str) -> subprocess.Popen[bytes]:
        home = self._home
        own = {
            "HOME": str(home),
            "RABBITMQ_NODENAME": f"escalator{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self._dist),
            "ERL_EPMD_PORT": str(self._names),
            "ERL_EPMD_ADDRESS": HOST,
            "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
            "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
            "RABBITMQ_LOG_BASE": str(home / "log"),
            "RABBITMQ_PID_FILE": str(home / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": _FLAGS,
        }
        with (home / "output").open("ab") as output:
            child = subprocess.Popen([program], env={**os.environ, **own}, stdout=output, stderr=output, start_new_session=True)
        self._children.append(child)
        return child

    def _end(self, child: subprocess.Popen[bytes]) -> None:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait(timeout=START_S)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as probe:
        return int(probe.getsockname()[1])
