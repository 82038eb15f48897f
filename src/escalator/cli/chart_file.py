"""A plan as a chart in a file."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from escalator.model.codes import Code
from escalator.model.errors import InputError


def add_chart(parser: argparse.ArgumentParser) -> None:
    """The argument for a chart in a file."""
    parser.add_argument("--chart", type=Path, metavar="FILE", help="write the plan as a Gantt chart, SVG, into this file")


def require_chart(parsed_args: argparse.Namespace) -> None:
    """Raise InputError where the chart's folder is not there or takes nothing: before anything is worked out for it."""
    if parsed_args.chart is None:
        return
    folder = parsed_args.chart.absolute().parent
    if not folder.is_dir():
        raise InputError(Code.CFG_FILE, f"{parsed_args.chart} cannot be written: there is no folder {folder}.")
    if parsed_args.chart.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(Code.CFG_FILE, f"{parsed_args.chart} cannot be written.")


def write_chart(parsed_args: argparse.Namespace, document: Mapping[str, Any], campaign: str) -> None:
    """Write the chart where one is asked for. Raises InputError when the file cannot be written."""
    if parsed_args.chart is None:
        return
    from escalator.cli.gantt import svg  # noqa: PLC0415 - only where it is asked for

    try:
        parsed_args.chart.write_text(svg(document, campaign), encoding="utf-8")
    except OSError as error:
        raise InputError(Code.CFG_FILE, f"{parsed_args.chart} cannot be written: {error.strerror}.") from error
