"""Commands of the command line, each a process of its own that is forked from one which has imported everything already.

By itself a command of half a second spends nearly all of it on imports, and whole campaigns take hundreds of commands.
`zygote.py SOCKET` listens there until its standard input ends. Each connection brings one request as a line of JSON: `argv`,
`env`, and the files `out` and `err`. The answer is a line with the process id at once, and one with the exit code at the end.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import sys
from typing import Any

import escalator.cli
from escalator.main import main

LAZY = ("httpx", "rich.console", "yaml", "escalator.model.document")
"""What commands import when they run."""
BACKLOG = 16


def preload() -> None:
    for found in pkgutil.iter_modules(escalator.cli.__path__, "escalator.cli."):
        importlib.import_module(found.name)
    for name in LAZY:
        importlib.import_module(name)


def run(request: dict[str, Any]) -> int:
    """The command, as `python -m escalator.main` runs it in this environment."""
    for number, name, flags in ((0, os.devnull, os.O_RDONLY), (1, request["out"], os.O_WRONLY), (2, request["err"], os.O_WRONLY)):
        os.dup2(os.open(name, flags), number)
    os.environ.clear()
    os.environ.update(request["env"])
    code = main(request["argv"])
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def take(connection: socket.socket, listener: socket.socket) -> None:
    """Fork the command of this connection."""
    if os.fork():
        return
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    listener.close()
    code = 1
    try:
        with connection.makefile("rw", encoding="utf-8") as wire:
            request = json.loads(wire.readline())
            wire.write(f"{os.getpid()}\n")
            wire.flush()
            code = run(request)
            wire.write(f"{code}\n")
    finally:
        os._exit(code)  # never back into the loop, whatever happened


def serve(path: str) -> None:
    preload()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries them
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(BACKLOG)
        print("ready", flush=True)
        while True:
            ready, _, _ = select.select([listener, sys.stdin], [], [])
            if sys.stdin in ready:
                return
            connection, _ = listener.accept()
            with connection:
                take(connection, listener)


if __name__ == "__main__":
    serve(sys.argv[1])
