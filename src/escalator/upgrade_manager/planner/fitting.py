"""Whether a release goes upon what the nodes run, and whether they could be taken back: pure functions over facts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from escalator.model.backup import not_kept
from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.plan import Condition, NodeVersion
from escalator.model.release import Release
from escalator.model.requires import RELEASE, arch_fits, range_fits, system_fits
from escalator.model.version_ranges import Jump, Version, jump, version_or_none
from escalator.upgrade_manager.planner.paths import allows, goes_upon, path

SHOWN = 10
Kind = Jump | Literal["new", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """What is known of what a node runs."""

    node: str
    layers: Mapping[str, str] = field(default_factory=dict)
    """By the inventory."""
    os: str = ""
    """Name and version, such as `debian 12`; empty when nobody could look."""
    arch: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)
    """Installed versions of the packages in `asked`."""
    asked: frozenset[str] = frozenset()
    """Packages that were looked for on the node; empty when nobody could look."""
    releases: Mapping[str, str] = field(default_factory=dict)
    """The version of each release that the last campaign brought to the node."""


@dataclass(frozen=True, slots=True)
class Present:
    """The version of a release that a node runs: none (and known to be none), or not known."""

    version: Version | None
    known: bool = True

    def __str__(self) -> str:
        return str(self.version) if self.version else "none" if self.known else "an unknown version"


def present(name: str, runs: Runs, imported: Sequence[Release]) -> Present:
    """The version of the release of that name: by packages, by layers, by what campaigns brought."""
    mine = sorted((r for r in imported if r.metadata.name == name), key=lambda r: Version(r.spec.version), reverse=True)
    for found in (_by_pins(mine, runs), _by_layers(mine, runs), version_or_none(runs.releases.get(name))):
        if found is not None:
            return Present(found)
    pins = {pin.name for release in mine for pin in release.spec.packages}
    nothing = bool(pins & runs.asked) and not pins & set(runs.packages)
    return Present(None, known=nothing)


def _by_pins(releases: Sequence[Release], runs: Runs) -> Version | None:
    for release in releases:
        pins = {pin.name: pin.version for pin in release.spec.packages if pin.name in runs.asked}
        if pins and pins.items() <= dict(runs.packages).items():
            return Version(release.spec.version)
    for release in releases:  # none that is imported: the package that carries the release's own version tells
        own = Version(release.spec.version).numbers
        for pin in release.spec.packages:
            pinned, there = version_or_none(pin.version), version_or_none(runs.packages.get(pin.name))
            if pinned is not None and pinned.numbers == own and there is not None:
                return Version(".".join(map(str, there.numbers)))
    return None


def _by_layers(releases: Sequence[Release], runs: Runs) -> Version | None:
    for release in releases:
        if release.brings and release.brings.items() <= dict(runs.layers).items():
            return Version(release.spec.version)
    for release in releases:
        for layer, version in release.brings.items():
            if len(release.brings) == 1 or version == release.spec.version:
                found = version_or_none(runs.layers.get(layer))
                if found is not None:
                    return found
    return None


def may_return(release: Release, before: Present) -> bool:
    """Whether a node that the release was installed on may be taken back to what it ran before."""
    ranges = release.spec.rollback_to
    return not ranges or (before.known and allows(ranges, before.version))


@dataclass(frozen=True, slots=True)
class Fit:
    """What was found: the conditions, and a row for each node."""

    conditions: tuple[Condition, ...]
    versions: tuple[NodeVersion, ...]

    @property
    def ok(self) -> bool:
        """Whether every condition holds."""
        return all(condition.ok for condition in self.conditions)


def fit(
    release: Release,
    nodes: Sequence[Runs],
    imported: Sequence[Release],
    backup_scope: Sequence[str],
    turns: Collection[str] | None = None,
) -> Fit:
    """Check the release against what the nodes run, also of those that have no turn: they may get one.

    `turns` are the nodes that have one, and are counted apart, as the plan counts them; null where there is no plan.
    """
    known = [r for r in imported if r.id != release.id] + [release]
    there = {runs.node: present(release.metadata.name, runs, known) for runs in nodes}
    rows = tuple(_row(release, node, before, backup_scope) for node, before in sorted(there.items()))
    turns = there.keys() if turns is None else turns
    conditions = [_from(release, there, known, turns)]
    if release.spec.requires:
        conditions.append(_requires(release, nodes, known))
    if release.spec.rollback_to or not_kept(backup_scope):
        conditions.append(_back(release, rows, backup_scope))
    if release.spec.point_of_no_return:
        conditions.append(_no_return(release))
    return Fit(tuple(conditions), rows)


def _row(release: Release, node: str, before: Present, backup_scope: Sequence[str]) -> NodeVersion:
    why = ""
    if not may_return(release, before):
        why = f"rollback_to is {' or '.join(release.spec.rollback_to)}"
    elif "versions" not in backup_scope:
        why = "backup.scope keeps no versions"
    return NodeVersion(
        node=node,
        runs=str(before) if before.known else None,
        to=release.spec.version,
        jump=_jump(before, release),
        back=not why,
        why_not=why,
    )


def _jump(before: Present, release: Release) -> Kind:
    if before.version is None:
        return "new" if before.known else "unknown"
    return jump(before.version, Version(release.spec.version))


def _from(release: Release, there: Mapping[str, Present], known: Sequence[Release], turns: Collection[str]) -> Condition:
    groups = _by_version(there)
    newer = {Version(r.spec.version): r for r in known if r.metadata.name == release.metadata.name}
    bad = {b: nodes for b, nodes in groups.items() if not _upon(release, b, newer)}
    if not bad:
        downs = [b for b in groups if _jump(b, release) == "downgrade"]
        silent = bool(downs) and not release.spec.upgrades_from and not any(_speaks(newer, b) for b in downs)
        message = f"to {release.id}: {_counted(release, there, turns)}"
        if silent:
            message += "; no release declares this downgrade compatible"
        remedy = (
            "have it tested and declared: upgrades_from of the older release, or rollback_to of the newer one" if silent else ""
        )
        return Condition(code=Code.PLN_FROM.value, ok=True, message=message, remedy=remedy)
    upon = " or ".join(release.spec.upgrades_from) or "any earlier version, or one whose rollback_to names it"
    lines = [f"{_names(nodes)} {'run' if len(nodes) > 1 else 'runs'} {before}" for before, nodes in _sorted(bad)]
    remedies = [_way(release, before, known) for before, _ in _sorted(bad)]
    message = f"{release.id} goes upon {upon}: {'; '.join(lines)}"
    return Condition(code=Code.PLN_FROM.value, ok=False, message=message, remedy="; ".join(remedies))


def _by_version(there: Mapping[str, Present]) -> dict[Present, list[str]]:
    groups: defaultdict[Present, list[str]] = defaultdict(list)
    for node, before in sorted(there.items()):
        groups[before].append(node)
    return groups


def _counted(release: Release, there: Mapping[str, Present], turns: Collection[str]) -> str:
    """How many nodes run what: first those that have a turn, so that their sum is the plan's."""

    def said(groups: Mapping[Present, list[str]]) -> str:
        runs = [(counted(len(nodes), "node runs", "nodes run"), before) for before, nodes in _sorted(groups)]
        return ", ".join(f"{how_many} {before} ({_jump(before, release)})" for how_many, before in runs)

    going = said(_by_version({node: before for node, before in there.items() if node in turns}))
    waiting = said(_by_version({node: before for node, before in there.items() if node not in turns}))
    return (going or "no node") + (f"; without a turn: {waiting}" if waiting else "")


