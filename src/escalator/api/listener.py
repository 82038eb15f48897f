"""How the server's listeners speak HTTP."""

from __future__ import annotations

import ssl

import uvicorn
from fastapi import FastAPI

from escalator.api.connections import Connection

GRACE_S = 5
"""How long requests under way may take to end at shutdown; streams end at once."""
IDLE_S = 15
"""A connection on which no request comes is closed, however much of one has come."""


def listener_config(app: FastAPI, tls: ssl.SSLContext | None = None, *, idle_s: float = IDLE_S) -> uvicorn.Config:
    """What each of them is configured with; without `tls` it speaks plain HTTP."""
    return uvicorn.Config(
        app,
        ssl_context_factory=None if tls is None else lambda *_: tls,
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=idle_s,  # type: ignore[arg-type]  # it is given to the loop as it is
        timeout_graceful_shutdown=GRACE_S,
        http=Connection,
    )
