"""Gates in the settings: what makes no sense is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from escalator.model.brakes import GateEntry


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"kind": "manual", "argv": ("true",)},
        {"argv": ("true",), "timeout_s": 601.0},
        {"argv": ("true",), "retry_s": 0.0},
        {"argv": ("true",), "environment": ("ESCALATOR_DATABASE__URL",)},
        {"argv": ("true",), "environment": ("A=B",)},
    ],
)
def test_a_gate_that_makes_no_sense_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        GateEntry(**fields)
