"""The server process: three listeners on one event loop, from binding to clean shutdown."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import structlog
import uvicorn
from fastapi import FastAPI

from escalator.api.accepting import Accepting
from escalator.api.app import operators_app
from escalator.api.fenix_sessions import sessions_router
from escalator.api.listener import MAX_CONNECTIONS, listener_config
from escalator.api.listener_tls import listener_context
from escalator.api.repository import repository_app
from escalator.api.signposts import Listening, Signposts
from escalator.api.vnfm import vnfm_app
from escalator.api.vnfm_throttle import Throttled
from escalator.model.codes import Code
from escalator.model.errors import ConflictError, EscalatorError, InputError
from escalator.model.host import LOOPBACK
from escalator.model.progress import Event
from escalator.settings import Listener, Settings
from escalator.startable import check_startable
from escalator.vim_interface.throttle import Throttle
from escalator.wiring import Services, open_services

BACKLOG = 512
FILES = 8192
"""Open files that the server asks the system for. Many systems begin with 1,024, which a few hundred callers could use up."""
FILES_PER_CONNECTION = 10
"""Of so many open files one may be a connection of one listener; each has three at most: one that speaks, one that begins to
speak, and one that was just taken. Three listeners leave a tenth of all files to databases, nodes and VNF managers, at worst."""
PLAIN = "Credentials of VNF managers come in here in the clear: name a certificate in vnfm.tls, or put a proxy before it."

_log = structlog.get_logger()


async def serve(settings: Settings, closing: asyncio.Event | None = None) -> None:
    """Serve until SIGTERM, SIGINT, or `closing` is set.

    Raises ConflictError when an address is in use or another server uses the state directory, InputError when an
    address cannot be or what the settings name cannot be used, and whatever opening the services raises.
    """
    check_startable(settings)
    closing = closing or asyncio.Event()
    with ExitStack() as stack:
        most = min(MAX_CONNECTIONS, allow_files() // FILES_PER_CONNECTION)
        sockets = {name: stack.enter_context(Accepting(bind(name, one), most)) for name, one in _listeners(settings).items()}
        contexts = {"vnfm": listener_context("vnfm", settings.vnfm.tls)} if settings.vnfm.tls is not None else {}
        _stop_on_signals(closing)
        async with open_services(settings) as services:
            apps = _apps(services, closing)
            servers = {
                name: _Server(listener_config(app, contexts.get(name), most=most, arrived=sockets[name].arrived))
                for name, app in apps.items()
            }
            async with asyncio.TaskGroup() as group:
                for name, server in servers.items():
                    group.create_task(server.serve([sockets[name]]), name=name)
                    host, port = sockets[name].getsockname()[:2]
                    _log.info("server.listening", listener=name, host=host, port=port, tls=name in contexts)
                if settings.vnfm.host not in LOOPBACK and settings.vnfm.tls is None:
                    _log.warning("server.plain", listener="vnfm", message=PLAIN)
                _log.info("server.ready", state_dir=settings.state_dir)
                await _tell(services, "server.start", "started")
                await closing.wait()
                _log.info("server.stopping")
                await _tell(services, "server.stop", "done")
                for server in servers.values():
                    server.should_exit = True
    _log.info("server.stopped")


async def _tell(services: Services, action: str, outcome: str) -> None:
    """Put it into the history: a step that stands there as begun twice had a server's end in between."""
    host = socket.gethostname()
    event = Event(at=services.ctx.clock.now(), action=action, object_id=host, outcome=outcome)
    await services.ctx.store.events.append((event,))


def bind(name: str, listener: Listener) -> socket.socket:
    """A listening socket: bound before anything else is opened, so that a second server changes nothing."""
    family = socket.AF_INET6 if ":" in listener.host else socket.AF_INET
    try:
        return socket.create_server((listener.host, listener.port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise _unbound(name, listener, error) from error


def allow_files() -> int:
    """Let this process have as many open files as it may need, within what the system allows it; how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = hard == resource.RLIM_INFINITY
    wanted = max(soft, FILES if unlimited else min(FILES, hard))
    if soft == resource.RLIM_INFINITY:
        return FILES
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def _unbound(name: str, listener: Listener, error: OSError) -> EscalatorError:
    unknown = isinstance(error, socket.gaierror)
    # The library's own text names the address once more; a resolver's errors are numbered differently.
    why = error.strerror if unknown or error.errno is None else os.strerror(error.errno)
    message = f"The {name} listener cannot bind {listener.host} port {listener.port}: {why}."
    if unknown:
        return InputError(Code.API_PORT, message, remedy=f"Set {name}.host to an address of this machine.")
    return ConflictError(Code.API_PORT, message, remedy=f"Stop what uses it, or set {name}.host or {name}.port.")


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: one place ends all three listeners."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _apps(services: Services, closing: asyncio.Event) -> Mapping[Listening, FastAPI]:
    vim, clock = services.vim, services.ctx.clock
    outside = vnfm_app(vim.inbox, clock, services.fenix, services.tacker, services.subscribing, vim.orchestrators)
    if services.fenix is not None and services.sessions is not None:
        outside.include_router(sessions_router(services.sessions, services.fenix.access))
    outside.add_middleware(Throttled, throttle=Throttle(clock, services.settings.vim.max_wrong_credentials))
    apps: Mapping[Listening, FastAPI] = {
        "server": operators_app(services, closing),
        "repository": repository_app(services.repository),
        "vnfm": outside,
    }
    for name, app in apps.items():
        app.add_middleware(Signposts, here=name)  # the outermost: before anybody is asked for a token
    return apps


def _listeners(settings: Settings) -> Mapping[str, Listener]:
    return {"server": settings.server, "repository": settings.repository, "vnfm": settings.vnfm}


def _stop_on_signals(closing: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, closing.set)
