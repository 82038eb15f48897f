"""A bed whose VNF managers may subscribe by themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from beds.vnfm.bed import Bed
from beds.vnfm.processes import VnfmProcess, vnfm_process
from beds.vnfm.subscribing import Peer, allowed_bed


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncIterator[Bed]:
    async with allowed_bed(tmp_path) as opened:
        yield opened


@pytest.fixture
async def client(bed: Bed) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=bed.base_url, trust_env=False) as opened:
        yield opened


@pytest.fixture
def peer(bed: Bed, tmp_path: Path) -> Peer:
    """Starts a VNF manager as a process of its own."""

    def start(*arguments: str, name: str = "vnfm-1") -> VnfmProcess:
        process = bed.stack.enter_context(vnfm_process(tmp_path / f"{name}.jsonl", *arguments))
        bed.processes[name] = process
        return process

    return start
