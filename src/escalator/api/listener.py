"""How the server's listeners speak HTTP."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import partial

import uvicorn
from fastapi import FastAPI

from escalator.api.connections import Connection

GRACE_S = 5
"""How long requests under way may take to end at shutdown; streams end at once."""
IDLE_S = 15
"""A connection on which no request comes is closed, however much of one has come."""
MAX_CONNECTIONS = 1024
"""Of one listener at once: as many nodes fetch their packages, and more VNF managers than there are."""


def listener_config(
    app: FastAPI,
    tls: ssl.SSLContext | None = None,
    *,
    idle_s: float = IDLE_S,
    most: int = MAX_CONNECTIONS,
    arrived: Callable[[int], None] = lambda _: None,
) -> uvicorn.Config:
    """What each of them is configured with: without `tls` it speaks plain HTTP; it keeps `most` connections at once.

    `arrived` is called with the file number of each, once it speaks HTTP.
    """
    return uvicorn.Config(
        app,
        ssl_context_factory=None if tls is None else lambda *_: tls,
        backlog=most,  # the loop takes as many at once as may wait, before one of them can be closed for another
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=idle_s,  # type: ignore[arg-type]  # it is given to the loop as it is
        timeout_graceful_shutdown=GRACE_S,
        http=partial(Connection, most=most, arrived=arrived),  # type: ignore[arg-type]  # it is only called, with what a protocol takes
    )
