"""What the engine and the planner say, over all transcripts."""

from __future__ import annotations

import re
from pathlib import Path

EXPECTED = Path(__file__).parent / "expected"
ONE_OF_MANY = re.compile(
    r"(?<![\w.,:/-])1 (?:more |other )?"
    r"(?:nodes|instances|moves|turns|impacts|members|groups|VNF managers|orchestrators|backups|errors|arrivals|departures)\b"
)


def test_of_one_thing_nobody_speaks_in_the_plural() -> None:
    found = [
        f"{file.name}:{number}: {line}"
        for file in sorted(EXPECTED.glob("*.txt"))
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if ONE_OF_MANY.search(line)
    ]
    assert found == []
