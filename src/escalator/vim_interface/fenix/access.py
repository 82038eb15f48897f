"""Who may use the Fenix interface: holders of a Keystone token, within its project."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection

from escalator.model.codes import Code
from escalator.model.errors import NotAllowedError

RolesOf = Callable[[str], Awaitable[Collection[str]]]
"""Names of the roles that a token carries; none for one that is not valid. Raises what the cloud raises."""
ProjectOf = Callable[[str], Awaitable[str | None]]
"""Project to which a token is bound; None for a token that is not valid, or bound to none. Raises what the cloud raises."""
MAX_TOKEN = 8192


class Access:
    """Lets callers in. Without `project_of` everybody is: for a listener on loopback. Administrators carry the `role`."""

    def __init__(self, project_of: ProjectOf | None, roles_of: RolesOf | None = None, role: str = "admin") -> None:
        self._project_of = project_of
        self._roles_of = roles_of
        self._role = role

    async def administrator(self, token: str | None) -> None:
        """Raise NotAllowedError unless the caller is an administrator: nobody is, where roles cannot be looked up."""
        known = _plausible(token)
        if self._roles_of is None or self._role not in await self._roles_of(known):
            raise NotAllowedError(Code.VIM_FOREIGN, f"The role {self._role} is needed for this.")

    async def project(self, token: str | None) -> str | None:
        """The caller's project; None when callers are not told apart. Raises NotAllowedError without a valid token."""
        if self._project_of is None:
            return None
        found = await self._project_of(_plausible(token))
        if found is None:
            raise NotAllowedError(Code.API_TOKEN, "The token is not valid, or not bound to a project.")
        return found

    async def within(self, token: str | None, project: str) -> None:
        """Raise NotAllowedError (`VIM_FOREIGN`) unless the caller's token is bound to that project."""
        found = await self.project(token)
        if found not in (None, project):
            raise NotAllowedError(Code.VIM_FOREIGN, "The token is bound to another project.")


def _plausible(token: str | None) -> str:
    if not token or len(token) > MAX_TOKEN or not token.isascii():
        raise NotAllowedError(Code.API_TOKEN, "A Keystone token is expected in X-Auth-Token.")
    return token
