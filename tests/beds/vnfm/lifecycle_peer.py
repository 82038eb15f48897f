"""The VNF lifecycle management interface of a VNF manager as a process of its own: standard library only, no line of Escalator.

    python lifecycle_peer.py [--port 0] [--log FILE] [--version 2.0.0] [--credential user:password] [--no-filter] [--page SIZE]

It prints one line of JSON, `{"port": …}`, and serves `/vnflcm/v2` by ETSI GS NFV-SOL 003: `vnf_lcm_op_occs` with the attribute
filter and paging by `Link`, and `vnf_instances/{id}`. Every call has to name the version, else 400. With `--no-filter` a filter
is answered with 400. `POST /control {"occurrences": […], "instances": {…}, "say": {"status": …, "body": …, "link": …}}`
sets what it shows; `say` is the answer to everything from then on.
"""

from __future__ import annotations

import argparse
import base64
import hmac
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit


class Shown:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.occurrences: list[dict] = []
        self.instances: dict[str, dict] = {}
        self.say: dict | None = None
        self.lock = threading.Lock()

    def note(self, **line: object) -> None:
        if self.options.log:
            with self.lock, self.options.log.open("a") as file:
                file.write(json.dumps(line) + "\n")

    def selected(self, query: dict[str, list[str]]) -> list[dict]:
        found = self.occurrences
        match = re.fullmatch(r"\(in,operationState,([A-Z_,]+)\)", query.get("filter", [""])[0])
        if match:
            found = [one for one in found if one["operationState"] in match[1].split(",")]
        return found


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    shown: Shown

    def log_message(self, *_: object) -> None:
        """Standard error stays empty."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        for key, value in body.items():
            setattr(self.shown, key, value)
        self.answer(204, None)

    def do_GET(self) -> None:
        shown, options = self.shown, self.shown.options
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        shown.note(what="asked", path=parts.path, query=query, version=self.headers.get("Version"))
        basic = "Basic " + base64.b64encode((options.credential or "").encode()).decode()
        if options.credential and not hmac.compare_digest(self.headers.get("Authorization", ""), basic):
            self.answer(401, {"status": 401, "detail": "who are you"})
        elif self.headers.get("Version") != options.version:
            self.answer(400, {"status": 400, "detail": "no version, or another"})
        elif shown.say is not None:
            self.answer(shown.say.get("status", 200), shown.say.get("body"), shown.say.get("link"))
        elif parts.path == "/vnflcm/v2/vnf_lcm_op_occs":
            self.listed(query)
        elif parts.path.startswith("/vnflcm/v2/vnf_instances/"):
            found = shown.instances.get(parts.path.rpartition("/")[2])
            self.answer(200 if found else 404, found or {"status": 404, "detail": "none of that id"})
        else:
            self.answer(404, {"status": 404, "detail": "no such resource"})

    def listed(self, query: dict[str, list[str]]) -> None:
        options = self.shown.options
        if options.no_filter and "filter" in query:
            self.answer(400, {"status": 400, "detail": "no filters here"})
            return
        found, start = self.shown.selected(query), int(query.get("nextpage_opaque_marker", ["0"])[0])
        link = None
        if options.page and start + options.page < len(found):
            link = f'</vnflcm/v2/vnf_lcm_op_occs?nextpage_opaque_marker={start + options.page}>; rel="next"'
        self.answer(200, found[start : start + options.page] if options.page else found, link)

    def answer(self, status: int, body: object, link: str | None = None) -> None:
        text = b"" if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(text)))
            self.send_header("Content-Type", "application/json")
        if link:
            self.send_header("Link", link)
        self.end_headers()
        self.wfile.write(text)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", type=Path)
    parser.add_argument("--version", default="2.0.0")
    parser.add_argument("--credential")
    parser.add_argument("--no-filter", action="store_true")
    parser.add_argument("--page", type=int, default=0)
    Handler.shown = Shown(parser.parse_args())
    server = ThreadingHTTPServer(("127.0.0.1", Handler.shown.options.port), Handler)
    print(json.dumps({"port": server.server_address[1]}), flush=True)
    server.handle_error = lambda *_: None  # a client that hangs up is no news
    server.serve_forever()


if __name__ == "__main__":
    main()
