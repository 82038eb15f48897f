"""What may hold up a campaign beside its own rules, in the server's settings: gates that are asked, keys that are held."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from escalator.model.document import Model
from escalator.model.notice import Auth, Uri

Wait = Annotated[float, Field(gt=0, le=7 * 86400)]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
"""Name of an environment variable."""


class GateEntry(Model):
    """A gate that campaigns name: a command, a page or a query that is asked, or a person who approves."""

    kind: Literal["command", "http", "prometheus", "manual", "simulated"] = "command"
    """`manual`: `escalator campaign approve NAME GATE` opens it; `simulated`: as the simulated cloud has it."""
    argv: tuple[str, ...] = ()
    """Command; `{gate}`, `{moment}`, `{campaign}`, `{node}`, `{wave}` stand for one argument each. No shell reads it."""
    baseline: bool = False
    """Whether the command is also asked when the campaign begins (`baseline`); each later question has what it wrote then."""
    url: Uri | None = None
    """`http`: the page, where `{gate}`, `{moment}`, `{campaign}`, `{node}`, `{wave}` stand for a word each; or the API."""
    auth: Auth = Auth()
    """How to authenticate there: `none`, `basic` or `bearer`."""
    query: Annotated[str, Field(min_length=1, max_length=4000)] | None = None
    """`prometheus`: the expression, evaluated for now; its labels tell what each value is of."""
    not_below_percent: Annotated[float, Field(gt=0, le=100)] | None = None
    """`prometheus`: no value may be below this share of what it was when the campaign began, and none may be gone."""
    not_above_percent: Annotated[float, Field(ge=100, le=1e6)] | None = None
    """`prometheus`: no value may be above this share of what it was."""
    no_new: bool = False
    """`prometheus`: there may be no value of anything that had none, as for alerts."""
    timeout_s: Annotated[float, Field(gt=0, le=600)] = 60.0
    """Longest time of one answer; the campaign begins nothing meanwhile."""
    retry_s: Wait = 60.0
    """Pause before it is asked again after `not yet`."""
    deadline_s: Wait = 14400.0
    """How long `not yet` is taken for an answer."""
    environment: Annotated[tuple[Variable, ...], Field(max_length=50)] = ()
    """Variables of the server's environment that the command gets beside the usual few."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.kind == "command") != bool(self.argv):
            raise ValueError("argv is expected for kind command, and for no other")
        if self.baseline and self.kind != "command":
            raise ValueError("baseline is for kind command: prometheus always has one, and the others have none")
        if (self.kind in ("http", "prometheus")) != (self.url is not None):
            raise ValueError("url is expected for kind http and prometheus, and for no other")
        if self.auth.type not in ("none", "basic", "bearer") or (self.auth.type != "none" and self.url is None):
            raise ValueError("auth is none, basic or bearer, for kind http and prometheus")
        if (self.kind == "prometheus") != (self.query is not None):
            raise ValueError("query is expected for kind prometheus, and for no other")
        ruled = self.not_below_percent is not None or self.not_above_percent is not None or self.no_new
        if (self.kind == "prometheus") != ruled:
            raise ValueError("not_below_percent, not_above_percent or no_new is expected for kind prometheus, and for no other")
        if any(name.startswith("ESCALATOR_") for name in self.environment):
            raise ValueError("variables of the manager itself are not handed on")
        return self


class Locks(Model):
    """A lock service at which campaigns hold their keys (`exclusive`)."""

    kind: Literal["none", "command", "folder", "simulated"] = "none"
    """`folder`: files in a folder that all managers share; `command`: commands of yours; `simulated`: in the simulated cloud."""
    owner: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")] | None = None
    """Name of this site there, the same for all replicas; null = one that is made once in the state directory."""
    ttl_s: Annotated[float, Field(ge=3, le=86400)] = 120.0
    """How long a key is held without being renewed; it is renewed three times as often."""
    timeout_s: Annotated[float, Field(gt=0, le=600)] = 10.0
    """Longest time of one command."""
    acquire: tuple[str, ...] = ()
    """Command; `{key}`, `{owner}`, `{ttl_s}` stand for one argument each. Exit code 0 held, 75 somebody else has it."""
    renew: tuple[str, ...] = ()
    """Command; exit code 0 renewed, 70 it is not ours any more."""
    release: tuple[str, ...] = ()
    """Command; exit code 0 released."""
    folder: Annotated[str, StringConstraints(pattern=r"^/")] | None = None
    """The shared folder, by its absolute path."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.kind == "command") != all((self.acquire, self.renew, self.release)) or (
            self.kind != "command" and any((self.acquire, self.renew, self.release))
        ):
            raise ValueError("acquire, renew and release are expected for kind command, and for no other")
        if (self.kind == "folder") != (self.folder is not None):
            raise ValueError("folder is expected for kind folder, and for no other")
        if self.kind == "command" and self.timeout_s * 3 > self.ttl_s:
            raise ValueError("ttl_s has to be three times timeout_s at least")
        return self
