"""`escalator demo`: a whole campaign on the simulated cloud, live in the terminal."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.live import Live

from escalator.cli.base import Shower, fields
from escalator.cli.live import screen

FRAME_S = 0.06
"""Real seconds for which each view stands: the whole campaign takes a quarter of a minute."""
MOST_NODES = 5000


class Demo(Shower):
    """Upgrade a simulated cloud: a whole campaign with VNF managers, migrations and reboots, in virtual time.

    Exit code 0 when the campaign is completed without a violation, else 1.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--nodes", type=_nodes, default=16, metavar="N", help="nodes of the simulated cloud (default 16)")
        parser.add_argument("--seed", type=int, default=1, metavar="S", help="the same seed makes the same cloud (default 1)")
        parser.add_argument("--fast", action="store_true", help="do not slow the campaign down for the eye")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Run it."""
        from escalator.logs import configure_logs  # noqa: PLC0415 - the engine takes a second to import
        from escalator.settings import Log  # noqa: PLC0415 - as above
        from escalator.simulation.demo import run_demo  # noqa: PLC0415 - as above

        configure_logs(Log(level="error"))
        with self._watching(parsed_args) as watch:
            report = run_demo(parsed_args.nodes, parsed_args.seed, watch)
        self.exit_code = 0 if report.state == "completed" and not report.violations else 1
        return fields(asdict(report))

    @contextmanager
    def _watching(self, parsed_args: argparse.Namespace) -> Iterator[Callable[[Mapping[str, Any], float], None] | None]:
        console = Console(file=self.app.stderr)
        if parsed_args.formatter != "table" or not console.is_terminal:
            yield None
            return
        with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:

            def watch(view: Mapping[str, Any], now: float) -> None:
                live.update(screen(view, now, console.height), refresh=True)
                if not parsed_args.fast:
                    time.sleep(FRAME_S)

            yield watch


def _nodes(text: str) -> int:
    number = int(text)
    if not 1 <= number <= MOST_NODES:
        raise argparse.ArgumentTypeError(f"1 to {MOST_NODES} nodes are possible")
    return number
