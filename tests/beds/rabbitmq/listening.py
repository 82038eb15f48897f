"""Listeners to notifications as processes, started and ended from tests."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from beds.openstack.layout import cache_dir
from beds.rabbitmq.server import Broker
from escalator.settings import FenixNotifications

PROGRAM = Path(__file__).with_name("listener.py")
OSLO = cache_dir() / "openstack-venv/bin/python"
"""Python of the OpenStack bed, which has oslo.messaging."""
PATIENCE_S = 30.0


class Listener:
    """What somebody hears on the bus."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._lines: queue.Queue[str] = queue.Queue()
        self._heard: list[dict[str, Any]] = []
        threading.Thread(target=self._read, args=(process,), daemon=True).start()
        assert self._lines.get(timeout=PATIENCE_S) == "ready\n"

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._lines.put(line)

    def heard(self) -> list[dict[str, Any]]:
        """Everything so far."""
        while not self._lines.empty():
            self._heard.append(json.loads(self._lines.get()))
        return self._heard

    def said(self) -> list[tuple[str, str]]:
        return [(one["event_type"], one["payload"]["state"]) for one in self.heard()]


@contextmanager
def listening(broker: Broker, settings: FenixNotifications, how: str = "by-hand") -> Iterator[Listener]:
    python = str(OSLO) if how == "oslo" else sys.executable
    command = [python, str(PROGRAM), how, broker.url(), settings.exchange, settings.topic]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield Listener(process)
        finally:
            process.kill()
