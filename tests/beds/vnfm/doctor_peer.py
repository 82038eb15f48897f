"""A VNF manager like the sample of OPNFV Doctor's maintenance test, as a process: standard library only, no line of Escalator.

    python doctor_peer.py --log FILE --cloud FILE --group ID --lead-time S

The file of the cloud is JSON: auth_url, username, password, project_name. It looks up Nova and the interface for maintenance in
Keystone's catalog, declares constraints for its servers (an active and a standby one in a server group, the others without), and
prints one line of JSON, `{"port": …, "service": …}`. Its service listens on the second port as long as the active server holds
the floating address, which it moves to the other one before it lets the active server go. Asked to scale in it deletes two of
the others and answers when they are gone; when all is over it makes as many anew. Everything goes to the log.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import json
import socket
import threading
import time
import urllib.error
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SCALE = 2
SWITCH_S = 0.3
"""How long the floating address is nobody's."""
GONE_S = 60.0


class Cloud:
    """A tenant's view."""

    def __init__(self, given) -> None:
        self.given = given
        self.token, self.project, self.catalog = None, None, {}
        self.log_in()

    def log_in(self) -> None:
        user = {"name": self.given["username"], "password": self.given["password"], "domain": {"id": "default"}}
        scope = {"project": {"name": self.given["project_name"], "domain": {"id": "default"}}}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
        request = urllib.request.Request(
            f"{self.given['auth_url']}/v3/auth/tokens", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            self.token = response.headers["X-Subject-Token"]
            found = json.load(response)["token"]
        self.project = found["project"]["id"]
        for service in found["catalog"]:
            urls = [e["url"] for e in service["endpoints"] if e["interface"] == "public"]
            self.catalog[service["type"]] = urls[0] if urls else None

    def call(self, method, url, body=None):
        headers = {"Content-Type": "application/json", "X-Auth-Token": self.token, "OpenStack-API-Version": "compute 2.87"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, json.loads(response.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(errors="replace")

    def nova(self, method, path, body=None):
        return self.call(method, self.catalog["compute"] + path, body)

    def servers(self):
        return {server["id"]: server for server in self.nova("GET", "/servers/detail")[1]["servers"]}


class Service:
    """What the active server serves: it is there while somebody holds the floating address."""

    def __init__(self) -> None:
        self.socket = None
        self.port = 0
        self.open()

    def open(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", self.port))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, args=(self.socket,), daemon=True).start()

    def serve(self, listening) -> None:
        with contextlib.suppress(OSError):
            while True:
                listening.accept()[0].close()

    def close(self) -> None:
        # Only a shutdown ends a thread that waits to accept.
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class Manager:
    def __init__(self, given) -> None:
        self.given = given
        self.cloud = Cloud(json.loads(Path(given.cloud).read_text()))
        self.lock = threading.Lock()
        self.turn = threading.Lock()
        servers = self.cloud.servers()
        self.ha = sorted(key for key, server in servers.items() if server["name"].startswith("ha-"))
        self.others = {key: server for key, server in servers.items() if key not in self.ha}
        self.wanted = len(self.others)
        self.active = self.ha[0]
        self.spare_group = str(uuid.uuid4())
        self.service = Service()
        self.declare_groups()
        for key in servers:
            self.declare(key)

    def log(self, what, **more):
        with self.lock, Path(self.given.log).open("a") as file:
            file.write(json.dumps({"what": what, "at": time.time(), **more}) + "\n")

    def put(self, path, body):
        status, answer = self.cloud.call("PUT", f"{self.cloud.catalog['maintenance']}{path}", body)
        self.log("declared", path=path, status=status, answer=answer)

    def declare_groups(self):
        for group, ha in ((self.given.group, True), (self.spare_group, False)):
            body = {
                "group_id": group, "project_id": self.cloud.project, "anti_affinity_group": ha,
                "group_name": "doctor_ha_app_group" if ha else "doctor_nonha_app_group",
                "max_instances_per_host": 1 if ha else 0, "max_impacted_members": 1 if ha else SCALE,
                "recovery_time": 4 if ha else 2, "resource_mitigation": True,
            }  # fmt: skip
            self.put(f"/instance_group/{group}", body)

    def declare(self, key):
        ha = key in self.ha
        body = {
            "instance_id": key, "project_id": self.cloud.project, "group_id": self.given.group if ha else self.spare_group,
            "instance_name": key, "max_interruption_time": 120, "migration_type": "MIGRATE", "resource_mitigation": True,
            "lead_time": self.given.lead_time,
        }  # fmt: skip
        self.put(f"/instance/{key}", body)

    def hear(self, alarm):
        said = {}
        for name, _, value in alarm["reason_data"]["event"]["traits"]:
            said[name] = ast.literal_eval(value) if value[:1] in "[{" else value
        self.log("event", state=said["state"], traits=said)
        with self.turn:
            reply = getattr(self, said["state"].lower())(said)
            if reply is not None:
                body = {"session_id": said["session_id"], **reply}
                status, answer = self.cloud.call("PUT", said["reply_url"], body)
                self.log("replied", status=status, answer=answer, reply=body)

    def ids(self, said):
        ids = said["instance_ids"]
        return ids if isinstance(ids, list) else self.cloud.call("GET", ids)[1]["instance_ids"]

    def maintenance(self, said):
        strange = set(self.ids(said)) - self.cloud.servers().keys()
        return {"state": "NACK_MAINTENANCE" if strange else "ACK_MAINTENANCE"}

    def scale_in(self, _said):
        going = sorted(self.others, key=lambda key: self.others[key]["name"])[-SCALE:]
        for key in going:
            del self.others[key]
            self.cloud.nova("DELETE", f"/servers/{key}")
        end = time.monotonic() + GONE_S
        while set(going) & self.cloud.servers().keys() and time.monotonic() < end:
            time.sleep(0.3)
        self.log("scaled-in", servers=going)
        return {"state": "ACK_SCALE_IN"}

    def planned_maintenance(self, said):
        ids = self.ids(said)
        if self.active in ids:
            self.service.close()
            time.sleep(SWITCH_S)
            left, self.active = self.active, next(key for key in self.ha if key != self.active)
            self.service.open()
            self.log("switched", left=left, active=self.active)
        return {"state": f"ACK_{said['state']}", "instance_actions": dict.fromkeys(ids, "MIGRATE")}

    prepare_maintenance = planned_maintenance

    def instance_action_done(self, _said):
        return None

    def maintenance_complete(self, _said):
        model = self.cloud.nova("GET", f"/servers/{self.ha[0]}")[1]["server"]
        flavors = self.cloud.nova("GET", "/flavors")[1]["flavors"]
        flavor = next(one["id"] for one in flavors if one["name"] == model["flavor"]["original_name"])
        while len(self.others) < self.wanted:
            name = f"other-{uuid.uuid4().hex[:4]}"
            server = {"name": name, "imageRef": model["image"]["id"], "flavorRef": flavor, "networks": "none"}
            key = self.cloud.nova("POST", "/servers", {"server": server})[1]["server"]["id"]
            self.others[key] = server
            self.declare(key)
            self.log("scaled-out", server=key)
        return {"state": "ACK_MAINTENANCE_COMPLETE"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(405)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        threading.Thread(target=self.server.manager.hear, args=(body,), daemon=True).start()
        self.answer(200)

    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser()
    for name in ("log", "cloud", "group"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--lead-time", type=int, default=40)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.manager = Manager(parser.parse_args())
    print(json.dumps({"port": server.server_port, "service": server.manager.service.port}), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
