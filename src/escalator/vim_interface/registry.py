"""Who owns which instances, and the checks of a registration."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from escalator.model.codes import Code
from escalator.model.document import Source, load
from escalator.model.errors import ConflictError, EscalatorError, InputError, Problem
from escalator.model.inventory import Instance
from escalator.model.notice import Auth, Notice, NoticeType, SubscriptionRight, Vnfm, VnfmSpec
from escalator.model.subscription import Filter
from escalator.storage.port import Subscriptions, Vnfms
from escalator.storage.rules import no_vnfm, vnfm_changed
from escalator.vim_interface.credentials import Credentials
from escalator.vim_interface.hosts import uri_problems
from escalator.vim_interface.versions import version_of

_TRIES = 5
"""Changes of one registration that come at the same time: more are no people."""
MIN_SECRET = 16
"""Characters of a credential that lets somebody in: nothing slows down who guesses."""

BUS: Final = "fenix-bus"
"""Name under which the message bus is registered, where the settings name one."""

KEY = re.compile(r"[A-Za-z0-9_-]{16,128}", re.ASCII)
"""What stands in an address as it is, and is not guessed."""


@dataclass(frozen=True, slots=True)
class Ownership:
    """Owners by instance id, by VNF and by project; the most particular one counts."""

    instances: Mapping[str, str]
    vnfs: Mapping[str, str]
    projects: Mapping[str, str]

    @classmethod
    def of(cls, vnfms: Iterable[Vnfm]) -> Ownership:
        """Index the registrations."""
        known = list(vnfms)
        return cls(
            {key: vnfm.name for vnfm in known for key in vnfm.spec.instances},
            {key: vnfm.name for vnfm in known for key in vnfm.spec.vnfs},
            {key: vnfm.name for vnfm in known for key in vnfm.spec.projects},
        )

    def owner(self, instance: Instance) -> str | None:
        """Name of the VNF manager that speaks for the instance, or None."""
        found = self.instances.get(instance.id)
        if found is None and instance.vnf is not None:
            found = self.vnfs.get(instance.vnf)
        return found or self.projects.get(instance.project)


class Registry:
    """The registered VNF managers."""

    def __init__(
        self,
        vnfms: Vnfms,
        credentials: Credentials,
        subscriptions: Subscriptions | None = None,
        commands: Collection[str] | None = None,
        *,
        people_told: bool = True,
    ) -> None:
        self._commands = commands
        self._people_told = people_told
        self._vnfms = vnfms
        self._credentials = credentials
        self._subscriptions = subscriptions
        self._indexed: Sequence[Vnfm] = ()
        self._ownership = Ownership.of(())
        self.revision = 0
        """Grows with each change that is made here: what is remembered of registrations counts no more."""

    async def owners(self, instances: Iterable[Instance]) -> dict[str, str]:
        """Name of the VNF manager of each instance that has one; none where its subscription does not want to be asked."""
        vnfms = list(await self._vnfms.list())
        if vnfms != self._indexed:
            self._indexed, self._ownership = vnfms, Ownership.of(vnfms)
        filters = await self._filters(vnfms)
        found = {instance.id: self._speaker(instance, filters) for instance in instances}
        return {instance: owner for instance, owner in found.items() if owner is not None}

    def _speaker(self, instance: Instance, filters: Mapping[str, Filter]) -> str | None:
        owner = self._ownership.owner(instance)
        if owner is None or owner not in filters:
            return owner
        wanted = filters[owner]
        return owner if wanted.covers(instance) and wanted.takes(NoticeType.HOST_MAINTENANCE_UPCOMING) else None

    async def wanted(self, notices: Iterable[Notice]) -> list[Notice]:
        """Those of the notices whose VNF managers have not subscribed to other types only."""
        filters = await self._filters(await self._vnfms.list())
        return [n for n in notices if n.vnfm not in filters or filters[n.vnfm].takes(n.type)]

    async def _filters(self, vnfms: Iterable[Vnfm]) -> Mapping[str, Filter]:
        """What is wanted by the VNF managers that may subscribe and have done so."""
        may = {vnfm.name for vnfm in vnfms if vnfm.spec.subscription.type != "none"}
        if not may or self._subscriptions is None:
            return {}
        return {row.vnfm: row.filter for row in await self._subscriptions.list() if row.vnfm in may}

    async def of_dialect(self, dialect: str) -> frozenset[str]:
        """Names of those who are spoken to in a dialect."""
        return frozenset(vnfm.name for vnfm in await self._vnfms.list() if vnfm.spec.dialect == dialect)

    async def naming(self, kind: NoticeType) -> frozenset[str]:
        """Names of those whose subscriptions name that type of notices."""
        filters = await self._filters(await self._vnfms.list())
        return frozenset(name for name, wanted in filters.items() if kind in (wanted.notification_types or ()))

    async def names(self) -> tuple[str, ...]:
        """Names of all VNF managers, in order; orchestrators are none."""
        return tuple(vnfm.name for vnfm in await self._vnfms.list() if not vnfm.spec.orchestrator)

    async def orchestrators(self) -> tuple[str, ...]:
        """Names of all orchestrators, in order."""
        return tuple(vnfm.name for vnfm in await self._vnfms.list() if vnfm.spec.orchestrator)

    async def add(self, vnfm: Vnfm) -> None:
        """Register; raises InputError (`VIM_REGISTRATION`) with all problems, ConflictError when the name is taken."""
        await self._check(vnfm)
        await self._vnfms.add(vnfm)
        self.revision += 1

    async def change(self, name: str, changes: Mapping[str, Any], versions: Collection[str] | None = None) -> Vnfm:
        """Change parts of a registration, by a merge patch (RFC 7396) of its `spec`: null puts the default back.

        Raises NotFoundError, InputError (`VIM_REGISTRATION`) with all problems, and ConflictError (`VIM_CHANGED`) when it has
        none of the `versions` that are named. Without any, what others change at the same time stays, part by part.
        """
        for _ in range(_TRIES):
            known = await self._vnfms.get(name)
            if known is None:
                raise no_vnfm(name)
            if versions is not None and version_of(known) not in versions:
                raise vnfm_changed(name)
            try:
                return await self._changed(known, changes)
            except ConflictError:
                continue  # somebody was quicker: what is there now is looked at
        raise vnfm_changed(name)

    async def _changed(self, known: Vnfm, changes: Mapping[str, Any]) -> Vnfm:
        name = known.name
        spec = merged(known.spec.model_dump(mode="json"), changes)
        data = {"name": name, "spec": spec}
        vnfm = load(Vnfm, Source(data), code=Code.VIM_REGISTRATION)
        if vnfm.spec.orchestrator is not known.spec.orchestrator:
            problem = Problem("spec.dialect", "a VNF manager does not become an orchestrator, or the other way: remove it first")
            raise InputError(Code.VIM_REGISTRATION, f"The registration of {name} is not valid.", problems=[problem])
        if vnfm != known:
            await self.replace(vnfm, known)
        return vnfm

    async def replace(self, vnfm: Vnfm, known: Vnfm | None = None) -> None:
        """Change a registration; raises InputError with all problems, NotFoundError when there is none of that name.

        With `known` only while it is that; raises ConflictError (`VIM_CHANGED`) when it is something else by now.
        """
        await self._check(vnfm)
        await self._vnfms.replace(vnfm, known)
        self.revision += 1

    async def remove(self, name: str, versions: Collection[str] | None = None) -> None:
        """Forget a registration, with its subscription; its instances have nobody who speaks for them from now on.

        Raises NotFoundError, and ConflictError (`VIM_CHANGED`) when it has none of the `versions` that are named.
        """
        known = await self._vnfms.get(name)
        if known is None:
            raise no_vnfm(name)
        if versions is not None and version_of(known) not in versions:
            raise vnfm_changed(name)
        await self._vnfms.remove(name, None if versions is None else known)
        self.revision += 1

    async def _check(self, vnfm: Vnfm) -> None:
        others = [other for other in await self._vnfms.list() if other.name != vnfm.name]
        problems = (
            *registration_problems(vnfm, others, self._credentials),
            *_unknown_commands(vnfm.spec, self._commands),
            *(() if self._people_told else _untold(vnfm.spec)),
        )
        if problems:
            raise InputError(Code.VIM_REGISTRATION, f"The registration of {vnfm.name} is not valid.", problems=problems)


def merged(known: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Apply a merge patch (RFC 7396): objects are merged, everything else is replaced, null removes."""
    found = dict(known)
    for key, value in changes.items():
        if value is None:
            found.pop(key, None)
        elif isinstance(value, Mapping):
            there = found.get(key)
            found[key] = merged(there if isinstance(there, Mapping) else {}, value)
        else:
            found[key] = value
    return found


