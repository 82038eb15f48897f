"""Reading request bodies with a bound: what is larger is refused before it fills the memory."""

from __future__ import annotations

import asyncio

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from escalator.model.codes import Code
from escalator.model.errors import InputError

MAX_DIGITS = 15
"""No limit of ours has more; Python refuses to read numbers of thousands."""
MAX_READ_S = 30.0
"""A caller that sends more slowly than that holds a connection for nothing."""


async def read_body(request: Request, limit: int) -> bytes:
    """Return the body; raises InputError (`API_TOO_LARGE`) as soon as it is known to have more than `limit` bytes.

    A caller that is too slow is answered 408; one that has gone is answered 400, which nobody reads: it is no error of ours.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and (len(announced) > MAX_DIGITS or int(announced) > limit):
        raise _too_large(limit)
    body = bytearray()
    try:
        async with asyncio.timeout(MAX_READ_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise _too_large(limit)
    except TimeoutError as error:
        raise HTTPException(408) from error
    except ClientDisconnect as error:
        raise HTTPException(400) from error
    return bytes(body)


def _too_large(limit: int) -> InputError:
    return InputError(Code.API_TOO_LARGE, f"The body is larger than {limit} bytes.")