def _upon(release: Release, before: Present, newer: Mapping[Version, Release]) -> bool:
    if not before.known:
        return not release.spec.upgrades_from
    return goes_upon(release, before.version, newer)


def _speaks(newer: Mapping[Version, Release], before: Present) -> bool:
    there = newer.get(before.version) if before.version is not None else None
    return there is not None and bool(there.spec.rollback_to)


def _way(release: Release, before: Present, known: Sequence[Release]) -> str:
    if not before.known:
        return "make known what they run: inventory versions, or an imported release with the packages that they have"
    way = path(release, before.version, known)
    if way is None:
        return f"no path over imported releases leads from {before} to {release.spec.version}: import one between"
    steps = " → ".join([str(before), *(step.spec.version for step in way)])
    return f"{steps}: a campaign for each step"


def _requires(release: Release, nodes: Sequence[Runs], known: Sequence[Release]) -> Condition:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for runs in sorted(nodes, key=lambda r: r.node):
        for key, wanted in release.spec.requires.items():
            if key in release.brings:
                continue  # it comes with it: checked when the release was imported
            lacking = _lacking(key, wanted, runs, known)
            if lacking:
                found[f"{key} {wanted} is required, there is {lacking}"].append(runs.node)
    if not found:
        said = ", ".join(f"{key} {wanted}" for key, wanted in release.spec.requires.items())
        return Condition(code=Code.PLN_REQUIRES.value, ok=True, message=f"every node fits: {said}")
    message = "; ".join(f"{_names(names)}: {what}" for what, names in sorted(found.items()))
    remedy = "upgrade that first, or leave these nodes out by scope.exclude"
    return Condition(code=Code.PLN_REQUIRES.value, ok=False, message=message, remedy=remedy)


