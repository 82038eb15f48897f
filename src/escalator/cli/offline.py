"""Commands that need no server and no cloud: validate a campaign, and plan one on an inventory file."""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from escalator.cli.base import Shower, Shown, fields
from escalator.cli.chart_file import add_chart, require_chart, write_chart
from escalator.cli.documents import add_start, all_told, campaign_in, loaded, of_file, read_file, reads
from escalator.cli.failures import report
from escalator.cli.spans import duration
from escalator.model.codes import Code
from escalator.model.errors import InputError
from escalator.model.printable import printable

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import RenderableType

    from escalator.model.plan import Plan
    from escalator.upgrade_manager.planner.verify.replay import Violation

VIOLATED = 1
NOT_SMOOTH = 3
OFFLINE_ID = "offline"
"""Id of a plan that is stored nowhere."""


class Validate(Shower):
    """Check a campaign document without a server: all problems at once.

    Exit code 0 when it is valid, else 2.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("file", type=Path, metavar="FILE", help="campaign document, YAML or JSON")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Check it."""
        from escalator.model.campaign import load_campaign  # noqa: PLC0415 - pydantic is slow to import
        from escalator.model.document import parse  # noqa: PLC0415 - as above

        try:
            campaign = load_campaign(parse(read_file(parsed_args.file)))
        except InputError as error:
            if parsed_args.formatter == "table":
                raise
            self.exit_code = report(error, self.app.stderr)
            return fields({"valid": False, "name": None, "code": error.code.value, "problems": _problems(error)})
        return fields({"valid": Shown(True, "yes"), "name": campaign.metadata.name, "code": None, "problems": []})


