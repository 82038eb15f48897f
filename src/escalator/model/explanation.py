"""What an error code says to the person who meets it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a code means, what it comes from as a rule, and the next thing that a person can do."""

    meaning: str
    causes: str
    then: str