def _lacking(key: str, wanted: str, runs: Runs, known: Sequence[Release]) -> str:
    """What is there instead of what is wanted; empty when it fits."""
    if key == "arch":
        return "" if runs.arch and arch_fits(wanted, runs.arch) else runs.arch or "an unknown one"
    if key == "os":
        system = runs.os or runs.layers.get("os", "")
        fits = system_fits(wanted, system if not system[:1].isdigit() else f"unknown {system}") if system else None
        return "" if fits else system or "an unknown one"
    there = present(key.removeprefix(RELEASE), runs, known) if key.startswith(RELEASE) else None
    version = runs.layers.get(key) if there is None else str(there.version) if there.version else None
    if version is not None and range_fits(wanted, version):
        return ""
    return version or ("none" if there is not None and there.known else "an unknown version")


def _back(release: Release, rows: Sequence[NodeVersion], backup_scope: Sequence[str]) -> Condition:
    lost = not_kept(backup_scope)
    stuck = [row for row in rows if not row.back]
    said = [f"backup.scope does not keep {what}" for what in lost]
    if stuck:
        named = _names([f"{row.node} ({row.runs or 'unknown'})" for row in stuck])
        said.insert(0, f"{named} cannot be taken back: {stuck[0].why_not}")
    if not said:
        message = f"every node can be taken back: rollback_to is {' or '.join(release.spec.rollback_to)}"
        return Condition(code=Code.PLN_BACK.value, ok=True, message=message)
    remedy = "what fails there is held and mended forward" if stuck else "a rollback puts back the rest"
    return Condition(code=Code.PLN_BACK.value, ok=True, message="; ".join(said), remedy=remedy)


def _no_return(release: Release) -> Condition:
    message = f"point of no return: from a node's step {release.spec.point_of_no_return} on, {release.id} cannot be taken back"
    remedy = "before the first node passes it, a person is asked; --accept-point-of-no-return at the start says yes beforehand"
    return Condition(code=Code.PLN_NO_RETURN.value, ok=True, message=message, remedy=remedy)


def _sorted(groups: Mapping[Present, list[str]]) -> list[tuple[Present, list[str]]]:
    """By version, those without one last."""
    return sorted(groups.items(), key=lambda item: (item[0].version is None, item[0].version or Version("0"), item[1][0]))


def _names(items: Sequence[str]) -> str:
    more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return ", ".join(items[:SHOWN]) + more
