"""Quotas of projects in Nova: cores, memory and number of instances.

`GET /os-quota-sets/{id}/detail` gives each limit with what is in use, `PUT` sets limits; `force` lets one be set below what is
in use, which hinders nobody but who wants more. -1 is no limit.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from escalator.cloud_manager.openstack.client import Api, Client, Json
from escalator.cloud_manager.port import Quota, QuotaState
from escalator.model.codes import Code
from escalator.model.errors import PermanentError


class OpenStackQuotas:
    """The port's verbs. Each raises TemporaryError or PermanentError (`CLD_*`)."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def state(self, project: str) -> QuotaState:
        """The project's limits and what is in use, now."""
        return await self._client.run(lambda api: state(api, project))

    async def change(self, project: str, limits: Quota) -> None:
        """Set the project's limits. Raises PermanentError (`CLD_REFUSED`) where the cloud does not keep them."""
        await self._client.run(lambda api: change(api, project, limits))


def state(api: Api, project: str) -> QuotaState:
    """The project's limits, and what is in use, now."""
    found: Json = api.compute.get(f"/os-quota-sets/{project}/detail", f"read the quota of project {project}")["quota_set"]
    return QuotaState(_quota(found, "limit"), _quota(found, "in_use"))


def change(api: Api, project: str, limits: Quota) -> None:
    """Set the limits. Raises PermanentError (`CLD_REFUSED`) where Nova's own quotas are not what counts (unified limits)."""
    body = {"cores": limits.cores, "ram": limits.ram_mib, "instances": limits.instances, "force": True}
    api.compute.put(f"/os-quota-sets/{project}", f"set the quota of project {project}", {"quota_set": body})
    now = state(api, project).limits
    if now != limits:
        raise PermanentError(
            Code.CLD_REFUSED,
            f"The cloud took a quota for project {project} and does not keep it: {now} instead of {limits}.",
            remedy="Quotas of this cloud are unified limits of Keystone: use workloads.scale_up leave.",
        )


def by_hand(project: str, found: Mapping[str, object]) -> str:
    """What a person types to put the limits back."""
    # With the sign of equality: -1, no limit, would be read as an option.
    amounts = [f"--cores={found['cores']}", f"--ram={found['ram_mib']}", f"--instances={found['instances']}"]
    return shlex.join(["openstack", "quota", "set", "--force", *amounts, project])


def _quota(found: Json, key: str) -> Quota:
    return Quota(cores=found["cores"][key], ram_mib=found["ram"][key], instances=found["instances"][key])
