"""Clusters by the operator's own commands: each verb is an entry of the setting `commands`, named under `system.clusters`.

Exit code 0: it is so, or done; 70: nothing is to be done; 75: ask again later; anything else: it failed. What a status command
prints is one JSON object, bounded and read strictly.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Annotated, TypeVar

from pydantic import Field, StringConstraints, ValidationError

from escalator.model.codes import Code
from escalator.model.document import Model
from escalator.model.errors import EscalatorError, PermanentError, TemporaryError
from escalator.model.inventory import Node, Role
from escalator.model.node_settings import ClusterCommands, NamedCommand
from escalator.processes import TEMPORARY, filled
from escalator.system_support.clusters.port import ROUTING, Control, Network, Storage
from escalator.system_support.port import Call, Commands

NOT_NEEDED = 70
ANSWER_BYTES = 64 * 1024
MEMBERS = 1000
NEEDED: Mapping[Role, tuple[str, ...]] = {
    "control": ("control_status",),
    "network": ("network_status", "network_evacuate", "network_restore"),
    "storage": ("storage_status", "storage_flag", "storage_unflag"),
}
"""Without these a node of the role is not touched."""
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}$")]
Words = Annotated[str, StringConstraints(max_length=500)]


class _Control(Model):
    members: Mapping[Name, bool] = Field(min_length=1, max_length=MEMBERS)
    master: Name | None = None
    quorum: Annotated[int, Field(ge=1, le=MEMBERS)] | None = None


class _Network(Model):
    active: Annotated[tuple[Name, ...], Field(max_length=MEMBERS)] = ()
    whole: bool = True
    why: Words = ""


class _Storage(Model):
    ok_to_stop: bool
    clean: bool
    flagged: bool = False
    why: Words = ""
    nodes: Annotated[tuple[Name, ...], Field(max_length=MEMBERS)] = ()


Answer = TypeVar("Answer", bound=Model)


class CommandClusters:
    """The `system.clusters` of the settings."""

    def __init__(self, settings: ClusterCommands, entries: Mapping[str, NamedCommand], commands: Commands) -> None:
        self._settings, self._entries, self._commands = settings, entries, commands

    @property
    def hands_over(self) -> bool:
        """Whether there is a command for it."""
        return self._settings.control_hand_over is not None

    def missing(self, role: Role) -> Sequence[str]:
        """Settings of the role that name no command."""
        return [f"system.clusters.{key}" for key in NEEDED.get(role, ()) if getattr(self._settings, key) is None]

    def lacks(self, role: Role) -> Sequence[EscalatorError]:
        """Commands of the role whose program is not there."""
        keys = [name for name in ClusterCommands.model_fields if name.startswith(f"{role}_")]
        found = [self._commands.lack(name) for key in keys if (name := getattr(self._settings, key)) is not None]
        return [lack for lack in found if lack is not None]

    def nodes(self) -> Sequence[Node]:
        """Those of the settings."""
        return [Node(id=name, **node.model_dump()) for name, node in sorted(self._settings.nodes.items())]

    async def control(self, node: str) -> Control:
        """What `control_status` prints; a quorum that it does not tell is more than half of the members; of a pair, one."""
        found = await self._told("control_status", node, _Control)
        if node not in found.members:
            raise PermanentError(Code.SYS_CLUSTER, f"The command control_status does not know {node} as a member.")
        count = len(found.members)
        quorum = found.quorum or (count // 2 + 1 if count > 2 else 1)
        return Control(members=dict(found.members), master=found.master, quorum=quorum)

    async def hand_over(self, node: str) -> None:
        """Run `control_hand_over`; nothing without one."""
        if self._settings.control_hand_over is not None:
            await self._run("control_hand_over", node)

    async def network(self, node: str) -> Network:
        """What `network_status` prints."""
        found = await self._told("network_status", node, _Network)
        return Network(active=found.active, whole=found.whole, why=found.why)

    async def evacuate(self, node: str) -> None:
        """Run `network_evacuate`."""
        await self._run("network_evacuate", node)

    async def bring_back(self, node: str, active: Sequence[str]) -> None:
        """Run `network_restore`; it finds in ESCALATOR_FOUND, as JSON, what was active."""
        await self._run("network_restore", node, found=_found(active))

    async def storage(self, node: str, together: Sequence[str] = ()) -> Storage:
        """What `storage_status` prints; an answer that does not name all nodes of ESCALATOR_NODES is of its node alone."""
        found = await self._told("storage_status", node, _Storage, nodes=(node, *together) if together else ())
        ok, why = found.ok_to_stop, found.why
        if ok and together and not {node, *together} <= set(found.nodes):
            ok, why = False, f"the command storage_status does not answer for {len(together) + 1} nodes at once"
        return Storage(ok_to_stop=ok, clean=found.clean, flagged=found.flagged, why=why)

    async def flag(self, node: str, *, on: bool) -> None:
        """Run `storage_flag` or `storage_unflag`."""
        await self._run("storage_flag" if on else "storage_unflag", node)

    def by_hand(self, kind: str, node: str, found: Mapping[str, object]) -> tuple[str, ...]:
        """The same commands as they are typed."""
        name = self._settings.network_restore if kind == ROUTING else self._settings.storage_unflag
        if name is None or name not in self._entries:
            return (f"# no command in the settings puts back {kind} of {node}",)
        argv = filled(self._entries[name].argv, {"node": node, "campaign": "", "release": ""})
        active = found.get("active")
        told = [f"ESCALATOR_FOUND={_found(active)}"] if isinstance(active, list | tuple) else []
        return (shlex.join(["env", f"ESCALATOR_NODE={node}", *told, *argv]),)

    async def _told(self, key: str, node: str, shape: type[Answer], nodes: Sequence[str] = ()) -> Answer:
        output = await self._run(key, node, nodes=nodes)
        if len(output) > ANSWER_BYTES:
            raise PermanentError(Code.SYS_CLUSTER, f"What {key} prints is longer than {ANSWER_BYTES} bytes.")
        try:
            return shape.model_validate_json(output)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise PermanentError(
                Code.SYS_CLUSTER, f"What {key} prints is not what is expected: {where} {first['msg']}"
            ) from error

    async def _run(self, key: str, node: str, found: str = "", nodes: Sequence[str] = ()) -> bytes:
        name = getattr(self._settings, key)
        if name is None:
            remedy = f"Set system.clusters.{key}."
            raise PermanentError(Code.SYS_CLUSTER, f"The settings name no command for {key}.", remedy=remedy)
        purpose = key.replace("_", "-")
        call = Call(command=name, purpose=purpose, operation=f"{purpose}/{node}", node=node, found=found, nodes=tuple(nodes))
        ran = await self._commands.run(call)
        if ran.code in (0, NOT_NEEDED):
            return ran.output
        message = f"The command {name} for {node} ended with {ran.code}: {ran.said}"
        raise (TemporaryError if ran.code == TEMPORARY else PermanentError)(Code.SYS_CLUSTER, message)


def _found(active: Sequence[object]) -> str:
    return json.dumps([str(name) for name in active])
