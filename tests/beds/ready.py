"""Waiting until a daemon of Prometheus' family says that it is ready."""

from __future__ import annotations

import time

import httpx


def until_ready(url: str, name: str, within_s: float) -> None:
    """Look at `/-/ready` until it answers 200; fail when it does not in time."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        try:
            if httpx.get(f"{url}/-/ready", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"{name} does not answer")
