"""Markdown as the generated pages need it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

GENERATED = "<!-- Made from the code by `make docs`; changes by hand are lost. -->\n"


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; bars inside cells are escaped."""
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def code(text: object) -> str:
    """A word in code type; an empty one stays empty."""
    return f"`{text}`" if str(text) else ""


def sentence(text: str) -> str:
    """The text with a capital at its beginning and a full stop at its end."""
    text = " ".join(text.split())
    return text if not text else text[0].upper() + text[1:] + ("" if text.endswith((".", ":", "?")) else ".")
