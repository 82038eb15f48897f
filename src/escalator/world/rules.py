"""Rules of what goes wrong: documents that people write, and what they are matched against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import Field

from escalator.model.document import Metadata, Model

FaultKind = Literal[
    "live_migration",
    "cold_migration",
    "arrival",
    "boot",
    "stop",
    "start",
    "cordon",
    "uncordon",
    "inspect",
    "stage",
    "backup",
    "backup_space",
    "upgrade",
    "rollback",
    "restore",
    "drop_backup",
    "reboot",
    "node_crash",
    "packages",
    "daemon",
    "health",
    "offers",
    "units",
    "agents",
    "units_back",
    "agents_back",
    "asks_reboot",
    "quota",
    "delivery",
    "command",
]
DEFECTS: tuple[FaultKind, ...] = ("packages", "daemon", "health", "offers", "units", "agents")
"""What a bad release breaks although its installer succeeds; a rollback mends it."""
BACK_DEFECTS: Mapping[FaultKind, str] = {"units_back": "units", "agents_back": "agents"}
"""What a rollback leaves broken although it succeeds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is about to happen, and to what."""

    node: str = ""
    instance: str = ""
    release: str = ""
    vnfm: str = ""
    command: str = ""
    project: str = ""


class Fault(Model):
    """One rule. Without `first`, `occurrences` and `probability` it strikes every time.

    Work that takes time: `fail` ends it half-way and leaves things as they were (a node that fails to reboot stays down),
    `hang` never ends it, `slow` takes `factor` times as long, `lost` loses the thing itself (a migrated instance, a
    rebooted node, the exit code of an installer), `retry` ends it in a way that a later try may mend. A call that is
    answered at once: `fail` refuses it, `hang` and `retry` give no answer, `lost` does it and loses the answer.
    """

    kind: FaultKind
    effect: Literal["fail", "hang", "slow", "lost", "retry"] = "fail"
    node: str = "*"
    instance: str = "*"
    release: str = "*"
    vnfm: str = "*"
    command: str = "*"
    """Name of a command of the operator's, for faults of that kind: `fail` exits 1, `retry` exits 75."""
    project: str = "*"
    """Project whose quota is to be changed, for faults of that kind."""
    first: Annotated[int, Field(ge=1)] | None = None
    """Strike the first so many times."""
    occurrences: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """Strike exactly at these times, counted from 1."""
    probability: Annotated[float, Field(ge=0, le=1)] | None = None
    factor: Annotated[float, Field(gt=0, le=1000)] = 10.0

    def concerns(self, kind: FaultKind, subject: Subject) -> bool:
        """Whether the rule is about this."""
        return (
            self.kind == kind
            and fnmatchcase(subject.node, self.node)
            and fnmatchcase(subject.instance, self.instance)
            and fnmatchcase(subject.release, self.release)
            and fnmatchcase(subject.vnfm, self.vnfm)
            and fnmatchcase(subject.command, self.command)
            and fnmatchcase(subject.project, self.project)
        )


class FaultCount(Model):
    """How often a rule was looked at and how often it struck."""

    seen: int = 0
    struck: int = 0


class Character(Model):
    """How the VNF managers of some projects behave in a run, drawn anew for each run and manager."""

    behaviour: Literal["silent", "late", "refuse", "defer", "twice", "unreachable", "migrate", "keep", "own"]
    project: str = "*"
    probability: Annotated[float, Field(ge=0, le=1)] = 1.0


class FaultsSpec(Model):
    """What a fault file says."""

    faults: tuple[Fault, ...] = ()
    vnfms: tuple[Character, ...] = ()
    """Characters of VNF managers; the first that strikes counts. Without one, a manager does what is asked of it."""
    kills: Annotated[int, Field(ge=0, le=100)] = 0
    """How often the manager itself dies in the course of each run, and is started again."""
    jitter: Annotated[float, Field(ge=0, le=0.95)] | None = None
    """Share by which every duration may be longer or shorter, evenly spread."""
    resume_s: Annotated[float, Field(ge=0, le=604800)] | None = None
    """After so many seconds a person resumes a campaign that waits for one, each time; null = nobody does."""


class Faults(Model):
    """A fault file (`kind: Faults`)."""

    api_version: Literal["escalator/v1"] = Field(default="escalator/v1", alias="apiVersion")
    kind: Literal["Faults"] = "Faults"
    metadata: Metadata | None = None
    spec: FaultsSpec = FaultsSpec()
