"""VNF managers made for OpenStack Fenix, as a process: standard library only, no line of Escalator.

    python fenix_peer.py --like doctor|tacker --log FILE --token TOKEN --project ID
                         [--action MIGRATE] [--refuse] [--silent] [--no-token] [--hold] [--only ID]… [--works SECONDS]

It prints one line of JSON, `{"port": …}`. Like Doctor's sample it evaluates traits as YAML does, reads the list of its
instances where it is given an address, switches the active role before it answers, and says `instance_actions`. Like Tacker's
plug-in it evaluates lists and mappings as Python, insists on the traits that Tacker needs, says `instance_action`, PUTs an
answer about a migration twice, answers INSTANCE_ACTION_DONE, too, takes nothing but 200 for a success and repeats what had
none five times. With `--only` it is silent about all other instances. With `--works` it answers an event after that time, as
clients do that scale first. Everything goes to the log, one JSON object a line.
`POST /control {"release": true}` lets go what is held; with `{"only": [ID, …]}` it is silent about all but these from now on,
and with an empty list about none.
"""

from __future__ import annotations

import argparse
import ast
import json
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

NEEDED = ("instance_ids", "session_id", "state", "reply_url")
STATES = (
    "MAINTENANCE",
    "SCALE_IN",
    "MAINTENANCE_COMPLETE",
    "PREPARE_MAINTENANCE",
    "PLANNED_MAINTENANCE",
    "INSTANCE_ACTION_DONE",
)
MOVES = ("PREPARE_MAINTENANCE", "PLANNED_MAINTENANCE")
TRIES = 5


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--like", choices=("doctor", "tacker"), required=True)
    parser.add_argument("--log", required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--project", required=True)
    parser.add_argument("--action", default="MIGRATE")
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--works", type=float, default=0.0)
    for flag in ("refuse", "silent", "no-token", "hold"):
        parser.add_argument(f"--{flag}", action="store_true")
    return parser.parse_args()


class Peer:
    def __init__(self, given) -> None:
        self.given = given
        self.lock = threading.Lock()
        self.released = threading.Event()
        self.active = "first"

    def log(self, what, **more):
        with self.lock, Path(self.given.log).open("a") as file:
            file.write(json.dumps({"what": what, **more}) + "\n")

    def call(self, method, url, body=None):
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if not self.given.no_token:
            headers["X-Auth-Token"] = self.given.token
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status, json.loads(response.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def traits(self, alarm):
        event = alarm["reason_data"]["event"]
        assert event["event_type"] == "maintenance.scheduled"
        found = {}
        for name, kind, value in event["traits"]:
            assert kind in (1, 4)
            assert isinstance(value, str)
            assert len(value) <= 255
            found[name] = ast.literal_eval(value) if value[:1] in "[{" else value
        return found

    def hear(self, alarm):
        said = self.traits(alarm)
        self.log("event", state=said["state"], traits=said, alarm=alarm["alarm_id"])
        if self.given.hold:
            self.released.wait()
        left_out = said["state"] in MOVES and self.given.only and not set(self.given.only) & set(said["instance_ids"])
        if not self.given.silent and not left_out:
            getattr(self, self.given.like)(said)

    def doctor(self, said):
        state = said["state"]
        if state == "INSTANCE_ACTION_DONE":
            return
        ids = said["instance_ids"]
        if isinstance(ids, str):
            status, answer = self.call("GET", ids)
            ids = answer["instance_ids"] if status == 200 else []
            self.log("read", status=status, ids=ids)
        reply = {"session_id": said["session_id"], "state": f"{'NACK' if self.given.refuse else 'ACK'}_{state}"}
        if state in MOVES and not self.given.refuse:
            self.active = "second" if self.active == "first" else "first"
            self.log("switched", active=self.active)
            reply["instance_actions"] = dict.fromkeys(ids, self.given.action)
        status, answer = self.call("PUT", said["reply_url"], reply)
        self.log("replied", status=status, answer=answer, reply=reply)

    def tacker(self, said):
        state = said["state"]
        assert all(name in said for name in NEEDED)
        assert state in STATES
        if state in MOVES:
            assert isinstance(said["instance_ids"], list)
            assert isinstance(said["allowed_actions"], list)
        reply = {"session_id": said["session_id"], "state": f"{'NACK' if self.given.refuse else 'ACK'}_{state}"}
        if state == "MAINTENANCE":
            reply["instance_ids"] = said["instance_ids"]
        if state in MOVES and not self.given.refuse:
            reply["instance_action"] = self.given.action
        for _ in range(2 if state in MOVES and self.given.action != "OWN_ACTION" else 1):
            self.insist(said["reply_url"], reply)

    def insist(self, url, reply):
        for _ in range(TRIES):
            status, answer = self.call("PUT", url, reply)
            self.log("replied", status=status, answer=answer, reply=reply)
            if status == 200:
                return
            time.sleep(0.05)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(405)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/control":
            self.server.peer.given.only = body.get("only", self.server.peer.given.only)
            if body.get("release"):
                self.server.peer.released.set()
        else:
            threading.Thread(target=self.server.peer.hear, args=(body,), daemon=True).start()
            time.sleep(self.server.peer.given.works)
        self.answer(200)

    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def main():
    given = options()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.peer = Peer(given)
    print(json.dumps({"port": server.server_port}), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