class OfflinePlan(Shower):
    """Plan a campaign on an inventory file: no server and no cloud needed.

    With --parent the rest of a campaign is planned that has got to --at by that plan: the inventory is that of the
    moment, with the progress of each node.

    Exit code 0 when the plan is smooth, 3 when it is not (the report says why and what would help), 2 for bad input.
    """

    _campaign = ""
    _changes: Sequence[str] | None = None

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--inventory", type=Path, required=True, metavar="FILE", help="inventory document, YAML or JSON")
        parser.add_argument("--campaign", type=Path, required=True, metavar="FILE", help="campaign document, YAML or JSON")
        parser.add_argument(
            "--release",
            type=Path,
            metavar="FILE",
            help="release document: what it touches, what cannot come back",
        )
        add_start(parser)
        parser.add_argument("--parent", type=Path, metavar="FILE", help="plan document that the campaign follows so far")
        parser.add_argument(
            "--at",
            type=duration,
            metavar="SECONDS",
            help="working time since the campaign's start (default: what the parent says)",
        )
        parser.add_argument("--full", action="store_true", help="print every row of long tables")
        add_chart(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Plan."""
        require_chart(parsed_args)
        from escalator.model.instance_state import with_reasons  # noqa: PLC0415 - as above
        from escalator.model.inventory import Inventory  # noqa: PLC0415 - as above
        from escalator.model.plan import Plan  # noqa: PLC0415 - as above
        from escalator.model.release import Release  # noqa: PLC0415 - as above
        from escalator.upgrade_manager.planner.difference import differences  # noqa: PLC0415 - as above
        from escalator.upgrade_manager.planner.fitting_files import with_fit  # noqa: PLC0415 - as above
        from escalator.upgrade_manager.planner.impact import NOTHING, Brings  # noqa: PLC0415 - as above
        from escalator.upgrade_manager.planner.kinds import ordered  # noqa: PLC0415 - as above
        from escalator.upgrade_manager.planner.make import make_plan  # noqa: PLC0415 - as above
        from escalator.upgrade_manager.planner.nights import require_window  # noqa: PLC0415 - as above
        from escalator.upgrade_manager.planner.presumed import presumed_managed, with_presumed  # noqa: PLC0415 - as above
        from escalator.upgrade_manager.planner.progress import Progress, assumed  # noqa: PLC0415 - as above
        from escalator.upgrade_manager.planner.returning import with_returns  # noqa: PLC0415 - as above
        from escalator.upgrade_manager.planner.stopped import with_stops  # noqa: PLC0415 - as above
        from escalator.upgrade_manager.planner.verified import verified_plan  # noqa: PLC0415 - as above

        kinds: dict[Path | None, type[BaseModel]] = {
            parsed_args.inventory: Inventory,
            parsed_args.parent: Plan,
            parsed_args.release: Release,
        }
        with all_told(reads(parsed_args.campaign, kinds)):
            campaign = campaign_in(parsed_args.campaign)
            inventory = with_reasons(loaded(Inventory, parsed_args.inventory))
            parent = loaded(Plan, parsed_args.parent) if parsed_args.parent else None
            release = loaded(Release, parsed_args.release) if parsed_args.release else None
        if release is not None and campaign.spec.release not in (None, release.id):
            message = f"The campaign brings {campaign.spec.release}, and {parsed_args.release} is {release.id}."
            raise InputError(Code.CFG_USAGE, message, remedy="Name the same release in both.")
        if parent is None and parsed_args.at is not None:
            raise InputError(Code.CFG_USAGE, "--at tells how far a campaign is; it needs --parent, the plan that it follows.")
        if parsed_args.start is not None:
            require_window(campaign.spec, parsed_args.start)
        at_s = parsed_args.at if parsed_args.at is not None else parent.at_s if parent is not None else 0.0
        progress = Progress() if parent is None else assumed(parent, inventory, at_s)
        brings = NOTHING if release is None else Brings(release.brings, release.spec.impact, release.spec.order)
        managed = presumed_managed(inventory)
        if parent is None:
            made = make_plan(ordered(campaign, brings), inventory, managed, now_s=parsed_args.start, impact=brings.impact)
            made = with_stops(with_returns(made, campaign, inventory, managed, brings.layers), campaign, inventory, managed)
        else:  # as a server does: repaired where that is sound
            made = verified_plan(campaign, inventory, managed, parsed_args.start, progress, brings)
        if release is not None:
            made = with_fit(made, campaign, inventory, release)
        plan = with_presumed(made, inventory).sealed(OFFLINE_ID, parent.id if parent is not None else None)
        if parent is not None:
            over = [node.id for node in inventory.nodes if node.progress in ("done", "failed")]
            self._changes = printable(list(differences(parent, plan, over)))
        self._campaign = campaign.metadata.name
        self.exit_code = 0 if plan.smooth else NOT_SMOOTH
        document = json.loads(plan.model_dump_json(by_alias=True))
        write_chart(parsed_args, document, self._campaign)
        return fields(document)

    def draw(self, parsed_args: argparse.Namespace, document: Mapping[str, Any]) -> RenderableType:
        """The plan for people."""
        from escalator.cli.plan_view import plan_view  # noqa: PLC0415 - rich is for people's eyes only

        return plan_view(document, self._campaign, full=parsed_args.full, changes=self._changes)


class Verify(Shower):
    """Check a plan against an inventory and a campaign, independently of what made it: no server and no cloud needed.

    Exit code 0 when it breaks no rule, 1 when it does, 2 for bad input.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--inventory", type=Path, required=True, metavar="FILE", help="inventory document, YAML or JSON")
        parser.add_argument("--campaign", type=Path, required=True, metavar="FILE", help="campaign document, YAML or JSON")
        parser.add_argument("--plan", type=Path, required=True, metavar="FILE", help="plan document, JSON or YAML")
        parser.add_argument("--full", action="store_true", help="print every violation")
        add_start(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Verify."""
        from escalator.model.document import load, parse  # noqa: PLC0415 - as above
        from escalator.model.instance_state import with_reasons  # noqa: PLC0415 - as above
        from escalator.model.inventory import Inventory  # noqa: PLC0415 - as above
        from escalator.model.plan import Plan  # noqa: PLC0415 - as above
        from escalator.upgrade_manager.planner.presumed import presumed_managed  # noqa: PLC0415 - as above
        from escalator.upgrade_manager.planner.verify.check import verify  # noqa: PLC0415 - as above

        with all_told(reads(parsed_args.campaign, {parsed_args.inventory: Inventory, parsed_args.plan: Plan})):
            campaign = campaign_in(parsed_args.campaign)
            inventory = with_reasons(loaded(Inventory, parsed_args.inventory))
            with of_file(parsed_args.plan) as text:
                came = parse(text)
                plan = load(Plan, came)
        found = [
            *_changed(plan, came.data),
            *verify(campaign, inventory, plan, presumed_managed(inventory), now_s=parsed_args.start),
        ]
        self.exit_code = VIOLATED if found else 0
        totals = json.loads(plan.totals.model_dump_json())
        return fields(
            {"violations": [asdict(violation) | {"code": violation.code.value} for violation in found], "totals": totals}
        )

    def draw(self, parsed_args: argparse.Namespace, document: Mapping[str, Any]) -> RenderableType:
        """The violations for people."""
        from escalator.cli.plan_view import violations_view  # noqa: PLC0415 - rich is for people's eyes only

        return violations_view(document["violations"], document["totals"], full=parsed_args.full)


def _changed(plan: Plan, as_it_came: Mapping[str, Any]) -> Sequence[Violation]:
    """That the document is not the one that was made, when its digest says so; an earlier version wrote fewer keys."""
    from escalator.upgrade_manager.planner.verify.replay import Violation  # noqa: PLC0415 - as above

    is_now = plan.sealed(plan.id, plan.parent).digest
    body = json.dumps({**as_it_came, "digest": ""}, separators=(",", ":"), ensure_ascii=False)
    if plan.digest in ("", is_now, f"sha256:{hashlib.sha256(body.encode()).hexdigest()}"):
        return ()
    message = (
        f"the plan was changed since it was made: its digest says {plan.digest[:19]}..., what stands there has {is_now[:19]}..."
    )
    return (Violation(code=Code.PLN_V_REPORT, message=message),)


def _problems(error: InputError) -> list[dict[str, Any]]:
    found = [{"path": p.path, "message": p.message, "line": p.line} for p in error.problems]
    return found or [{"path": "", "message": error.message, "line": None}]
