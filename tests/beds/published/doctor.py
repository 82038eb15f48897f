"""The application managers of OPNFV Doctor's maintenance test as a process: as published, and stand-ins for what they call.

    PYTHONPATH=CHECKOUT PYTHON-OF-ITS-VENV doctor.py --log FILE --config FILE

Doctor's own, unchanged: `doctor_tests/app_manager/sample.py` or `vnfm.py`, with its clients of OpenStack. Stand-ins: the log and
the configuration that its test passes; the Heat stack, which it updates to scale; and in front of Keystone, Nova and Neutron
something that hands on all calls, and has the floating address, which no port of a cloud without networks can hold. No line of
Escalator.

The file of the configuration is JSON: `kind` (`sample` or `vnfm`), `port`, `project_name`, `front` (a port), `identity`,
`compute` and `network` (how the addresses of the real services begin), `boot` (what one more server is, in Nova's words). It
prints one line of JSON: `port`, and as `service` that of the front. `POST /stop` there ends the manager, as Doctor's test does.
All goes to the log, a JSON object a line: `said` by the manager, `called` (each call of its process), `switched`, `scaled`.
"""

import argparse
import json
import logging
import os
import re
import socket
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from doctor_tests import os_clients
from doctor_tests.app_manager import OPTS, get_app_manager
from doctor_tests.identity_auth import get_identity_auth, get_session
from oslo_config import cfg

ADDRESS = "198.51.100.7"
HOP = {"connection", "content-length", "transfer-encoding", "content-encoding", "host", "accept-encoding", "keep-alive"}
WAIT_S = 120.0


