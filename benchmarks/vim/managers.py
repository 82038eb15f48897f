"""VNF managers for the benchmark: one process, any number of addresses, no line of Escalator.

    python benchmarks/vim/managers.py --lanes 32

It prints `{"port": …}`. A notice POSTed to /NAME is confirmed with 204 and answered by a PUT of its own, ACK and MOVED for every
instance, over connections that are kept. `GET /report` tells how many answers were confirmed, and how late each notice
arrived after the time stamp in it, in seconds. With `--certificate` they speak TLS, and trust the authorities in `SSL_CERT_FILE`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import ssl
import time
from datetime import datetime

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


class Managers:
    """All of them."""

    def __init__(self, lanes: int) -> None:
        self.lanes = asyncio.Semaphore(lanes)
        bounds = httpx.Limits(max_connections=lanes)
        self.http = httpx.AsyncClient(trust_env=False, verify=ssl.create_default_context(), timeout=60, limits=bounds)
        self.late: list[float] = []
        self.statuses: dict[int, int] = {}
        self.again = 0
        self.tasks: set[asyncio.Task[None]] = set()

    async def notified(self, request: Request) -> Response:
        message = await request.json()
        self.late.append(time.time() - datetime.fromisoformat(message["timeStamp"]).timestamp())
        if "replyUri" in message:
            task = asyncio.create_task(self.answer(message))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        return Response(status_code=204)

    async def answer(self, message: dict) -> None:
        words = {resource["resourceId"]: "MOVED" for resource in message["affectedResources"]}
        async with self.lanes:
            response = await self.put(message["replyUri"], {"result": "ACK", "instances": words})
        self.statuses[response.status_code] = self.statuses.get(response.status_code, 0) + 1

    async def put(self, uri: str, reply: dict) -> httpx.Response:
        """A connection that was kept may end just when it is to be used; the reply is put again then."""
        while True:
            try:
                return await self.http.put(uri, json=reply)
            except httpx.TransportError:
                self.again += 1

    async def report(self, _: Request) -> Response:
        return JSONResponse({"late": self.late, "statuses": self.statuses, "again": self.again})


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lanes", type=int, default=32)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--certificate", help="PEM file with the key: speak TLS")
    given = parser.parse_args()
    managers = Managers(given.lanes)
    routes = [Route("/report", managers.report), Route("/{name}", managers.notified, methods=["POST"])]
    listener = socket.create_server((given.host, 0), backlog=512)
    config = uvicorn.Config(Starlette(routes=routes), log_config=None, access_log=False, ssl_certfile=given.certificate)
    server = uvicorn.Server(config)
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    await server.serve([listener])


if __name__ == "__main__":
    asyncio.run(main())
