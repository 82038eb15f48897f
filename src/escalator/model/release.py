"""A release: the version files and how they are to be installed (`kind: Release`)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, StringConstraints, field_validator, model_validator

from escalator.model.document import Metadata, Model, SeveralError, check_each
from escalator.model.references import Told
from escalator.model.requires import NONE, check_requirement, range_fits
from escalator.model.roles import Layer, Order
from escalator.model.version_ranges import Range

Version = Annotated[
    str, StringConstraints(pattern=r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$")
]
"""Semantic version 2.0.0."""
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
PackageName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9+.-]{1,127}$")]
PackageVersion = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+:~-]{0,127}$")]
Role = Literal["upgrade", "rollback", "verify", "facts", "stage", "backup"]
"""What a playbook of a bundle is for."""
Playbook = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,250}\.ya?ml$")]
Impact = Literal["none", "control", "dataplane", "reboot"]
"""What an installation touches: nothing that anybody uses, the agents of the cloud, the traffic of instances, the whole node."""


SPARING: tuple[Impact, ...] = ("none", "control")
"""Impacts under which instances run on."""


def spares_instances(impact: Impact | None) -> bool:
    """Whether instances run on, undisturbed, while a node is upgraded; not so where nothing is known of it."""
    return impact in SPARING


class File(Model):
    """One file of the release; `path` is relative to the release's folder."""

    path: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    length: Annotated[int, Field(ge=0, le=16 * 2**30)]
    sha256: Sha256

    @field_validator("path")
    @classmethod
    def _inside(cls, value: str) -> str:
        pure = PurePosixPath(value)
        if pure.is_absolute() or ".." in pure.parts or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+~/-]*", value):
            raise ValueError(f"{value!r} is not a plain path inside the release")
        return value


class Package(Model):
    """A pin: this package in exactly this version."""

    name: PackageName
    version: PackageVersion


class Daemon(Model):
    """How to ask a running daemon for its own version: an HTTP URL on the node that answers JSON."""

    url: Annotated[str, StringConstraints(pattern=r"^http://(127\.0\.0\.1|localhost)(:\d{1,5})?/[A-Za-z0-9._/-]*$")]
    version_key: str = "version"
    expect: str | None = None
    """The version to be found there; null = the version of the first package."""


class Health(Model):
    """A health check on the node: an HTTP URL that answers 200, bounded."""

    name: str
    url: Annotated[str, StringConstraints(pattern=r"^http://(127\.0\.0\.1|localhost)(:\d{1,5})?/[A-Za-z0-9._/-]*$")]


UnitNames = Annotated[tuple[Annotated[str, StringConstraints(min_length=1, max_length=255)], ...], Field(max_length=200)]
"""Names or patterns (`*`, `?`, `[...]`) of services."""


