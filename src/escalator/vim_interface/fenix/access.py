"""Who may use the Fenix interface: holders of a Keystone token, within its project."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from escalator.model.codes import Code
from escalator.model.errors import NotAllowedError

ProjectOf = Callable[[str], Awaitable[str | None]]
"""Project to which a token is bound; None for a token that is not valid, or bound to none. Raises what the cloud raises."""
MAX_TOKEN = 8192


class Access:
    """Lets callers in. Without `project_of` everybody is: for a listener on loopback."""

    def __init__(self, project_of: ProjectOf | None) -> None:
        self._project_of = project_of

    async def project(self, token: str | None) -> str | None:
        """The caller's project; None when callers are not told apart. Raises NotAllowedError without a valid token."""
        if self._project_of is None:
            return None
        if not token or len(token) > MAX_TOKEN or not token.isascii():
            raise NotAllowedError(Code.API_TOKEN, "A Keystone token is expected in X-Auth-Token.")
        found = await self._project_of(token)
        if found is None:
            raise NotAllowedError(Code.API_TOKEN, "The token is not valid, or not bound to a project.")
        return found

    async def within(self, token: str | None, project: str) -> None:
        """Raise NotAllowedError (`VIM_FOREIGN`) unless the caller's token is bound to that project."""
        found = await self.project(token)
        if found not in (None, project):
            raise NotAllowedError(Code.VIM_FOREIGN, "The token is bound to another project.")
