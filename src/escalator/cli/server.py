"""The server's settings, and what is not put back yet."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

from escalator.cli.base import Lister, Shower, Shown, fields, rows
from escalator.cli.spans import date_time
from escalator.cli.widths import screen_width
from escalator.model.printable import printable
from escalator.model.progress import SHEET_WARNING
from escalator.model.redaction import redacted

if TYPE_CHECKING:
    from rich.console import RenderableType

BELOW = 120
"""Width of what stands below a table that nobody's screen bounds."""


class ShowConfig(Shower):
    """Show the settings in force on the server, or those that a file would give.

    Passwords in addresses are left out. A file that a server could not start with is refused as `serve` refuses it: the
    certificates and trusted keys that it names have to be there, too. Nothing is bound or changed.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--config", type=Path, metavar="FILE", help="check this file instead; no server is asked")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Get the settings."""
        if parsed_args.config is not None:
            from escalator.settings import read_settings  # noqa: PLC0415 - only here

            settings = read_settings(parsed_args.config, self.environment)
            self.app.check_settings(settings)
            return fields(redacted(settings.model_dump(mode="json")))

        with self.server() as client:
            return fields(client.get("/v1/config"))

    def draw(self, parsed_args: argparse.Namespace, document: Mapping[str, Any]) -> RenderableType:  # noqa: ARG002 - as the base says
        """The settings as a configuration file has them."""
        import yaml  # noqa: PLC0415 - only here
        from rich.text import Text  # noqa: PLC0415 - only here

        return Text(yaml.safe_dump(dict(document), sort_keys=False).rstrip())


class ListRestorations(Lister):
    """List what Escalator changed and has not put back yet, with the commands to do it by hand.

    What has to be heeded before commands are run stands below the table, once for all rows that it is about.
    """

    nothing = "Nothing: all is as it was found."
    spare = ("found", "since", "campaign", "kind")
    read, room = "commands", 60
    _warnings: Sequence[str] = ()

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401, ARG002 - cliff's
        """Get the list."""
        with self.server() as client:
            found = client.get("/v1/restorations")
        columns: dict[str, Any] = {key: key for key in ("kind", "object_id", "node", "campaign")}
        # What is changed is most often the node itself.
        columns["object_id"] = lambda r: Shown(r["object_id"], "" if r["object_id"] == r["node"] else r["object_id"])
        columns["since"] = lambda r: Shown(r["created_at"], date_time(r["created_at"]))
        columns["found"] = lambda r: Shown(r["found"], _found(r))
        self._warnings = list(dict.fromkeys(line for r in found for line in r["commands"] if line.startswith(SHEET_WARNING)))
        columns["commands"] = lambda r: Shown(r["commands"], "\n".join(map(self._short, r["commands"])))
        return rows(found, columns)

    def produce_output(self, parsed_args: argparse.Namespace, column_names: Sequence[str], data: Any) -> int:  # noqa: ANN401 - cliff's
        """Print the list, and below a table what its rows warn of."""
        code = super().produce_output(parsed_args, column_names, data)
        if parsed_args.formatter == "table":
            width = parsed_args.max_width if parsed_args.max_width > 0 else screen_width(fit=parsed_args.fit_width)
            for line in self._warnings:
                said = f"{self._short(line).removeprefix('# ')}: {line.removeprefix(SHEET_WARNING)}"
                self.app.stdout.write(
                    f"{fill(printable(said), width or BELOW, break_on_hyphens=False, break_long_words=False)}\n"
                )
        return code

    def _short(self, line: str) -> str:
        """A command; of a warning the number under which it stands below the table."""
        return f"# WARNING {self._warnings.index(line) + 1}" if line in self._warnings else line


def _found(entry: Mapping[str, Any]) -> str:
    """What was there before, without what is not set and without the node, which has a column of its own."""
    return ", ".join(f"{key}={value}" for key, value in sorted(entry["found"].items()) if value not in (None, entry["node"]))
