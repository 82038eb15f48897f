"""A hold: a person's word that a node is to be left alone until it is taken back."""

from __future__ import annotations

from dataclasses import dataclass

HELD = "held by a person"
"""How every reason begins that is a hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One node that no campaign begins. `since` is Unix seconds."""

    node: str
    reason: str = ""
    since: float = 0.0

    @property
    def said(self) -> str:
        """The hold in words."""
        return f"{HELD}{f': {self.reason}' if self.reason else ''}"
