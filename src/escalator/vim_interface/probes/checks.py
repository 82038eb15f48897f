"""One look at a service: whether it answers now."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import secrets
import socket
import struct
from urllib.parse import urlsplit

from escalator.settings import Probe
from escalator.vim_interface.single_call import status_of

BAD_STATUS = 400
"""From here on an HTTP status is no service."""


async def look(probe: Probe) -> str | None:
    """Return why the service does not answer within the probe's time-out; None when it does."""
    try:
        async with asyncio.timeout(probe.timeout_s):
            match probe.kind:
                case "tcp":
                    return await _tcp(probe.target)
                case "http":
                    return await _http(probe.target, probe.timeout_s)
                case "icmp":
                    return await _icmp(probe.target)
    except TimeoutError:
        return f"no answer within {probe.timeout_s:g} s"
    except (OSError, ValueError) as error:
        return (getattr(error, "strerror", None) or str(error) or type(error).__name__)[:200]


async def _tcp(target: str) -> str | None:
    parts = urlsplit(f"//{target}")
    _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return None


async def _http(target: str, timeout_s: float) -> str | None:
    # A new connection each time: one that is kept open says nothing about who else can connect.
    status = await status_of(target, timeout_s=timeout_s)
    return None if status < BAD_STATUS else f"answered {status}"


async def _icmp(target: str) -> str | None:
    """Echo, by RFC 792 or RFC 4443."""
    address = ipaddress.ip_address(target)
    v6 = address.version == 6
    family, protocol = (socket.AF_INET6, socket.IPPROTO_ICMPV6) if v6 else (socket.AF_INET, socket.IPPROTO_ICMP)
    request, reply = (128, 129) if v6 else (8, 0)
    with _echo_socket(family, protocol) as sock:
        sock.setblocking(False)
        sock.connect((target, 0))
        data = secrets.token_bytes(16)
        header = struct.pack("!BBHHH", request, 0, 0, os.getpid() & 0xFFFF, 1)
        checked = struct.pack("!BBHHH", request, 0, 0 if v6 else _checksum(header + data), os.getpid() & 0xFFFF, 1)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(sock, checked + data)
        while True:
            answer = await loop.sock_recv(sock, 1024)
            # A raw socket gives an IPv4 packet with its header, and all that comes in, our own request too.
            start = (answer[0] & 15) * 4 if sock.type == socket.SOCK_RAW and not v6 else 0
            if answer[start : start + 1] == bytes([reply]) and answer.endswith(data):
                return None


def _echo_socket(family: int, protocol: int) -> socket.socket:
    """A datagram socket where `net.ipv4.ping_group_range` lets us have one, else a raw one, which needs CAP_NET_RAW."""
    try:
        return socket.socket(family, socket.SOCK_DGRAM, protocol)
    except PermissionError:
        return socket.socket(family, socket.SOCK_RAW, protocol)


def _checksum(data: bytes) -> int:
    """The internet checksum of RFC 1071."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF
