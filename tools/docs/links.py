"""Check that links between pages lead somewhere: `python -m tools.docs.links`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (?P<text>.+)$", re.MULTILINE)
_OUTSIDE = ("http://", "https://", "mailto:")


def pages(root: Path = ROOT) -> list[Path]:
    """Every page of the project that people read."""
    return [*sorted(root.glob("*.md")), *sorted((root / "docs").rglob("*.md"))]


def broken(page: Path, root: Path = ROOT) -> Iterator[str]:
    """What is wrong with the links of one page; addresses outside the project are not looked at."""
    for found in _LINK.finditer(_FENCE.sub("", page.read_text())):
        target = found["target"]
        if target.startswith(_OUTSIDE):
            continue
        file, _, anchor = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        if not there.exists() or not there.is_relative_to(root):
            yield f"{page.relative_to(root)}: {target} is not there"
        elif anchor and there.suffix == ".md" and anchor not in _anchors(there):
            yield f"{page.relative_to(root)}: {target}: the page has no such heading"


@cache
def _anchors(page: Path) -> frozenset[str]:
    headings = (found["text"].strip().lower() for found in _HEADING.finditer(_FENCE.sub("", page.read_text())))
    return frozenset(re.sub(r"[^\w\- ]", "", text).replace(" ", "-") for text in headings)


def main() -> int:
    """Report every broken link; the exit code is 1 when there is one."""
    found = [problem for page in pages() for problem in broken(page)]
    sys.stderr.writelines(f"{problem}\n" for problem in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
