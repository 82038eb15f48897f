"""Waiting until a daemon answers, or, of Prometheus' family, says that it is ready."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx


def until_ready(url: str, name: str, within_s: float) -> None:
    """Look at `/-/ready` until it answers 200; fail when it does not in time."""
    _until(lambda: httpx.get(f"{url}/-/ready", trust_env=False).status_code == 200, name, within_s)


def until_answers(url: str, name: str, within_s: float) -> None:
    """Look there until it answers, whatever that is; fail when it does not in time."""
    _until(lambda: httpx.get(url, trust_env=False).status_code > 0, name, within_s)


def _until(ready: Callable[[], bool], name: str, within_s: float) -> None:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        try:
            if ready():
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"{name} does not answer")
