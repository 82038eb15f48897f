"""A VNF manager in one file: takes Escalator's notices and answers them. Needs Python only.

    python3 docs/examples/vnfm.py 9000
    python3 docs/examples/vnfm.py 9000 http://127.0.0.1:8472 FILE-OF-THE-TOKEN

With the address of Escalator's listener and a token it subscribes by itself.
What a real one does in `switch_over` takes time; the notice's `replyBy` says how much there is, and heartbeats ask for more.
"""  # noqa: INP001 - no package: one file to copy

import json
import sys
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from urllib.error import HTTPError
from urllib.request import Request, urlopen

HEARTBEAT_S = 60.0
"""How often to say that the work still goes on; each time asks for twice that, in case the next one is lost."""

SEEN: dict[str, str | None] = {}
"""Ids of the notices that came, with where their reply goes."""


TOKEN: list[str] = []
"""By what we are known at Escalator, where we are; replies show it, too, as the operator may ask for that."""


def switch_over(resource: dict) -> str:
    """Move the business of one VM elsewhere, and say what may happen to the VM now."""
    return "LIVE_MIGRATE" if resource["plannedAction"] == "live" else "MOVED"


def reply_to(notice: dict) -> dict:
    """The reply to a notice that asks."""
    chosen = {r["resourceId"]: switch_over(r) for r in notice["affectedResources"]}
    return {"result": "ACK", "instances": {i: d for i, d in chosen.items() if d in notice["allowedActions"]}}


def answer(notice: dict) -> None:
    """Work, and reply when it is done; meanwhile heartbeats go out."""
    done = Event()
    heart = Thread(target=beat, args=(notice["replyUri"], done))
    heart.start()
    reply = reply_to(notice)
    done.set()
    heart.join()
    put(notice["replyUri"], reply)


def beat(uri: str, done: Event) -> None:
    """As long as the work goes on, ask for more time; how much there is in all is Escalator's to say."""
    while not done.wait(HEARTBEAT_S):
        until = datetime.now(UTC) + timedelta(seconds=2 * HEARTBEAT_S)
        try:
            put(uri, {"result": "DEFER", "until": until.isoformat()})
        except HTTPError as error:
            say(f"  no more time: {error.code}")
            return


def put(uri: str, reply: dict) -> None:
    """Send the reply; the same reply again does no harm, so it can be repeated after a failure."""
    body = json.dumps(reply).encode()
    shown = {"Authorization": f"Bearer {TOKEN[0]}"} if TOKEN else {}
    headers = {"Content-Type": "application/json", "Version": "1.0.0", **shown}
    with urlopen(Request(uri, body, headers, method="PUT"), timeout=10) as answer:  # noqa: S310 - the notice's own address
        say(f"  replied {reply['result']} {reply.get('instances', {})} -> {answer.status}")


def subscribe(escalator: str, callback: str) -> None:
    """Say where notices go. When that was said before, the answer leads to the subscription that is there."""
    headers = {"Content-Type": "application/json", "Version": "1.0.0", "Authorization": f"Bearer {TOKEN[0]}"}
    body = json.dumps({"callbackUri": callback}).encode()
    request = Request(f"{escalator}/vi-vnfm/v1/subscriptions", body, headers, method="POST")  # noqa: S310 - as we were told
    try:
        with urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
            say(f"subscribed: {json.load(answer)['_links']['self']['href']}")
    except HTTPError as error:
        say(f"not subscribed: {error.code} {error.read().decode()}")


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)  # noqa: T201 - a program for the terminal


class Notices(BaseHTTPRequestHandler):
    """Answers the two requests that Escalator makes."""

    def do_GET(self) -> None:
        """`escalator vnfm test` asks whether somebody is here."""
        self.confirm()

    def do_POST(self) -> None:
        """A notice. Confirm at once, work afterwards; an id may come twice, and with another `replyUri` it asks anew."""
        notice = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.confirm()
        if notice["id"] in SEEN and SEEN[notice["id"]] == notice.get("replyUri"):
            return
        SEEN[notice["id"]] = notice.get("replyUri")
        say(f"{notice['notificationType']} {notice['campaignId']} {notice.get('hostId', '')}")
        if "replyUri" in notice:
            Thread(target=answer, args=(notice,)).start()

    def confirm(self) -> None:
        """204: taken."""
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing about each request."""


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 9000
    uri = f"http://127.0.0.1:{port}/notices"
    server = ThreadingHTTPServer(("127.0.0.1", port), Notices)
    say(f"listening on {uri}")
    if len(sys.argv) > 3:
        TOKEN.append(Path(sys.argv[3]).read_text().strip())
        # Beside the server, which has to answer the test of its address meanwhile.
        Thread(target=subscribe, args=(sys.argv[2], uri)).start()
    server.serve_forever()
