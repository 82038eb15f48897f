"""What operators set about backups."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from escalator.model.document import Model


class Backups(Model):
    """How long backups stay on their nodes. One that a campaign may still need stays whatever stands here."""

    keep_last: Annotated[int, Field(ge=0, le=1000)] = 3
    """The last so many of each node stay."""
    max_age_days: Annotated[float, Field(ge=0, le=3660)] = 90.0
    """Older ones go, even if they are the last."""
    prune_every_s: Annotated[float, Field(ge=60, le=7 * 86400)] = 3600.0
    """How often it is looked for what may go."""
