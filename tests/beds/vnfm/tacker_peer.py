"""Today's Tacker (v2 API) as a process: standard library only, no line of Escalator.

    python tacker_peer.py --log FILE --notifier URL --tenant NAME [--token TOKEN] [--fault-id 1111] [--pack 0.1]
                          [--action URL] [--never-heal] [--hold] [--again] [--lost]

It prints one line of JSON, `{"port": ...}`. `POST /control {"register": [ID, ...]}` lets it register an alarm for each server at
`URL/v2/NAME/servers/ID/alarms`. It takes notifications at the address that it gave there, which has two slashes as Tacker's own
default has, checks them as Tacker does and answers 204, or 400 for one that it does not know. What comes within `--pack` seconds
is healed together: the alarms are deleted, then the servers (the log says `deleted`: there is no cloud here), and the new ones
registered. With `--hold` servers are deleted when `{"release": true}` lets it; with `--again` healing fails, and the alarms are
registered anew; with `--lost` the calls that take alarms back do not get through, and are not repeated. `--never-heal` takes
notifications and does nothing; `--action` is another beginning for the addresses that it gives. `{"deregister": [ID, ...]}`
does just that, and `{"refuse": {ID: STATUS}}` lets it answer notifications with that status. Everything goes to the log.
"""

from __future__ import annotations

import argparse
import json
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

VNF = "1a2b3c4d"


def options():
    parser = argparse.ArgumentParser()
    for name in ("log", "notifier", "tenant"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--token")
    parser.add_argument("--fault-id", action="append")
    parser.add_argument("--pack", type=float, default=0.1)
    parser.add_argument("--action")
    for flag in ("never-heal", "hold", "again", "lost"):
        parser.add_argument(f"--{flag}", action="store_true")
    return parser.parse_args()


class Peer:
    def __init__(self, given, port) -> None:
        self.given = given
        self.fault_ids = given.fault_id or ["1111"]
        self.action = given.action or f"http://127.0.0.1:{port}/"
        self.lock = threading.Lock()
        self.released = threading.Event()
        self.refuse: dict[str, int] = {}
        self.alarms: dict[str, str] = {}
        self.packed: set[str] | None = None

    def log(self, what, **more):
        with self.lock, Path(self.given.log).open("a") as file:
            file.write(json.dumps({"what": what, **more}) + "\n")

    def call(self, method, path, body=None):
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.given.token:
            headers["X-Auth-Token"] = self.given.token
        data = None if body is None else json.dumps(body).encode()
        url = f"{self.given.notifier}/v2/{self.given.tenant}/servers/{path}"
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=10) as response:
                return response.status, json.loads(response.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def register(self, server):
        action = f"{self.action}/server_notification/vnf_instances/{VNF}/servers/{server}/notify"
        status, answer = self.call("POST", f"{server}/alarms", {"fault_action": action, "fault_id": self.fault_ids})
        if status < 400 and "alarm_id" in answer:
            self.alarms[server] = answer["alarm_id"]
        self.log("registered", server=server, status=status, answer=answer)

    def deregister(self, server):
        status, answer = self.call("DELETE", f"{server}/alarms/{self.alarms.pop(server)}")
        self.log("deregistered", server=server, status=status, answer=answer)

    def notified(self, path, body):
        said = body["notification"]
        server = path.split("/")[-2]
        status = self.judged(path, server, said)
        self.log("notified", server=server, said=said, status=status)
        if status == 204 and not self.given.never_heal:
            with self.lock:
                if self.packed is None:
                    self.packed = set()
                    threading.Timer(self.given.pack, self.heal).start()
                self.packed.add(server)
        return status

    def judged(self, path, server, said):
        if server in self.refuse:
            return self.refuse[server]
        known = path == f"//server_notification/vnf_instances/{VNF}/servers/{server}/notify"
        known = known and self.alarms.get(server) == said["alarm_id"] and said["fault_id"] in self.fault_ids
        return 204 if known and len(said["fault_type"]) == 2 and isinstance(said.get("fault_option", {}), dict) else 400

    def heal(self):
        with self.lock:
            servers, self.packed = sorted(self.packed or ()), None
        for server in () if self.given.lost else servers:
            self.deregister(server)
        if self.given.hold:
            self.released.wait()
        for server in servers:
            if self.given.again:
                self.register(server)
            else:
                self.log("deleted", server=server)
        for server in () if self.given.again else servers:
            self.register(f"{server}-healed")

    def control(self, body):
        for server in body.get("register", ()):
            self.register(server)
        for server in body.get("deregister", ()):
            self.deregister(server)
        if "refuse" in body:
            self.refuse = body["refuse"]
        if body.get("release"):
            self.released.set()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(404)

    def do_POST(self):
        # `self.path` has lost one of two slashes at its beginning.
        path = self.requestline.split()[1]
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if path == "/control":
            self.server.peer.control(body)
            self.answer(204)
        else:
            self.answer(self.server.peer.notified(path, body))

    def answer(self, status):
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def main():
    given = options()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.peer = Peer(given, server.server_port)
    print(json.dumps({"port": server.server_port}), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
