"""The processes of one bed: database, broker, and OpenStack's services."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from beds.openstack import config, processes
from beds.openstack.layout import DAEMONS, Layout

WAIT_S = 150.0
"""The longest that one service may take to come up; they take 2 to 15 s on an idle machine."""
POLL_S = 0.1
WSGI = {
    "keystone": ("keystone.wsgi.api", 8),
    "placement": ("placement.wsgi.api", 8),
    "glance": ("glance.wsgi.api", 4),
    "nova": ("nova.wsgi.osapi_compute", 12),
}


class Services:
    """Starts and stops what one layout needs."""

    def __init__(self, layout: Layout, venv: Path) -> None:
        self.layout = layout
        self.venv = venv
        self._children: list[subprocess.Popen[bytes]] = []

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of OpenStack's processes: nothing of the caller's but the path."""
        etc = self.layout.etc
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.layout.run),
            "LANG": "C.UTF-8",
            "PYTHONWARNINGS": "ignore",
            "OS_KEYSTONE_CONFIG_DIR": str(etc / "keystone"),
            "OS_NOVA_CONFIG_DIR": str(etc / "nova"),
            "OS_PLACEMENT_CONFIG_DIR": str(etc / "placement"),
            "OS_GLANCE_CONFIG_DIR": str(etc / "glance"),
            "OS_CLIENT_CONFIG_FILE": str(self.layout.clouds),
            "OSBED_STATE": str(self.layout.state / "vms"),
            "OSBED_HOSTS": str(self.layout.hosts),
            **more,
        }

    def python(self, *words: str | Path, **more: str) -> None:
        """Run one of the bed's scripts to its end."""
        self.run([self.venv / "bin" / "python", *words], **more)

    def run(self, argv: Sequence[str | Path], **more: str) -> None:
        """Run a command to its end; its error output is in the exception."""
        done = subprocess.run(
            [str(word) for word in argv],
            env=self.environment(**more),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{argv[0]} ended with {done.returncode}: {done.stderr.strip()[-1500:]}")

    def sql(self, statements: bytes) -> None:
        """Let the database run these statements."""
        argv = ["mysql", "--no-defaults", "-uroot", "-S", str(self.layout.socket)]
        subprocess.run(argv, input=statements, check=True, capture_output=True)

    def dump(self, *databases: str) -> bytes:
        """The databases as statements."""
        argv = ["mysqldump", "--no-defaults", "-uroot", "-S", str(self.layout.socket)]
        argv += ["--hex-blob", "--skip-comments", "--databases", *databases]
        return subprocess.run(argv, check=True, capture_output=True).stdout

    # Starting

    def start_database(self) -> None:
        run = self.layout.run
        data = run / "mysql"
        if not data.exists():
            argv = ["mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={data}", "--skip-test-db"]
            self.run([*argv, "--auth-root-authentication-method=normal"])
        argv = ["mariadbd", "--no-defaults", "--user=root", f"--datadir={data}", f"--socket={self.layout.socket}"]
        argv += ["--skip-networking", "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=256M"]
        argv += ["--max-connections=1000", "--skip-log-bin", "--performance-schema=off", f"--pid-file={run}/mysqld.pid"]
        self._spawn("mysql", argv)
        self.wait("mysql", self._database_answers)

    def _database_answers(self) -> bool:
        argv = ["mysqladmin", "--no-defaults", "-uroot", "-S", str(self.layout.socket), "ping"]
        return subprocess.run(argv, capture_output=True, check=False).returncode == 0

    def start_broker(self) -> None:
        """Start RabbitMQ; `wait_broker` says when it is up."""
        home = self.layout.run / "rabbit"
        home.mkdir(exist_ok=True)
        script = next(iter(sorted(Path("/usr/lib/rabbitmq/lib").glob("*/sbin/rabbitmq-server"))))
        flags = "+sbwt none +sbwtdcpu none +sbwtdio none +S 2:2 -kernel inet_dist_use_interface {127,0,0,1}"
        environment = self.environment(
            RABBITMQ_NODENAME=f"osbed{self.layout.base}@localhost",
            RABBITMQ_NODE_IP_ADDRESS="127.0.0.1",
            RABBITMQ_NODE_PORT=str(self.layout.port("rabbit")),
            RABBITMQ_DIST_PORT=str(self.layout.port("rabbit_dist")),
            ERL_EPMD_PORT=str(self.layout.port("epmd")),
            ERL_EPMD_ADDRESS="127.0.0.1",
            RABBITMQ_MNESIA_BASE=str(home / "mnesia"),
            RABBITMQ_LOG_BASE=str(self.layout.logs / "rabbit"),
            RABBITMQ_PID_FILE=str(home / "rabbit.pid"),
            RABBITMQ_ENABLED_PLUGINS_FILE=str(home / "plugins"),
            RABBITMQ_CONF_ENV_FILE="/dev/null",
            RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=flags,
        )
        environment["HOME"] = str(home)
        # Erlang's name server would otherwise start itself out of our sight and outlive the broker.
        self._spawn("epmd", ["epmd"], environment)
        self._spawn("rabbit", [script], environment)

    def wait_broker(self) -> None:
        self.wait("rabbit", lambda: _listens(self.layout.port("rabbit")))

    def start_api(self, service: str) -> None:
        """Start one of OpenStack's APIs; `wait_api` says when it answers."""
        module, threads = WSGI[service]
        argv = [self._python, DAEMONS / "serve.py", service, module, str(self.layout.port(service)), str(threads)]
        self._spawn(service, argv)

    def wait_api(self, service: str) -> None:
        self.wait(service, lambda: _answers(self.layout.url(service, "/")))

    def start_neutron(self) -> None:
        argv = [self._python, DAEMONS / "neutron_stub.py", str(self.layout.port("neutron")), self.layout.ports_file]
        self._spawn("neutron", argv)

    def start_daemon(self, name: str) -> None:
        """Start `nova-conductor` or `nova-scheduler`; both end at once when Keystone does not know their user."""
        self._spawn(name, [self.venv / "bin" / name, "--config-file", self.nova_conf])

    def start_computes(self, hosts: Sequence[str]) -> None:
        argv = [self._python, DAEMONS / "computes.py", self.nova_conf, self.layout.run, *hosts]
        self._spawn("zygote", argv)

    @property
    def nova_conf(self) -> Path:
        return self.layout.etc / "nova" / "nova.conf"

    @property
    def _python(self) -> Path:
        return self.venv / "bin" / "python"

    def _spawn(self, name: str, argv: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> None:
        pid_file, log = self.layout.pids / f"{name}.pid", self.layout.logs / f"{name}.out"
        child = processes.spawn(argv, pid_file=pid_file, log=log, environment=environment or self.environment())
        self._children.append(child)

    def wait(self, name: str, ready: object) -> None:
        """Wait until `ready()`; a service that ended meanwhile is an error with the end of its output."""
        assert callable(ready)
        end = time.monotonic() + WAIT_S
        while not ready():
            processes.reap(self._children)
            if processes.living(self.layout.pids / f"{name}.pid") is None:
                raise RuntimeError(f"{name} ended while it started: {_tail(self.layout.logs / f'{name}.out')}")
            if time.monotonic() > end:
                raise RuntimeError(f"{name} is not up after {WAIT_S:.0f} s: {_tail(self.layout.logs / f'{name}.out')}")
            time.sleep(POLL_S)

    def write_config(self) -> None:
        self.layout.make()
        config.write(self.layout, self.venv)

    def stop(self) -> None:
        """Stop everything of this layout, started by this object or by an earlier one, and remove its folder."""
        pids = self.layout.pids
        infra = [pids / f"{name}.pid" for name in ("mysql", "rabbit", "epmd")]
        # The zygote first, lest it starts a host again; hypervisors hold nothing worth a graceful end.
        processes.stop([pids / "zygote.pid"], self._children)
        processes.stop(pids.glob("compute-*.pid"), self._children, grace_s=0.0)
        processes.stop((f for f in pids.glob("*.pid") if f not in infra), self._children, grace_s=3.0)
        processes.stop(infra[:2], self._children, grace_s=15.0)
        processes.stop(infra[2:], self._children)
        shutil.rmtree(self.layout.run, ignore_errors=True)


def _tail(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace")[-1500:] if file.exists() else "(no output)"


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
