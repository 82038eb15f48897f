"""Versions of resources in headers: `ETag` says which one an answer shows, `If-Match` on which one a change was decided.

RFC 9110, 8.8.3 and 13.1.1.
"""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Header, Response

from escalator.model.notice import Vnfm
from escalator.vim_interface.versions import version_of

IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", max_length=1000, description="The `ETag` that was read: 412 when it is another one by now."),
]
_TAG = re.compile(r'(W/)?"([^"]*)"')


def tagged(response: Response, vnfm: Vnfm) -> Vnfm:
    """Put the version of what is answered into its header."""
    response.headers["ETag"] = f'"{version_of(vnfm)}"'
    return vnfm


def versions_named(header: str | None) -> frozenset[str] | None:
    """Return the versions of an `If-Match`; None when any will do. Weak ones match none, as the comparison is the strong one."""
    if header is None or header.strip() == "*":
        return None
    return frozenset(tag for weak, tag in _TAG.findall(header) if not weak)
