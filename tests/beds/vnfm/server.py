"""A VNF manager as a process of its own: standard library only, no line of Escalator.

    python server.py [--port 0] [--behaviour moves] [--log FILE] [--credential user:password | --credential token]
                     [--delay SECONDS] [--hold] [--hold-delivery] [--persist SECONDS]
                     [--tls PEM-FILE-OF-CERTIFICATE-AND-KEY [--client-ca PEM-FILE]]
                     [--oauth clientId:clientPassword [--token-life SECONDS]] [--shows TOKEN]

It prints one line of JSON, `{"port": …}`, and serves `/notices` until it is killed. Behaviours:

    moves migrate live-migrate keep own    ACK with that disposition for every instance
    follows                                MIGRATE where a migration is planned, else MOVED
    refuse                                 NACK
    defer                                  DEFER for --defer seconds, then ACK when told to go on (or after that time)
    twice                                  ACK, and the same again, and then a different one
    silent                                 takes notices, never replies
    error-500 error-400 error-429 redirect answers the delivery with that status
    hang                                   takes the connection and never answers
    flood                                  answers the delivery with an endless body
    test-200 test-hang                     answers the GET that tests the address with 200, or never

`--credential` demands it: with a colon as HTTP Basic, else as a bearer token; anything else gets 401. With `--hold`
replies wait for `POST /control {"release": true}`; with `--hold-delivery` so does the answer to the delivery.
With `--oauth` it is a token endpoint, too (`POST /token`, RFC 6749 4.4), and demands one of the tokens that it gave out;
`POST /control {"revoke": true}` makes all of them worthless, `{"token_behaviour": ...}` spoils the endpoint: `redirect`,
`flood`, `garbage`, `worthless`, `error`. With `--client-ca` callers have to show a certificate of that authority.
With `--shows` that token goes with its replies.
With `--persist` a reply that finds nobody is repeated for that long.
`POST /control {"behaviour": …, "credential": …, "oauth": …, "hold": …, "tls": FILE}` changes it on the run. Every request and
every reply's status goes to the log, one JSON object a line, secrets left out.
"""

from __future__ import annotations

import argparse
import base64
import hmac
import http.client
import json
import secrets
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

DISPOSITIONS = {
    "moves": "MOVED",
    "defer": "MOVED",
    "twice": "MOVED",
    "migrate": "MIGRATE",
    "live-migrate": "LIVE_MIGRATE",
    "keep": "KEEP",
    "own": "OWN_ACTION",
}
STATUSES = {"error-500": 500, "error-400": 400, "error-429": 429, "redirect": 307}
BEHAVIOURS = (*DISPOSITIONS, "follows", "refuse", "silent", *STATUSES, "hang", "flood", "test-200", "test-hang")


