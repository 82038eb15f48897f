"""`escalator rehearse`: a campaign played many times on a simulated copy of an inventory."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from escalator.cli.base import Shower, fields
from escalator.cli.documents import add_start, all_told, campaign_in, loaded, reads

if TYPE_CHECKING:
    from rich.console import RenderableType

MOST_RUNS = 1000
FAILED = 1


class Rehearse(Shower):
    """Play a campaign on a simulated copy of an inventory: the code of production, virtual time, faults by chance.

    Exit code 0 when every run is completed without a violation, else 1; 2 for bad input.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--inventory", type=Path, required=True, metavar="FILE", help="inventory document, YAML or JSON")
        parser.add_argument("--campaign", type=Path, required=True, metavar="FILE", help="campaign document, YAML or JSON")
        parser.add_argument("--faults", type=Path, metavar="FILE", help="fault file, YAML or JSON (default: none, times ±20 %%)")
        add_start(parser)
        parser.add_argument("--runs", type=_runs, default=20, metavar="N", help="how often (default 20)")
        parser.add_argument("--seed", type=int, default=1, metavar="S", help="the same seed makes the same runs (default 1)")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Play it."""
        from escalator.logs import configure_logs  # noqa: PLC0415 - the engine takes a second to import
        from escalator.model.inventory import Inventory  # noqa: PLC0415 - as above
        from escalator.settings import Log  # noqa: PLC0415 - as above
        from escalator.simulation.rehearsal import beginning, summary  # noqa: PLC0415 - as above
        from escalator.simulation.rehearsals import Rehearsal, rehearse_all  # noqa: PLC0415 - as above
        from escalator.upgrade_manager.planner.nights import local  # noqa: PLC0415 - as above
        from escalator.world.about_nothing import about_nothing  # noqa: PLC0415 - as above
        from escalator.world.rules import Faults, FaultsSpec  # noqa: PLC0415 - as above

        with all_told(reads(parsed_args.campaign, {parsed_args.inventory: Inventory, parsed_args.faults: Faults})):
            campaign = campaign_in(parsed_args.campaign)
            inventory = loaded(Inventory, parsed_args.inventory)
            faults = loaded(Faults, parsed_args.faults).spec if parsed_args.faults else FaultsSpec()
        for strange in about_nothing(faults, inventory):
            self.app.stderr.write(f"Warning: {strange}\n")
        configure_logs(Log(level="error"))
        seeds = range(parsed_args.seed, parsed_args.seed + parsed_args.runs)
        with _progress(self.app.stderr, len(seeds)) as tell:
            outcomes = rehearse_all(Rehearsal(inventory, campaign, faults, parsed_args.start), seeds, tell=tell)
        dated = parsed_args.start is not None or campaign.spec.not_before is not None
        begins = local(campaign.spec, beginning(campaign.spec, parsed_args.start)).isoformat() if dated else None
        found = {**summary(outcomes), "begins": begins}
        self.exit_code = 0 if found["completed"] == found["runs"] and not found["violations"] else FAILED
        return fields(found)

    def draw(self, parsed_args: argparse.Namespace, document: Mapping[str, Any]) -> RenderableType:  # noqa: ARG002 - cliff's
        """The runs for people."""
        from escalator.cli.rehearsal_view import rehearsal_view  # noqa: PLC0415 - rich is for people's eyes only

        return rehearsal_view(document)


@contextmanager
def _progress(stream: TextIO, runs: int) -> Iterator[Callable[[int], None]]:
    """How many runs are over, for somebody who waits for them at a terminal; gone when they all are."""
    from rich.console import Console  # noqa: PLC0415 - rich is for people's eyes only
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415 - as above

    columns = (TextColumn("rehearsing"), BarColumn(), MofNCompleteColumn(), TextColumn("runs"), TimeElapsedColumn())
    with Progress(*columns, console=Console(file=stream), transient=True, disable=not stream.isatty()) as bar:
        task = bar.add_task("", total=runs)
        yield lambda over: bar.update(task, completed=over)


def _runs(text: str) -> int:
    number = int(text)
    if not 1 <= number <= MOST_RUNS:
        raise argparse.ArgumentTypeError(f"1 to {MOST_RUNS} runs are possible")
    return number