def registration_problems(vnfm: Vnfm, others: Iterable[Vnfm], credentials: Credentials) -> tuple[Problem, ...]:
    """Return everything that stands against a registration beside these others."""
    known, lifecycle = list(others), vnfm.spec.lifecycle
    return (
        *_name_problems(vnfm),
        *_address_problems(vnfm.spec),
        *_auth_problems("spec.auth", vnfm.spec.callback_uri, vnfm.spec.auth, credentials),
        *(uri_problems(lifecycle.uri, "spec.lifecycle.uri") if lifecycle.uri is not None else ()),
        *_auth_problems("spec.lifecycle.auth", lifecycle.uri, lifecycle.auth, credentials),
        *_key_problems(vnfm.spec, credentials),
        *_subscription_problems(vnfm.spec, known, credentials),
        *_workflow_problems(vnfm.spec),
        *overlaps(vnfm.spec, known),
    )


def _name_problems(vnfm: Vnfm) -> Iterator[Problem]:
    if vnfm.name == BUS and vnfm.spec.dialect != BUS:
        yield Problem("name", f"{BUS} is the name of the message bus")


def _address_problems(spec: VnfmSpec) -> Iterator[Problem]:
    match spec.dialect:
        case "manual":
            yield from _contact_problems(spec)
        case "command":
            yield from _command_problems(spec)
        case "vi-vnfm":
            if spec.callback_uri is not None or spec.subscription.type == "none":
                yield from _callback_problems(spec)
        case "fenix":
            if not spec.projects:
                yield Problem("spec.projects", "the dialect fenix tells projects: name those it speaks for")
            yield from _callback_problems(spec)
        case "tacker":
            yield from _tacker_problems(spec)
            yield from _callback_problems(spec)
        case "fenix-bus":
            yield Problem("spec.dialect", "the server registers the message bus by itself, where its settings name one")
        case "or-vi":
            yield from _owning_problems(spec)
            yield from _callback_problems(spec)


