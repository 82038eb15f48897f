"""Running lifecycle operations: read from a SOL 003 server over HTTP, from a command, and from the simulated world."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from beds.vnfm.clocks import SteppedClock
from beds.vnfm.processes import LIFECYCLE_PEER, VnfmProcess, vnfm_process
from escalator.model.inventory import Instance
from escalator.model.notice import Auth, Commands, Lifecycle, Vnfm, VnfmSpec
from escalator.settings import VnfCommand
from escalator.storage.memory import memory_store
from escalator.storage.port import Store
from escalator.vim_interface.accounts import Accounts
from escalator.vim_interface.credentials import Credentials
from escalator.vim_interface.dialects.command import Commands as CommandDialect
from escalator.vim_interface.dialects.http import Http
from escalator.vim_interface.operations.command import BusyCommand
from escalator.vim_interface.operations.port import OperationsSource
from escalator.vim_interface.operations.simulated import SimulatedOperations
from escalator.vim_interface.operations.sol003 import MAX_RUNNING, RUNNING, Sol003
from escalator.vim_interface.operations.watch import AGE_S, Operations
from escalator.world.records import VnfmRow
from escalator.world.world import World

AMF = Instance(id="vm-1", project="p1", node="cn-1", vnf="amf-7")
SMF = Instance(id="vm-2", project="p1", node="cn-1")
OTHER = Instance(id="vm-3", project="p2", node="cn-1")


class Bed:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = SteppedClock()
        self.store: Store = memory_store()
        self.credentials = Credentials(folder)
        self.http = Http(Accounts(self.credentials), 5.0)
        self.sources: Sequence[OperationsSource] = (Sol003(self.http),)
        self.stack = ExitStack()

    async def peer(self, *arguments: str, **lifecycle: Any) -> VnfmProcess:
        log = self.folder / "peer.jsonl"
        process = self.stack.enter_context(vnfm_process(log, *arguments, program=LIFECYCLE_PEER))
        uri = f"http://127.0.0.1:{process.port}/vnflcm/v2"
        await self.manager(lifecycle=Lifecycle(**{"uri": uri, **lifecycle}))
        return process

    async def manager(self, **spec: Any) -> None:
        given = {"callback_uri": "http://127.0.0.1:1/", "projects": ("p1",), **spec}
        await self.store.vnfms.add(Vnfm(name="core", spec=VnfmSpec(**given)))

    async def whats(self, *instances: Instance) -> list[str]:
        watch = Operations(self.store.vnfms, self.sources, self.clock)
        return sorted(operation.what for operation in await watch.concerning(instances or (AMF, SMF, OTHER)))


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncIterator[Bed]:
    bed = Bed(tmp_path)
    with bed.stack:
        yield bed
    await bed.http.close()


def occurrence(state: str, vnf: str = "vnf-1", operation: str = "HEAL") -> dict[str, str]:
    return {"id": f"{vnf}-{state}", "operationState": state, "operation": operation, "vnfInstanceId": vnf}


def instance(*servers: str) -> dict[str, Any]:
    components = [{"id": s, "vduId": "v", "computeResource": {"resourceId": s}} for s in servers]
    return {"id": "vnf-1", "instantiatedVnfInfo": {"flavourId": "f", "vnfState": "STARTED", "vnfcResourceInfo": components}}


@pytest.mark.parametrize("state", RUNNING)
async def test_an_operation_concerns_the_instances_of_its_vnf(bed: Bed, state: str) -> None:
    process = await bed.peer()
    process.control(occurrences=[occurrence(state)], instances={"vnf-1": instance("vm-2", "vm-9")})
    assert await bed.whats(SMF) == [f"HEAL of VNF vnf-1 ({state})"]
    assert await bed.whats(AMF) == []
    assert await bed.whats(OTHER) == []
    asked = process.lines("asked")[0]
    assert (asked["path"], asked["version"]) == ("/vnflcm/v2/vnf_lcm_op_occs", "2.0.0")
    assert asked["query"] == {"filter": ["(in,operationState,STARTING,PROCESSING,FAILED_TEMP,ROLLING_BACK)"]}


@pytest.mark.parametrize("state", ["COMPLETED", "FAILED", "ROLLED_BACK"])
@pytest.mark.parametrize("flags", [(), ("--no-filter",)])
async def test_what_has_ended_concerns_nobody(bed: Bed, state: str, flags: tuple[str, ...]) -> None:
    process = await bed.peer(*flags)
    process.control(occurrences=[occurrence(state)], instances={"vnf-1": instance("vm-1")})
    assert await bed.whats() == []


async def test_a_server_without_filters_and_with_pages_is_read_to_the_end(bed: Bed) -> None:
    process = await bed.peer("--no-filter", "--page", "2")
    many = [occurrence("COMPLETED", f"vnf-{n}") for n in range(5)]
    process.control(occurrences=[*many, occurrence("PROCESSING", operation="SCALE")], instances={"vnf-1": instance("vm-1")})
    assert await bed.whats() == ["SCALE of VNF vnf-1 (PROCESSING)"]
    assert len([line for line in process.lines("asked") if line["path"].endswith("occs")]) == 1 + 3


async def test_a_vnf_may_be_known_by_the_id_that_its_instances_name(bed: Bed) -> None:
    process = await bed.peer()
    process.control(occurrences=[occurrence("STARTING", "amf-7", "HEAL")], instances={"amf-7": instance("vm-9")})
    assert await bed.whats(AMF) == ["HEAL of VNF amf-7 (STARTING)"]
    assert await bed.whats(SMF) == []


@pytest.mark.parametrize(
    "found",
    [
        {"occurrences": [occurrence("PROCESSING")]},
        {"occurrences": [occurrence("PROCESSING")], "instances": {"vnf-1": instance()}},
        {"occurrences": [occurrence("PROCESSING")], "instances": {"vnf-1": {"id": "vnf-1"}}},
        {"occurrences": [{"operationState": "PROCESSING", "operation": "HEAL"}]},
    ],
)
async def test_an_operation_on_nobody_knows_what_may_be_on_any_of_the_manager(bed: Bed, found: dict[str, Any]) -> None:
    process = await bed.peer()
    process.control(**found)
    for one in (AMF, SMF):
        assert len(await bed.whats(one)) == 1
    assert await bed.whats(OTHER) == []


async def test_a_vnf_that_is_being_made_concerns_no_other(bed: Bed) -> None:
    process = await bed.peer()
    process.control(occurrences=[occurrence("PROCESSING", operation="INSTANTIATE")])
    assert await bed.whats() == []


async def test_an_account_of_its_own_is_used(bed: Bed) -> None:
    (bed.folder / "lcm").write_text("escalator:secret\n")
    (bed.folder / "lcm").chmod(0o600)
    process = await bed.peer("--credential", "escalator:secret", auth=Auth(type="basic", credential="lcm"))
    process.control(occurrences=[occurrence("PROCESSING")], instances={"vnf-1": instance("vm-1")})
    assert await bed.whats(AMF) == ["HEAL of VNF vnf-1 (PROCESSING)"]
    (bed.folder / "lcm").write_text("escalator:changed\n")
    (said,) = await bed.whats(AMF)
    assert "refused our credentials" in said
    assert "changed" not in said


@pytest.mark.parametrize(
    ("say", "words"),
    [
        ({"status": 503}, "answered 503"),
        ({"status": 307}, "redirects are not followed"),
        ({"body": "<html>"}, "no JSON"),
        ({"body": "[" * 100_000}, "no JSON"),
        ({"body": {"not": "a list"}}, "no list of operations"),
        ({"body": [1]}, "no list of operations"),
        ({"body": "[" + " " * 5_000_000 + "]"}, "does not end"),
        ({"body": [], "link": '<http://127.0.0.1:9/else>; rel="next"'}, "another host"),
        ({"body": [], "link": '<?again>; rel="next"'}, "more than 50 pages"),
        ({"body": [], "link": '<http://[bad/x>; rel="next"'}, "no valid address"),
    ],
)
async def test_what_cannot_be_told_counts_as_under_way_for_all_of_the_manager(bed: Bed, say: dict[str, Any], words: str) -> None:
    process = await bed.peer()
    process.control(say=say)
    for one in (AMF, SMF):
        (said,) = await bed.whats(one)
        assert said.startswith("what is under way at core cannot be seen: ")
        assert words in said
    assert await bed.whats(OTHER) == []


async def test_a_manager_that_is_not_there_counts_too(bed: Bed) -> None:
    await bed.manager(lifecycle=Lifecycle(uri="http://127.0.0.1:1/vnflcm/v1"))
    (said,) = await bed.whats(AMF)
    assert "cannot be reached (ConnectionRefusedError)" in said


async def test_very_many_at_once_are_not_looked_up_one_by_one(bed: Bed) -> None:
    process = await bed.peer()
    process.control(occurrences=[occurrence("PROCESSING", f"vnf-{n}") for n in range(MAX_RUNNING + 1)])
    assert await bed.whats(SMF) == [f"{MAX_RUNNING + 1} lifecycle operations"]
    assert len(process.lines("asked")) == 1


async def test_many_instances_cost_one_question_and_what_begins_is_seen_soon(bed: Bed) -> None:
    process = await bed.peer()
    watch = Operations(bed.store.vnfms, bed.sources, bed.clock)
    assert await watch.concerning([AMF, SMF] * 100) == ()
    assert len(process.lines("asked")) == 1
    process.control(occurrences=[occurrence("PROCESSING")], instances={"vnf-1": instance("vm-1")})
    await bed.clock.advance(AGE_S + 1)
    assert [o.what for o in await watch.concerning([AMF])] == ["HEAL of VNF vnf-1 (PROCESSING)"]


async def test_nobody_is_asked_who_has_no_such_interface(bed: Bed) -> None:
    await bed.manager()
    assert await bed.whats() == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cat >/dev/null; exit 0", None),
        ("echo heal of amf-7 >&2; exit 75", "heal of amf-7"),
        ("exit 75", "a lifecycle operation at core"),
        ("echo no licence >&2; exit 1", "what is under way at core cannot be seen: The command busy"),
    ],
)
async def test_a_command_tells_by_its_end(bed: Bed, text: str, words: str | None) -> None:
    file = bed.folder / "busy"
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(stat.S_IRWXU)
    dialect = CommandDialect({"core-busy": VnfCommand(argv=(str(file),))}, "http://127.0.0.1", 3600, os.environ, bed.clock)
    bed.sources = (BusyCommand(dialect),)
    await bed.manager(commands=Commands(busy="core-busy"))
    found = await bed.whats(AMF)
    assert found == [] if words is None else (len(found) == 1 and found[0].startswith(words))


async def test_the_simulated_world_knows_its_operations(bed: Bed) -> None:
    world = World.in_memory(bed.clock)
    row = VnfmRow(name="core", projects=("p1",))
    world.vnfms.put(row)
    await bed.store.vnfms.add(row.registration())
    bed.sources = (SimulatedOperations(world.vnfms),)
    world.vnfms.operate("core", "amf-7", 60)
    assert await bed.whats(AMF) == ["HEAL of VNF amf-7"]
    assert await bed.whats(SMF) == []
    await bed.clock.advance(61)
    assert await bed.whats(AMF) == []
