"""Who owns which instances, and the checks of a registration."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from escalator.model.codes import Code
from escalator.model.errors import EscalatorError, InputError, Problem
from escalator.model.inventory import Instance
from escalator.model.notice import Vnfm, VnfmSpec
from escalator.storage.port import Vnfms
from escalator.vim_interface.credentials import Credentials


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

    def __init__(self, vnfms: Vnfms, credentials: Credentials) -> None:
        self._vnfms = vnfms
        self._credentials = credentials
        self._indexed: Sequence[Vnfm] = ()
        self._ownership = Ownership.of(())
        self.revision = 0
        """Grows with each change that is made here: what is remembered of registrations counts no more."""

    async def owners(self, instances: Iterable[Instance]) -> dict[str, str]:
        """Name of the VNF manager of each instance that has one."""
        vnfms = list(await self._vnfms.list())
        if vnfms != self._indexed:
            self._indexed, self._ownership = vnfms, Ownership.of(vnfms)
        found = ((instance.id, self._ownership.owner(instance)) for instance in instances)
        return {instance: owner for instance, owner in found if owner is not None}

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

    async def replace(self, vnfm: Vnfm) -> None:
        """Change a registration; raises InputError with all problems, NotFoundError when there is none of that name."""
        await self._check(vnfm)
        await self._vnfms.replace(vnfm)
        self.revision += 1

    async def _check(self, vnfm: Vnfm) -> None:
        others = [other for other in await self._vnfms.list() if other.name != vnfm.name]
        problems = registration_problems(vnfm, others, self._credentials)
        if problems:
            raise InputError(Code.VIM_REGISTRATION, f"The registration of {vnfm.name} is not valid.", problems=problems)


def registration_problems(vnfm: Vnfm, others: Iterable[Vnfm], credentials: Credentials) -> tuple[Problem, ...]:
    """Return everything that stands against a registration beside these others."""
    return (
        *_address_problems(vnfm.spec),
        *_auth_problems(vnfm.spec, credentials),
        *_overlaps(vnfm.spec, list(others)),
    )


def _address_problems(spec: VnfmSpec) -> Iterator[Problem]:
    match spec.dialect:
        case "manual":
            yield from _contact_problems(spec)
        case "command":
            yield from _command_problems(spec)
        case "vi-vnfm":
            yield from _uri_problems(spec)
        case "fenix":
            if not spec.projects:
                yield Problem("spec.projects", "the dialect fenix tells projects: name those it speaks for")
            yield from _uri_problems(spec)
        case "or-vi":
            yield from _owning_problems(spec)
            yield from _uri_problems(spec)


def _owning_problems(spec: VnfmSpec) -> Iterator[Problem]:
    for field in ("projects", "vnfs", "instances"):
        if getattr(spec, field):
            yield Problem(f"spec.{field}", "an orchestrator is told, not asked: VNF managers speak for instances")


def _uri_problems(spec: VnfmSpec) -> Iterator[Problem]:
    path = "spec.callback_uri"
    if spec.callback_uri is None:
        yield Problem(path, f"the dialect {spec.dialect} needs the address to which notices are sent")
        return
    try:
        parts = urlsplit(spec.callback_uri)
        _ = parts.port
    except ValueError as error:
        yield Problem(path, f"this is no valid address: {error}")
        return
    if parts.username is not None or parts.password is not None:
        yield Problem(path, "an address must not hold credentials; name a file with spec.auth.credential")
    if parts.fragment:
        yield Problem(path, "an address for notices has no fragment")
    if not parts.hostname:
        yield Problem(path, "the address has no host")
    elif _is_forbidden(parts.hostname):
        yield Problem(path, "link-local, multicast and unspecified addresses are refused: the metadata service answers there")


def _command_problems(spec: VnfmSpec) -> Iterator[Problem]:
    if spec.commands.prepare is None:
        yield Problem("spec.commands.prepare", "the dialect command needs the command that prepares a VNF")
    if spec.callback_uri is not None:
        yield Problem("spec.callback_uri", "commands have no address for notices; vim.commands of the settings says what is run")


def _contact_problems(spec: VnfmSpec) -> Iterator[Problem]:
    if spec.contact is None:
        yield Problem("spec.contact", "the dialect manual needs to know whom to tell")
    if spec.callback_uri is not None:
        yield Problem("spec.callback_uri", "people have no address for notices; vim.manual.argv of the settings tells them")


def _is_forbidden(host: str) -> bool:
    address = _ip(host)
    if address is None:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_link_local or address.is_multicast or address.is_unspecified


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        # Resolvers take 0xA9FEA9FE and 2852039166 for IPv4 addresses too.
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return None


def _auth_problems(spec: VnfmSpec, credentials: Credentials) -> Iterator[Problem]:
    path = "spec.auth.credential"
    if spec.auth.type == "none":
        if spec.auth.credential is not None:
            yield Problem(path, "auth.type none uses no credential")
        return
    if spec.auth.credential is None:
        yield Problem(path, f"auth.type {spec.auth.type} needs the name of a file in the credentials folder")
        return
    try:
        secret = credentials.read(spec.auth.credential)
    except EscalatorError as error:
        yield Problem(path, error.message)
        return
    if spec.auth.type == "basic" and ":" not in secret:
        yield Problem(path, "for auth.type basic the file has to hold user:password")


def _overlaps(spec: VnfmSpec, others: Sequence[Vnfm]) -> Iterator[Problem]:
    for field in ("projects", "vnfs", "instances"):
        for other in others:
            for shared in sorted(set(getattr(spec, field)) & set(getattr(other.spec, field))):
                yield Problem(f"spec.{field}", f"{shared!r} belongs to VNF manager {other.name}")