def _workflow_problems(spec: VnfmSpec) -> Iterator[Problem]:
    if spec.workflow != "vnf" and spec.dialect != "fenix":
        yield Problem("spec.workflow", f"the dialect {spec.dialect} knows no workflows of Fenix")


def _tacker_problems(spec: VnfmSpec) -> Iterator[Problem]:
    if not spec.projects:
        yield Problem("spec.projects", "alarms of the dialect tacker belong to projects: name those it speaks for")
    if spec.callback_uri is not None and "?" in spec.callback_uri:
        yield Problem("spec.callback_uri", "this is how the addresses of alarms begin: it has no query")


def _owning_problems(spec: VnfmSpec) -> Iterator[Problem]:
    for field in ("projects", "vnfs", "instances"):
        if getattr(spec, field):
            yield Problem(f"spec.{field}", "an orchestrator is told, not asked: VNF managers speak for instances")


def _callback_problems(spec: VnfmSpec) -> Iterator[Problem]:
    path = "spec.callback_uri"
    if spec.callback_uri is None:
        yield Problem(path, f"the dialect {spec.dialect} needs the address to which notices are sent")
    else:
        yield from uri_problems(spec.callback_uri, path)


def _command_problems(spec: VnfmSpec) -> Iterator[Problem]:
    if spec.commands.prepare is None:
        yield Problem("spec.commands.prepare", "the dialect command needs the command that prepares a VNF")
    if spec.callback_uri is not None:
        yield Problem("spec.callback_uri", "commands have no address for notices; vim.commands of the settings says what is run")


def _unknown_commands(spec: VnfmSpec, known: Collection[str] | None) -> Iterator[Problem]:
    """What is named and could never be run: vim.commands of the settings has none of that name."""
    for verb, name in spec.commands.model_dump().items():
        if known is not None and name is not None and name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            yield Problem(f"spec.commands.{verb}", f"vim.commands of the settings has no {name!r}{hint}")


def _untold(spec: VnfmSpec) -> Iterator[Problem]:
    """People whom nothing tells would be asked in vain, which a campaign shows by stopping in its night."""
    if spec.dialect == "manual":
        yield Problem(
            "spec.dialect", "nothing tells people here: set vim.manual.argv to the command that does, and restart the server"
        )


