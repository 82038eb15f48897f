"""Stands in for Neutron: neutron_stub.py PORT PORTS_FILE.

Nova is answered as by a cloud without networks. A question for ports by their `binding:vnic_type` is answered from
the file, which is read again each time: a list of {"id", "device_id", "binding:vnic_type"}.
"""

import json
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

PORTS = Path(sys.argv[2])


def ports(query):
    wanted = set(query.get("binding:vnic_type", []))
    if not wanted or not PORTS.exists():
        return []
    servers = set(query.get("device_id", []))
    known = json.loads(PORTS.read_text(encoding="utf-8"))
    return [p for p in known if p["binding:vnic_type"] in wanted and (not servers or p["device_id"] in servers)]


def answer(method, path, query, base):
    if path == "":
        links = [{"rel": "self", "href": base + "/v2.0/"}]
        return 200, {"versions": [{"id": "v2.0", "status": "CURRENT", "links": links}]}
    if path == "/v2.0":
        return 200, {"resources": []}
    if path == "/v2.0/ports" and method == "GET":
        return 200, {"ports": ports(query)}
    if path.startswith("/v2.0/quotas/"):
        return 200, {"quota": {}}
    listing = re.match(r"^/v2\.0/([a-z-]+)$", path)
    if listing and method == "GET":
        return 200, {listing.group(1).replace("-", "_"): []}
    return 404, {"NeutronError": {"type": "NotFound", "message": path, "detail": ""}}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_any(self):
        length = int(self.headers.get("Content-Length") or 0)
        if length:
            self.rfile.read(length)
        parts = urlsplit(self.path)
        base = f"http://127.0.0.1:{self.server.server_port}"
        code, body = answer(self.command, parts.path.rstrip("/"), parse_qs(parts.query), base)
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815 -- names of the standard library

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
