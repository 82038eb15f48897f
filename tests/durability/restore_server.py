"""A whole server on a simulated world that puts a node back on its backup, to be killed: `restore_server.py STATE NODES SPEED`.

Says `up` when the restore is under way, and `over STATE` when it has ended.
"""

from __future__ import annotations

import asyncio
import sys

from durability.server import NAME, begin
from escalator.logs import configure_logs
from escalator.model.backup import RestoreState
from escalator.model.progress import CampaignState
from escalator.settings import Cloud, Log, Settings, SimulatedWorld
from escalator.wiring import open_services

NODE = "cn-0001"


async def main(folder: str, nodes: str, speed: str) -> None:
    cloud = Cloud(driver="simulated", simulated=SimulatedWorld(nodes=int(nodes), speed=float(speed)))
    settings = Settings(state_dir=folder, cloud=cloud, log=Log(level="error"))
    configure_logs(settings.log)
    async with open_services(settings) as services:
        store = services.ctx.store
        await begin(services, 1)
        while await store.campaigns.state(NAME) is not CampaignState.COMPLETED:  # noqa: ASYNC110 - storage tells nobody
            await asyncio.sleep(0.1)
        row = (await services.backups.list(node=NODE))[0]
        if row.restore is RestoreState.NONE:
            row = await services.backups.restore(row.id, accept_impact=True)
        print("up", flush=True)
        while (row := await services.backups.get(row.id)).restore is RestoreState.RUNNING:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)
        print(f"over {row.restore.value} {row.message}", flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