class ReleaseSpec(Model):
    """What the release is and what it needs."""

    version: Version
    type: Literal["deb-set", "rpm-set", "ansible", "image", "command"] = "deb-set"
    layers: Mapping[Layer, str] = Field(default_factory=dict)
    impact: Impact = "reboot"
    files: tuple[File, ...] = ()
    packages: tuple[Package, ...] = ()
    playbooks: Mapping[Role, Playbook] = Field(default_factory=dict)
    """Of a bundle: the file of each role; `upgrade` has to be there."""
    upgrades_from: tuple[str, ...] = ()
    rollback_to: tuple[str, ...] = ()
    requires: Mapping[str, str] = Field(default_factory=dict)
    order: Order = Field(default_factory=dict)
    """Which kind of node goes before which, layer by layer; a layer left out has its usual order."""
    reboot: Literal["never", "auto", "always"] = "auto"
    state_paths: tuple[Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9._/-]+$")], ...] = ()
    health: tuple[Health, ...] = ()
    units_gone: UnitNames = ()
    """Service units, and agents of the cloud, that it takes away on purpose: names, or patterns of them."""
    daemon: Daemon | None = None
    expected_s: Mapping[str, Annotated[float, Field(ge=0, le=30 * 86400)]] = Field(default_factory=dict)
    point_of_no_return: Literal["upgrade", "reboot"] | None = None
    created: str | None = None
    expires: str | None = None
    notes: str | None = None

    @field_validator("state_paths")
    @classmethod
    def _plain(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        check_each(range(len(value)), lambda index: _check_state_path(value[index]))
        return value

    @field_validator("upgrades_from", "rollback_to")
    @classmethod
    def _ranges(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        check_each(range(len(value)), lambda index: value[index] == NONE or Range(value[index]))
        return value

    @field_validator("requires")
    @classmethod
    def _requirements(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        check_each(value, lambda key: check_requirement(key, value[key], get_args(Layer)))
        return value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        """What it brings and requires of the same layer has to agree: layers that come together are checked together."""
        check_each(
            map(str, self.layers),
            partial(_check_layer, self.requires, {str(layer): version for layer, version in self.layers.items()}),
        )
        return self

    @field_validator("expires")
    @classmethod
    def _moment(cls, value: str | None) -> str | None:
        if value is not None:
            _unix(value)
        return value

    @model_validator(mode="after")
    def _supported(self) -> Self:
        found = [*_against_one_another(self.model_dump(include={"type", "packages", "playbooks", "impact", "reboot"}))]
        if found:
            raise SeveralError(found)
        return self


class Release(Model):
    """A release document. Its id is `name/version`."""

    api_version: Literal["escalator/v1"] = Field(default="escalator/v1", alias="apiVersion")
    kind: Literal["Release"] = "Release"
    metadata: Metadata
    spec: ReleaseSpec

    @staticmethod
    def contradictions(data: Mapping[str, Any]) -> Iterator[Told]:
        """Say what parts of a release say against one another, from plain data."""
        spec = data.get("spec")
        for path, message in _against_one_another(spec) if isinstance(spec, dict) else ():
            yield ("spec", *path), message

    @property
    def id(self) -> str:
        """`name/version`, as campaigns name it."""
        return f"{self.metadata.name}/{self.spec.version}"

    @property
    def expires_at(self) -> float | None:
        """Unix time from which on no new campaign may use it; None = never."""
        return None if self.spec.expires is None else _unix(self.spec.expires)

    @property
    def brings(self) -> Mapping[str, str]:
        """The version that it brings to each layer it has."""
        return {str(layer): version for layer, version in self.spec.layers.items()}


def _check_layer(requires: Mapping[str, str], brings: Mapping[str, str], layer: str) -> None:
    wanted, version = requires.get(layer), brings[layer]
    if wanted is not None and layer != "os" and range_fits(wanted, version) is False:
        raise ValueError(f"it brings {layer} {version} and requires {layer} {wanted}")


def _check_state_path(path: str) -> None:
    if ".." in PurePosixPath(path).parts or len(PurePosixPath(path).parts) < 3:
        raise ValueError(f"{path!r} is not a plain path at least two levels deep")


def _against_one_another(spec: Mapping[str, Any]) -> Iterator[Told]:
    kind, playbooks, impact = spec.get("type", "deb-set"), spec.get("playbooks"), spec.get("impact", "reboot")
    if kind == "deb-set" and not spec.get("packages"):
        yield (), "a deb-set names at least one package"
    if (kind == "ansible") != (isinstance(playbooks, Mapping) and "upgrade" in playbooks):
        yield (), "a release of type ansible names its upgrade playbook under playbooks, and no other type does"
    if kind in ("rpm-set", "image"):
        yield ("type",), f"releases of type {kind} are not supported yet"
    if impact in SPARING and spec.get("reboot") == "always":
        yield ("reboot",), f"a release of impact {impact} cannot always reboot; its impact is reboot"


def _unix(text: str) -> float:
    """Seconds since 1970 of a time as RFC 3339 writes it; raises ValueError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError(f"{text!r} is no time with its zone, such as 2027-06-30T00:00:00Z")
    return moment.timestamp()
