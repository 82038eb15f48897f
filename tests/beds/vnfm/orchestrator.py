"""An orchestrator (NFVO) as a process of its own, written from the documented profile: no line of Escalator.

    python orchestrator.py [--port 0] --log FILE [--status 204] [--credential token]

Standard library only. It prints one line of JSON, `{"port": …}`, and serves `/notices` until it is killed. It keeps a view of
its own of the cloud, by what it is told: hosts whose capacity is gone, where each resource is, the state of each campaign. A
message that is not of the documented shape, or does not fit to what was told before, gets 422, one without the `Version` header
400; both stand in the log as `misfit`. What comes again with a known `id` is answered and not counted.

`POST /control {"status": 503}` lets it answer every delivery that way; `{"refuse": TYPE}` lets it answer 422 to that type alone.
Every delivery goes to the log, one JSON object a line.
"""

from __future__ import annotations

import argparse
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
COMMON = {
    "id": str,
    "notificationType": str,
    "subscriptionId": str,
    "timeStamp": "time",
    "vimId": str,
    "campaignId": str,
    "_links": {"subscription": {"href": str}},
}
HOST = {"hostId": str, "plannedStart": "time", "plannedEnd": "time"}
CAPACITY = {"occurrenceId": str, "hostId": str, "zoneId?": str, "capacity": {"*": (int, float)}}
SHAPES = {
    "MaintenanceWindowsNotification": {
        "planId": str,
        "windows": [{"startTime": "time", "endTime?": "time", "hosts": [HOST]}],
    },
    "CapacityTakenNotification": CAPACITY,
    "CapacityReturnedNotification": {
        **CAPACITY,
        "inService": bool,
        "percentDone?": int,
        "upgraded?": bool,
        "versions?": {"*": str},
        "reason?": str,
    },
    "VirtualisedResourceChangeNotification": {
        "changeId": str,
        "virtualisedResourceId": str,
        "changeType": ("MIGRATED", "STOPPED", "STARTED"),
        "changedResourceData": {
            "hostId": str,
            "operational": bool,
            "previousHostId?": str,
            "migrationType?": ("live_migration", "offline_migration"),
        },
    },
    "CampaignStateNotification": {
        "campaignState": ("running", "paused", "suspended", "aborting", "aborted", "completed"),
        "percentDone?": int,
        "reason?": str,
    },
}


def misfit(value, shape, path=""):
    """What is wrong with a value, or None."""
    if shape == "time":
        return None if isinstance(value, str) and TIME.fullmatch(value) else f"{path} is no time"
    if isinstance(shape, dict):
        return of_mapping(value, shape, path)
    if isinstance(shape, list):
        if not isinstance(value, list):
            return f"{path} is no list"
        return next((found for n, item in enumerate(value) if (found := misfit(item, shape[0], f"{path}[{n}]"))), None)
    if isinstance(shape, tuple) and isinstance(shape[0], str):
        return None if value in shape else f"{path} is {value!r}"
    return None if isinstance(value, shape) and (shape is bool or not isinstance(value, bool)) else f"{path} is {value!r}"


def of_mapping(value, shape, path):
    if not isinstance(value, dict):
        return f"{path} is no mapping"
    if "*" in shape:
        return next((found for key, item in value.items() if (found := misfit(item, shape["*"], f"{path}.{key}"))), None)
    for name, inner in shape.items():
        key = name.rstrip("?")
        if key not in value:
            if not name.endswith("?"):
                return f"{path}.{key} is missing"
        elif found := misfit(value[key], inner, f"{path}.{key}"):
            return found
    strange = value.keys() - {name.rstrip("?") for name in shape}
    return f"{path} has {sorted(strange)}" if strange else None


class Orchestrator:
    def __init__(self, log: Path, status: int, credential: str | None) -> None:
        self.log = log
        self.status = status
        self.credential = credential
        self.refused = None
        self.lock = threading.Lock()
        self.seen = set()
        self.gone = {}
        self.places = {}
        self.campaigns = {}
        for line in log.read_text().splitlines() if log.exists() else ():
            known = json.loads(line)
            if known["what"] == "told":
                self.take(known["body"])

    def note(self, **facts) -> None:
        with self.log.open("a") as file:
            file.write(json.dumps({"at": time.time(), **facts}) + "\n")

    def hear(self, headers, raw: bytes) -> int:
        with self.lock:
            if self.credential is not None and headers.get("Authorization") != f"Bearer {self.credential}":
                self.note(what="stranger")
                return 401
            if not 200 <= self.status < 300:
                self.note(what="deaf", status=self.status)
                return self.status
            if headers.get("Version") is None:
                self.note(what="misfit", why="no Version")
                return 400
            body = json.loads(raw)
            kind = body.get("notificationType")
            if kind == self.refused:
                self.note(what="refused", body=body)
                return 422
            again = body.get("id") in self.seen
            why = misfit(body, {**COMMON, **SHAPES[kind]}) if kind in SHAPES else f"unknown type {kind}"
            why = why or self.take(body)
            self.note(what="misfit" if why else "again" if again else "told", why=why, body=body)
            return 422 if why else self.status

    def take(self, body) -> str | None:
        """Count it, once; what does not fit to what was told before."""
        if body["id"] in self.seen:
            return None
        self.seen.add(body["id"])
        kind = body["notificationType"]
        host = body.get("hostId")
        if kind == "CapacityTakenNotification":
            if host in self.gone:
                return f"{host} was gone already"
            self.gone[host] = body["occurrenceId"]
        elif kind == "CapacityReturnedNotification":
            if self.gone.pop(host, None) != body["occurrenceId"]:
                return f"{host} comes back and was not gone"
        elif kind == "VirtualisedResourceChangeNotification" and body["changeType"] == "MIGRATED":
            resource, data = body["virtualisedResourceId"], body["changedResourceData"]
            if self.places.setdefault(resource, data["previousHostId"]) != data["previousHostId"]:
                return f"{resource} was on {self.places[resource]}"
            self.places[resource] = data["hostId"]
        elif kind == "CampaignStateNotification":
            self.campaigns[body["campaignId"]] = body["campaignState"]
        return None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    orchestrator: Orchestrator

    def log_message(self, *_: object) -> None:
        """Standard error stays empty."""

    def do_GET(self) -> None:
        self.orchestrator.note(what="tested")
        self.finish_with(self.orchestrator.status)

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/control":
            given = json.loads(raw)
            self.orchestrator.status = given.get("status", self.orchestrator.status)
            self.orchestrator.refused = given.get("refuse", self.orchestrator.refused)
            self.orchestrator.credential = given.get("credential", self.orchestrator.credential)
            self.finish_with(204)
            return
        self.finish_with(self.orchestrator.hear(self.headers, raw))

    def finish_with(self, status: int) -> None:
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", "0")
        self.end_headers()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--status", type=int, default=204)
    parser.add_argument("--credential")
    options = parser.parse_args()
    Handler.orchestrator = Orchestrator(options.log, options.status, options.credential)
    server = ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
    print(json.dumps({"port": server.server_address[1]}), flush=True)
    server.handle_error = lambda *_: None  # a client that hangs up is no news
    server.serve_forever()


if __name__ == "__main__":
    main()
