"""A campaign whose owner, made for OpenStack Fenix, answers about some of its instances and is silent about the others."""

from __future__ import annotations

from pathlib import Path

from beds.vnfm.processes import FENIX_PEER, vnfm_process
from escalator.model.notice import NoticeState, NoticeType, Vnfm, VnfmSpec
from escalator.model.progress import CampaignState
from integration.api.running import CAMPAIGN, write_release
from integration.vnfm.test_credentials_campaign import PROJECTS, server
from integration.vnfm.test_tacker_campaign import NAME, settled


async def test_whom_it_speaks_for_has_its_answer_and_the_others_migrate_live_in_silence(tmp_path: Path) -> None:
    async with server(tmp_path / "state", fenix={"auth": "none"}) as (services, world):
        before = {i.id: i for i in world.inventory().instances}
        fixed = sorted(i for i in before if before[i].migration == "none")
        assert len({before[i].node for i in fixed}) == 2
        only = [word for i in fixed for word in ("--only", i)]
        arguments = ("--like", "tacker", "--token", "none", "--project", "core", "--action", "OWN_ACTION", *only)
        with vnfm_process(tmp_path / "log", *arguments, program=FENIX_PEER) as process:
            spec = VnfmSpec(dialect="fenix", callback_uri=process.callback_uri, projects=PROJECTS)
            await services.vim.registry.add(Vnfm(name="owner", spec=spec))
            await services.importer.import_folder(write_release(tmp_path / "release"))
            await services.campaigns.create(CAMPAIGN + "  workloads: {notify: {reply_timeout_s: 3}}\n")
            await services.campaigns.plan(NAME)
            await services.campaigns.start(NAME)
            state = await settled(services)
        view = await services.campaigns.show(NAME)
        assert state is CampaignState.COMPLETED, [(t.node, t.state, t.code, t.message) for t in view.tasks]
        asked = [n for n in await services.ctx.store.notices.list(NAME) if n.type is NoticeType.HOST_MAINTENANCE_UPCOMING]
        assert {n.state for n in asked} == {NoticeState.SILENT}
        events = process.lines("event")
        assert {str(e["traits"]["metadata"]) for e in events} == {"{'release': 'nfvi-agent/2.0.0', 'agent': '2.0.0'}"}
        assert [bool(e["traits"]["actions_at"]) for e in events if e["state"] == "MAINTENANCE"] == [True] * len(PROJECTS)
        after = {i.id: i for i in world.inventory().instances}
        assert [after[i].node for i in fixed] == [before[i].node for i in fixed]
        assert {n.versions.get("agent") for n in world.inventory().nodes} == {"2.0.0"}
        events = await services.ctx.store.events.read(0, limit=10_000)
        # Who stays is stopped for the reboot, with its owner's consent; nobody else is.
        assert {e.object_id for e in events if e.action == "instance.stop"} <= set(fixed)
        assert all(instance.running for instance in after.values())
        moved = {e.object_id for e in events if e.action == "instance.move" and e.outcome == "done"}
        assert moved == set(before) - set(fixed)