class Cloud:
    """In front of the real services, by the first part of the path; the floating address is here."""

    def __init__(self, given, log):
        self.log = log
        self.own = f"http://127.0.0.1:{given['front']}"
        self.real = {kind: given[kind] for kind in ("identity", "compute", "network")}
        self.active = None
        self.manager = None

    def call(self, method, path, headers, body):
        kind, _, rest = path.lstrip("/").partition("/")
        if kind == "network":
            found = self.network(method, rest, body)
            if found is not None:
                return 200, {"Content-Type": "application/json"}, json.dumps(found).encode()
        move = re.fullmatch(r"v2\.1(?:/[0-9a-f]{32})?/servers/([0-9a-f-]{36})/action", rest)
        if kind == "compute" and move and b"addFloatingIp" in body:
            self.switch(move[1])
            return 202, {}, b""
        status, found, content = self.hand_on(method, f"{self.real[kind]}/{rest}", headers, body)
        return status, found, self.mine(kind, rest, content)

    def hand_on(self, method, url, headers, body):
        kept = {name: value for name, value in headers.items() if name.lower() not in HOP}
        request = urllib.request.Request(url, body or None, kept, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def mine(self, kind, path, content):
        """The answer with our addresses in it, and of each server the one that it would have."""
        for name, real in self.real.items():
            content = content.replace(real.encode(), f"{self.own}/{name}".encode())
        if kind != "compute" or "/servers/detail" not in path:
            return content
        found = json.loads(content)
        for server in sorted(found["servers"], key=lambda one: one["name"]):
            if self.active is None and "doctor_ha_app_" in server["name"]:
                self.active = server["id"]
            floating = [{"addr": ADDRESS, "version": 4, "OS-EXT-IPS:type": "floating"}] if server["id"] == self.active else []
            server["addresses"] = {"doctor": [{"addr": "192.0.2.1", "version": 4, "OS-EXT-IPS:type": "fixed"}, *floating]}
        return json.dumps(found).encode()

    def network(self, method, path, body):
        if method == "GET" and (port := re.match(r"v2\.0/ports(?:\.json)?\?device_id=([0-9a-f-]{36})$", path)):
            return {"ports": [{"id": f"port-of-{port[1]}"}]}
        if method == "GET" and path.startswith("v2.0/floatingips"):
            return {"floatingips": [{"id": "the-one", "floating_ip_address": ADDRESS}]}
        if method == "PUT" and path.startswith("v2.0/floatingips/the-one"):
            self.switch(json.loads(body)["floatingip"]["port_id"].removeprefix("port-of-"))
            return {"floatingip": {"id": "the-one"}}
        return None

    def switch(self, server):
        self.log("switched", left=self.active, active=server, at=time.time())
        self.active = server


class Stack:
    """Heat's stack of the VNF: an update is over when Nova has as many servers as it says."""

    stack_name, stack_id, template, files = "doctor_test_maintenance", "stack-1", {}, {}

    def __init__(self, nova, given, log):
        self.nova, self.given, self.log = nova, given, log
        self.parameters = {"nonha_intances": len(self.others())}

    def others(self):
        return sorted((s for s in self.nova.servers.list() if "doctor_nonha_app_" in s.name), key=lambda one: one.name)

    def update(self, _name, _id, _template, parameters, files):
        assert files is self.files
        wanted, now = parameters["nonha_intances"], self.others()
        gone = now[wanted:]
        for server in gone:
            server.delete()
        for number in range(len(now), wanted):
            body = {"server": {**self.given["boot"], "name": f"doctor_nonha_app_{number + 1}"}}
            self.nova.servers.api.client.post("/servers", body=body)
        end = time.monotonic() + WAIT_S
        while [one.status for one in self.others()] != ["ACTIVE"] * wanted and time.monotonic() < end:
            time.sleep(0.3)
        self.log("scaled", gone=[one.id for one in gone], to=wanted, at=time.time())


class Front(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/stop":
            self.server.cloud.manager.stop()
            status, headers, content = 200, {}, b""
        else:
            status, headers, content = self.server.cloud.call(self.command, self.path, self.headers, body)
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in HOP | {"server", "date"}:
                self.send_header(name, self.server.cloud.mine("", "", value.encode()).decode())
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = handle_any  # noqa: N815 - names of the standard library

    def log_message(self, *_):
        pass


class Calls(logging.Handler):
    """What requests says of each call that it made."""

    LINE = re.compile(r'"(?P<method>[A-Z]+) (?P<path>\S+) HTTP/1.1" (?P<status>\d+)')

    def __init__(self, log):
        super().__init__()
        self.note = log

    def emit(self, record):
        found = self.LINE.search(record.getMessage())
        if found:
            self.note("called", method=found["method"], path=found["path"], status=int(found["status"]))


class Said(logging.Handler):
    def __init__(self, log):
        super().__init__()
        self.note = log

    def emit(self, record):
        self.note("said", text=record.getMessage(), level=record.levelname)


def configuration(given):
    conf = cfg.ConfigOpts()
    conf.register_opts(OPTS, group="app_manager")
    conf.register_opts(os_clients.OPTS)
    conf.register_opts([cfg.StrOpt("doctor_project")])
    conf.register_opts([cfg.StrOpt("type")], group="admin_tool")
    conf([], project="doctor", default_config_files=[])
    conf.set_override("type", given["kind"], "app_manager")
    conf.set_override("port", given["port"], "app_manager")
    conf.set_override("type", "fenix", "admin_tool")
    conf.set_override("doctor_project", given["project_name"])
    return conf


def until_it_listens(port):
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        with socket.socket() as trial:
            if trial.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("it does not listen")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--log", required=True)
    parser.add_argument("--config", required=True)
    arguments = parser.parse_args()
    given, lock = json.loads(Path(arguments.config).read_text()), threading.Lock()

    def log(what, **more):
        with lock, Path(arguments.log).open("a") as file:
            file.write(json.dumps({"what": what, **more}) + "\n")

    # Flask says where it listens, too; what tests read is ours alone.
    told = os.dup(1)
    os.dup2(2, 1)
    for name, handler in (("urllib3", Calls(log)), ("doctor", Said(log))):
        logging.getLogger(name).setLevel(logging.DEBUG)
        logging.getLogger(name).addHandler(handler)
    cloud = Cloud(given, log)
    front = ThreadingHTTPServer(("127.0.0.1", given["front"]), Front)
    front.daemon_threads, front.cloud = True, cloud
    threading.Thread(target=front.serve_forever, daemon=True).start()
    conf = configuration(given)
    nova = os_clients.nova_client(conf.nova_version, get_session(auth=get_identity_auth(project=conf.doctor_project)))
    stack = Stack(nova, given, log)
    cloud.manager = get_app_manager(stack, conf, logging.getLogger("doctor"))
    cloud.manager.start()
    until_it_listens(given["port"])
    os.write(told, json.dumps({"port": given["port"], "service": given["front"]}).encode() + b"\n")


if __name__ == "__main__":
    main()
