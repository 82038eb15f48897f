"""An app on a free port of this machine, served by the running event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

TURN_S = 0.002
KEEP_ALIVE_S = 600
"""A test that the machine lets wait for seconds finds its connection as it left it."""


class _Server(uvicorn.Server):
    """Ends as soon as it has nothing more to do, and leaves signals to pytest.

    The original looks every tenth of a second whether it is to end; hundreds of tests end one.
    """

    def __init__(self, app: FastAPI) -> None:
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", ws="none", timeout_keep_alive=KEEP_ALIVE_S
        )
        super().__init__(config)
        config.load()
        self.lifespan = config.lifespan_class(config)

    async def open(self, listener: socket.socket) -> None:
        """Take connections from now on."""
        await self.startup([listener])
        await self.on_tick(0)  # the date that answers carry

    async def close(self) -> None:
        """Take no more connections, and return when the last request is answered."""
        for server in self.servers:
            server.close()
        for connection in [*self.server_state.connections]:
            connection.shutdown()
        while self.server_state.connections or self.server_state.tasks:  # noqa: ASYNC110 - they tell nobody
            await asyncio.sleep(TURN_S)
        for server in self.servers:
            await server.wait_closed()


@asynccontextmanager
async def served(app: FastAPI, listener: socket.socket | None = None) -> AsyncIterator[str]:
    """Serve the app, on a port of its own or on one that is open already; gives its address."""
    server = _Server(app)
    with listener or socket.create_server(("127.0.0.1", 0)) as listener:
        await server.open(listener)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            await server.close()