@dataclass
class Manager:
    behaviour: str
    credential: str | None
    delay_s: float
    defer_s: float
    hold: bool
    hold_delivery: bool
    log: Path | None
    persist_s: float = 0.0
    oauth: str | None = None
    token_life_s: float = 3600.0
    shows: str | None = None
    token_behaviour: str = ""
    tokens: dict[str, float] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    released: threading.Event = field(default_factory=threading.Event)
    seen: set[str] = field(default_factory=set)

    def note(self, **facts: object) -> None:
        if self.log is not None:
            with self.lock, self.log.open("a") as file:
                file.write(json.dumps({"at": time.time(), **facts}) + "\n")

    def admits(self, header: str) -> bool:
        if self.oauth is not None:
            return header.startswith("Bearer ") and self.tokens.get(header.removeprefix("Bearer "), 0) > time.time()
        if self.credential is None:
            return True
        basic = "Basic " + base64.b64encode(self.credential.encode()).decode()
        wanted = basic if ":" in self.credential else f"Bearer {self.credential}"
        return hmac.compare_digest(header.encode(), wanted.encode())

    def change(self, body: dict) -> None:
        self.behaviour = body.get("behaviour", self.behaviour)
        self.credential = body.get("credential", self.credential)
        self.oauth = body.get("oauth", self.oauth)
        self.hold = body.get("hold", self.hold)
        self.token_behaviour = body.get("token_behaviour", self.token_behaviour)
        if body.get("revoke"):
            self.tokens.clear()
        if self.tls is not None and "tls" in body:
            self.tls.load_cert_chain(body["tls"])  # shown from the next connection on
        if body.get("release"):
            self.released.set()

    def think(self, notice: dict) -> None:
        """Answer as the behaviour says; a notice that comes again is answered once."""
        with self.lock:
            if notice["id"] in self.seen or "replyUri" not in notice:
                return
            self.seen.add(notice["id"])
        if self.hold:
            self.released.wait()
        time.sleep(self.delay_s)
        ack = {"result": "ACK", "instances": {r["resourceId"]: self.disposition(r) for r in notice["affectedResources"]}}
        match self.behaviour:
            case "silent":
                return
            case "refuse":
                self.reply(notice, {"result": "NACK", "reason": "not tonight"})
            case "defer":
                # Before the reply goes out: whoever hears it may let go at once, and that must not be forgotten.
                self.released.clear()
                until = datetime.now(UTC) + timedelta(seconds=self.defer_s)
                self.reply(notice, {"result": "DEFER", "until": until.isoformat(), "reason": "busy"})
                self.released.wait(self.defer_s)
                self.reply(notice, ack)
            case "twice":
                self.reply(notice, ack)
                self.reply(notice, ack)
                self.reply(notice, {"result": "NACK", "reason": "changed my mind"})
            case _:
                self.reply(notice, ack)

    def disposition(self, resource: dict) -> str:
        if self.behaviour == "follows":
            return "MIGRATE" if resource["plannedAction"] in ("live", "cold") else "MOVED"
        return DISPOSITIONS.get(self.behaviour, "MOVED")

    def reply(self, notice: dict, body: dict) -> None:
        shown = {"Authorization": f"Bearer {self.shows}"} if self.shows else {}
        headers = {"Content-Type": "application/json", "Version": "1.0.0", **shown}
        request = urllib.request.Request(notice["replyUri"], json.dumps(body).encode(), headers, method="PUT")
        end = time.monotonic() + self.persist_s
        while True:
            try:
                with urllib.request.urlopen(request, timeout=10) as response:
                    status, answer = response.status, response.read()
            except urllib.error.HTTPError as error:
                with error:
                    status, answer = error.code, error.read()
            except (OSError, http.client.HTTPException) as error:
                if time.monotonic() < end:
                    time.sleep(0.2)
                    continue
                status, answer = 0, str(error).encode()
            break
        self.note(what="replied", notice=notice["id"], body=body, status=status, answer=answer.decode())


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    manager: Manager

    def log_message(self, *_: object) -> None:
        """Standard error stays empty."""

    def do_GET(self) -> None:
        self.manager.note(what="tested", path=self.path, certificate=self.certificate())
        if self.manager.behaviour == "test-hang":
            threading.Event().wait()
        self.finish_with(200 if self.manager.behaviour == "test-200" else self.status(204))

    def certificate(self) -> str | None:
        """Common name that the caller's certificate shows."""
        shown = getattr(self.connection, "getpeercert", dict)() or {}
        return next((value for part in shown.get("subject", ()) for key, value in part if key == "commonName"), None)

    def do_POST(self) -> None:
        if self.path == "/token":
            self.give_token()
            return
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/control":
            self.manager.change(body)
            self.finish_with(204)
            return
        status = self.status(204)
        admitted = self.manager.admits(self.headers.get("Authorization", ""))
        self.manager.note(what="notified", body=body, status=status, admitted=admitted, version=self.headers.get("Version"),
                          certificate=self.certificate())  # fmt: skip
        if self.manager.hold_delivery:
            self.manager.released.wait()
        if self.manager.behaviour == "hang":
            threading.Event().wait()
        if status == 204 and self.manager.behaviour == "flood":
            self.flood()
            return
        if status == 204:
            threading.Thread(target=self.manager.think, args=(body,), daemon=True).start()
        self.finish_with(status)

    def give_token(self) -> None:
        """RFC 6749, 4.4.2: the client is known by HTTP Basic, both parts form-encoded."""
        form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        given = base64.b64decode(self.headers.get("Authorization", "").removeprefix("Basic ")).decode()
        known = ":".join(map(urllib.parse.unquote_plus, given.split(":"))) == self.manager.oauth
        good = known and form == {"grant_type": ["client_credentials"]}
        self.manager.note(what="token", good=good, behaviour=self.manager.token_behaviour)
        match self.manager.token_behaviour:
            case "redirect":
                self.finish_with(307)
            case "error":
                self.finish_with(500)
            case "flood":
                self.flood()
            case _ if not good:
                self.send_json(401, {"error": "invalid_client"})
            case "garbage":
                self.send_json(200, {"access_token": "two words", "token_type": "Bearer"})
            case _:
                token = secrets.token_urlsafe(16)
                if self.manager.token_behaviour != "worthless":
                    self.manager.tokens[token] = time.time() + 3600
                self.send_json(200, {"access_token": token, "token_type": "Bearer", "expires_in": self.manager.token_life_s})

    def send_json(self, status: int, value: object) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def status(self, good: int) -> int:
        if not self.manager.admits(self.headers.get("Authorization", "")):
            return 401
        return STATUSES.get(self.manager.behaviour, good)

    def finish_with(self, status: int) -> None:
        self.send_response(status)
        if status == 307:
            self.send_header("Location", "/elsewhere")
        if status != 204:
            self.send_header("Content-Length", "0")
        self.end_headers()

    def flood(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        except OSError:
            self.close_connection = True
            self.manager.note(what="cut off")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--behaviour", choices=BEHAVIOURS, default="moves")
    parser.add_argument("--log", type=Path)
    parser.add_argument("--credential")
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--defer", type=float, default=60.0)
    parser.add_argument("--persist", type=float, default=0.0)
    parser.add_argument("--hold", action="store_true")
    parser.add_argument("--hold-delivery", action="store_true")
    parser.add_argument("--tls", type=Path)
    parser.add_argument("--client-ca", type=Path)
    parser.add_argument("--oauth")
    parser.add_argument("--shows")
    parser.add_argument("--token-life", type=float, default=3600.0)
    options = parser.parse_args()
    Handler.manager = Manager(
        options.behaviour, options.credential, options.delay, options.defer, options.hold, options.hold_delivery, options.log,
        options.persist, options.oauth, options.token_life, options.shows,
    )  # fmt: skip
    server = ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
    if options.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.tls)
        Handler.manager.tls = context
        if options.client_ca:
            context.load_verify_locations(options.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        server.socket = context.wrap_socket(server.socket, server_side=True)
    print(json.dumps({"port": server.server_address[1]}), flush=True)
    server.handle_error = lambda *_: None  # a client that hangs up is no news
    server.serve_forever()


if __name__ == "__main__":
    main()
