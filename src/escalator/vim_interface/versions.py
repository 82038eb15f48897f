"""Versions of registrations: who changes one can say on which it was decided, so that nobody undoes another's change unseen."""

from __future__ import annotations

import json
from hashlib import sha256

from escalator.model.notice import Vnfm

_LENGTH = 16
"""Hexadecimal digits: 64 bits tell the few versions of one registration apart."""


def version_of(vnfm: Vnfm) -> str:
    """Return a word that is another one whenever the registration is."""
    text = json.dumps(vnfm.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()[:_LENGTH]
