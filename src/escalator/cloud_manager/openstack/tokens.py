"""Keystone tokens of others: to which project one is bound. Asked with our own token, and remembered for a minute."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import sha256
from typing import NamedTuple

from escalator.cloud_manager.openstack.client import Api, Client
from escalator.cloud_manager.openstack.refusals import FOREIGN, refusal, translate
from escalator.model.clock import Clock
from escalator.settings import Cloud

KEPT_S = 60.0
"""A token that is revoked is good for that much longer."""
KEPT = 1000


class _Project(NamedTuple):
    """Project of a token, and its roles there; nothing when it is not valid or bound to none."""

    id: str | None = None
    name: str | None = None
    roles: frozenset[str] = frozenset()


class KeystoneTokens:
    """Tells the project of a token (API of Keystone v3, `GET /v3/auth/tokens`)."""

    def __init__(self, settings: Cloud, clock: Clock) -> None:
        self._client = Client(settings)
        self._clock = clock
        self._known: OrderedDict[bytes, tuple[float, _Project]] = OrderedDict()

    async def project_of(self, token: str) -> str | None:
        """The project's id; None when the token is not valid or bound to none. Raises TemporaryError or PermanentError."""
        return (await self._project(token)).id

    async def name_of(self, token: str) -> str | None:
        """The project's name, as `project_of` tells its id."""
        return (await self._project(token)).name

    async def roles_of(self, token: str) -> frozenset[str]:
        """Names of the roles that the token carries, in its project or in the system as a whole."""
        return (await self._project(token)).roles

    async def _project(self, token: str) -> _Project:
        # What is kept is no token any more.
        key = sha256(token.encode()).digest()
        found = self._known.get(key)
        if found is None or self._clock.now() >= found[0]:
            project = await self._client.run(lambda api: _project_of(api, token))
            found = self._known[key] = (self._clock.now() + KEPT_S, project)
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
        return found[1]

    def close(self) -> None:
        """End the connection."""
        self._client.close()


def _project_of(api: Api, token: str) -> _Project:
    doing = "check a token"
    try:
        answer = api.session.get(
            "/auth/tokens",
            endpoint_filter={"service_type": "identity", "interface": "public", "version": "3"},
            headers={"X-Subject-Token": token},
            raise_exc=False,
        )
    except FOREIGN as error:
        raise translate(error, doing) from error
    if answer.status_code == 404:
        return _Project()
    if answer.status_code >= 400:
        raise refusal(answer.status_code, answer.text, doing)
    found = answer.json()["token"]
    roles = frozenset(str(role["name"]) for role in found.get("roles") or ())
    project = found.get("project") or {}
    if "id" not in project:
        return _Project(roles=roles)
    return _Project(str(project["id"]), str(project.get("name") or "") or None, roles)
