"""The machine's trust store, read once: to read it for every look would hold up everything else that runs here."""

from __future__ import annotations

import ssl
from functools import cache


@cache
def trusted() -> ssl.SSLContext:
    """TLS by it: certificates and names are verified."""
    return ssl.create_default_context()
