"""What every error code means, where it comes from, and what to do: the one source of all pages and answers about them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from escalator.model.codes import Code
from escalator.model.explanation import Explanation
from escalator.model.explanations.planning import PLANNING
from escalator.model.explanations.returning import RETURNING
from escalator.model.explanations.server import SERVER
from escalator.model.explanations.surroundings import SURROUNDINGS
from escalator.model.explanations.upgrading import UPGRADING

__all__ = ["EXPLANATIONS", "Explanation"]

EXPLANATIONS: Mapping[Code, Explanation] = MappingProxyType({**UPGRADING, **PLANNING, **SURROUNDINGS, **RETURNING, **SERVER})
"""By code; every code has one."""
