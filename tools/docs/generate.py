"""Write the generated reference pages, or check that they are fresh: `python -m tools.docs.generate [--check]`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tools.docs import codes, commands, documents, endpoints, states

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "reference"
PAGES: Mapping[str, Callable[[], str]] = {
    "cli.md": commands.page,
    "error-codes.md": codes.page,
    "exit-codes.md": codes.exits_page,
    "settings.md": documents.settings_page,
    "campaign.md": documents.campaign_page,
    "release.md": documents.release_page,
    "faults.md": documents.faults_page,
    "inventory.md": documents.inventory_page,
    "plan.md": documents.plan_page,
    "vnfm.md": documents.vnfm_page,
    "states.md": states.page,
    "steps.md": states.steps_page,
    "rest-api.md": endpoints.page,
}
"""Generated pages by file name; every other page of the reference is written by hand."""


def stale(folder: Path = FOLDER) -> list[str]:
    """Names of the pages that are missing or differ from what the code says now."""
    return [name for name, make in PAGES.items() if not (folder / name).exists() or (folder / name).read_text() != make()]


def write(folder: Path = FOLDER) -> None:
    """Write every generated page."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in PAGES.items():
        (folder / name).write_text(make())


def main(arguments: Sequence[str]) -> int:
    """Run; the exit code is 1 when a page is stale."""
    if "--check" not in arguments:
        write()
        return 0
    old = stale()
    if old:
        sys.stderr.write(f"Stale pages in docs/reference: {', '.join(old)}. Write them again with: make docs\n")
    return 1 if old else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
