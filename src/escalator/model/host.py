"""Entries of lists of hosts: a name, an address or a network."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator

LOOPBACK = ("127.0.0.1", "::1", "localhost")
"""By what a listener is named that nobody reaches from another machine."""
_NAME = re.compile(r"(?!.*\.\.)[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9])?", re.ASCII | re.IGNORECASE)


def network_of(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """Return the network that an entry stands for, an address being one of a single address; None for a name."""
    try:
        return ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return None


def _checked(entry: str) -> str:
    if network_of(entry) is None and not _NAME.fullmatch(entry):
        raise ValueError("this is no name, address or network")
    return entry


Host = Annotated[str, AfterValidator(_checked)]
"""A host name, an IP address, or a network such as `10.20.0.0/16`."""
