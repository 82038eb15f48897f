"""Changing a registered VNF manager without forgetting it."""

from __future__ import annotations

import argparse
from typing import Any

from escalator.cli.base import Shower
from escalator.cli.campaign import quoted
from escalator.cli.vnfm import OWNED, add_parts, parts_of, shown_fields, spoken_for, tell_spoken
from escalator.model.codes import Code
from escalator.model.errors import InputError


class Set(Shower):
    """Change a VNF manager's registration: address, credentials, dialect, what it owns.

    What is not named stays as it is. An empty value (--contact '') puts the default back; --project and its like replace all
    that was named before. Notices that wait go where the registration says from now on. With --if-version it is not changed when
    somebody else has changed it since: exit code 6.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="NAME", help="the VNF manager")
        text = "change it only while it has this version, which escalator vnfm show tells"
        parser.add_argument("--if-version", metavar="VERSION", help=text)
        add_parts(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Change it."""
        changes = parts_of(parsed_args)
        if not changes:
            raise InputError(Code.CFG_DOCUMENT, "Nothing to change is named.", remedy="See escalator vnfm set --help")
        with self.server() as client:
            found = client.patch(f"/v1/vnfms/{quoted(parsed_args.name)}", {"spec": changes}, parsed_args.if_version)
            if any(owned in changes for owned in OWNED.values()):
                tell_spoken(spoken_for(client, found, self.app.stderr), self.app.stderr)
        self.app.stderr.write(f"See whether it answers: escalator vnfm test {parsed_args.name}\n")
        return shown_fields(found)
