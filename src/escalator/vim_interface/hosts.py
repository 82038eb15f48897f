"""Addresses of VNF managers: what is refused to everybody, and where one that subscribes by itself may be told."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from escalator.model.errors import Problem
from escalator.model.host import network_of

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def uri_problems(uri: str, path: str) -> Iterator[Problem]:
    """Yield what stands against an address, whoever names it."""
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError as error:
        yield Problem(path, f"this is no valid address: {error}")
        return
    if parts.username is not None or parts.password is not None:
        yield Problem(path, "an address must not hold credentials; name a file with spec.auth.credential")
    if parts.fragment:
        yield Problem(path, "an address for notices has no fragment")
    if not parts.hostname:
        yield Problem(path, "the address has no host")
    elif is_forbidden(parts.hostname):
        yield Problem(path, "link-local, multicast and unspecified addresses are refused: the metadata service answers there")


def is_forbidden(host: str) -> bool:
    """Whether nobody may be told at this address: where a metadata service answers, or nobody in particular."""
    address = _plain(_ip(host))
    return address is not None and (address.is_link_local or address.is_multicast or address.is_unspecified)


def is_allowed(uri: str, entries: Iterable[str]) -> bool:
    """Whether the address is at one of these hosts: names as they are spelled, addresses by number, networks by what they hold.

    A name is not looked up: that a name is allowed says that what it resolves to is.
    """
    host = urlsplit(uri).hostname
    if not host:
        return False
    address = _plain(_ip(host))
    if address is None:
        return host.rstrip(".").lower() in {entry.lower() for entry in entries}
    networks = (network_of(entry) for entry in entries)
    return any(address in network for network in networks if network is not None and network.version == address.version)


def host_of(uri: str) -> str:
    """Host and port of an address, for people: the rest of it may be a secret."""
    return urlsplit(uri).netloc


def _plain(address: Address | None) -> Address | None:
    """An IPv4 address inside IPv6 is that IPv4 address."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _ip(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        # Resolvers take 0xA9FEA9FE and 2852039166 for IPv4 addresses too.
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return None
