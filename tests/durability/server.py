"""A whole server on a simulated world, to be killed: `server.py STATE NODES SPEED MAX_UNAVAILABLE [POSTGRESQL_URL|- [LOCKS]]`.

With LOCKS, a folder, its campaign holds a key there.


Says `up STATE` when it works and `over STATE` when the campaign has ended.
"""

from __future__ import annotations

import asyncio
import json
import sys

from escalator.logs import configure_logs
from escalator.model.brakes import Locks
from escalator.model.progress import CampaignState
from escalator.settings import Cloud, Database, Log, Settings, SimulatedWorld
from escalator.simulation.setup import RELEASE, import_release
from escalator.wiring import Services, open_services

NAME = "killed"


def document(max_unavailable: int, keys: tuple[str, ...] = ()) -> str:
    spec = {
        "release": RELEASE.id,
        "mode": "smooth",
        "scope": {"select": {"role": "compute"}},
        "waves": {"max_unavailable": max_unavailable},
        "node": {"driver": "simulated"},
        "exclusive": keys,
    }
    return json.dumps({"apiVersion": "escalator/v1", "kind": "Campaign", "metadata": {"name": NAME}, "spec": spec})


async def begin(services: Services, max_unavailable: int, keys: tuple[str, ...] = ()) -> None:
    """Start the campaign, from wherever a killed server left it."""
    ctx = services.ctx
    await import_release(ctx.store, RELEASE, ctx.clock.now())
    row = await ctx.store.campaigns.get(NAME)
    if row is None:
        row = await services.campaigns.create(document(max_unavailable, keys))
    if row.state is CampaignState.DRAFT:
        await services.campaigns.plan(NAME)
    row = await ctx.store.campaigns.get(NAME)
    if row is not None and row.state is CampaignState.PLANNED:
        await services.campaigns.start(NAME)


async def main(folder: str, nodes: str, speed: str, max_unavailable: str, url: str = "-", locks: str = "") -> None:
    world = SimulatedWorld(nodes=int(nodes), speed=float(speed))
    settings = Settings(
        state_dir=folder,
        cloud=Cloud(driver="simulated", simulated=world),
        database=Database(url=None if url == "-" else url),
        locks=Locks(kind="folder", folder=locks, ttl_s=20.0) if locks else Locks(),
        log=Log(level="error"),
    )
    configure_logs(settings.log)
    async with open_services(settings) as services:
        await begin(services, int(max_unavailable), ("core-pair",) if locks else ())
        print(f"up {await services.ctx.store.campaigns.state(NAME)}", flush=True)
        # The state changes in storage, which tells nobody.
        while (state := await services.ctx.store.campaigns.state(NAME)) in (CampaignState.RUNNING, CampaignState.PAUSED):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        await asyncio.sleep(1.0)  # the last notices go out
        print(f"over {state}", flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