def _contact_problems(spec: VnfmSpec) -> Iterator[Problem]:
    if spec.contact is None:
        yield Problem("spec.contact", "the dialect manual needs to know whom to tell")
    if spec.callback_uri is not None:
        yield Problem("spec.callback_uri", "people have no address for notices; vim.manual.argv of the settings tells them")


def _auth_problems(where: str, uri: str | None, auth: Auth, credentials: Credentials) -> Iterator[Problem]:
    path = f"{where}.credential"
    yield from _endpoint_problems(where, uri, auth)
    if auth.type in ("none", "tls-cert"):
        if auth.credential is not None:
            yield Problem(path, f"auth.type {auth.type} uses no credential")
        return
    if auth.credential is None:
        yield Problem(path, f"auth.type {auth.type} needs the name of a file in the credentials folder")
        return
    try:
        secret = credentials.read(auth.credential)
    except EscalatorError as error:
        yield Problem(path, error.message)
        return
    if auth.type == "basic" and ":" not in secret:
        yield Problem(path, "for auth.type basic the file has to hold user:password")
    if auth.type == "oauth2" and not all(secret.partition(":")):
        yield Problem(path, "for auth.type oauth2 the file has to hold clientId:clientPassword")


_ADDRESSES = {"spec.auth": "spec.callback_uri", "spec.lifecycle.auth": "spec.lifecycle.uri"}
"""Where the address stands that is meant by a way to authenticate."""


def _endpoint_problems(where: str, uri: str | None, auth: Auth) -> Iterator[Problem]:
    path, endpoint = f"{where}.token_endpoint", auth.token_endpoint
    if auth.type == "oauth2":
        if endpoint is None:
            yield Problem(path, "auth.type oauth2 needs the address where tokens are fetched")
        else:
            yield from uri_problems(endpoint, path)
    elif endpoint is not None:
        yield Problem(path, f"auth.type {auth.type} fetches no tokens")
    if auth.type == "tls-cert" and not (uri or "https:").startswith("https:"):
        yield Problem(_ADDRESSES[where], "auth.type tls-cert needs an address with https")


def _subscription_problems(spec: VnfmSpec, others: Sequence[Vnfm], credentials: Credentials) -> Iterator[Problem]:
    right, path = spec.subscription, "spec.subscription"
    if right.type == "none":
        if right.credential is not None or right.hosts or right.replies:
            yield Problem(f"{path}.type", "with none it may not subscribe; basic or bearer says how it shows who it is")
        return
    if spec.dialect != "vi-vnfm":
        yield Problem(f"{path}.type", f"there are no subscriptions in the dialect {spec.dialect}")
    for other in others:
        if right.credential is not None and other.spec.subscription.credential == right.credential:
            yield Problem(f"{path}.credential", f"it is that of VNF manager {other.name}: who shows it could be either")
    yield from _right_problems(right, f"{path}.credential", credentials)


def _right_problems(right: SubscriptionRight, path: str, credentials: Credentials) -> Iterator[Problem]:
    if right.credential is None:
        yield Problem(path, f"{right.type} needs the name of a file in the credentials folder")
        return
    try:
        secret = credentials.read(right.credential)
    except EscalatorError as error:
        yield Problem(path, error.message)
        return
    if len(secret) < MIN_SECRET:
        yield Problem(path, f"what lets somebody in has to have {MIN_SECRET} characters at least")
    if right.type == "basic" and ":" not in secret:
        yield Problem(path, "for basic the file has to hold user:password")


def _key_problems(spec: VnfmSpec, credentials: Credentials) -> Iterator[Problem]:
    if spec.key is None:
        return
    if spec.dialect != "tacker":
        yield Problem("spec.key", f"the dialect {spec.dialect} has no address that begins with a key")
        return
    try:
        key = credentials.read(spec.key)
    except EscalatorError as error:
        yield Problem("spec.key", error.message)
        return
    if KEY.fullmatch(key) is None:
        yield Problem("spec.key", "a key has 16 to 128 letters, digits, hyphens or underscores")


def overlaps(spec: VnfmSpec, others: Sequence[Vnfm]) -> Iterator[Problem]:
    """Return what a registration would own that another one owns: one instance has one VNF manager that speaks for it."""
    for field in ("projects", "vnfs", "instances"):
        for other in others:
            for shared in sorted(set(getattr(spec, field)) & set(getattr(other.spec, field))):
                yield Problem(f"spec.{field}", f"{shared!r} belongs to VNF manager {other.name}")
