"""A campaign whose owner, made for OpenStack Fenix, answers about some of its instances and is silent about the others."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from beds.vnfm.processes import FENIX_PEER, vnfm_process
from escalator.model.notice import NoticeState, NoticeType, Vnfm, VnfmSpec
from escalator.model.progress import CampaignState
from escalator.world.records import VnfmRow
from integration.api.running import CAMPAIGN, write_release
from integration.vnfm.test_credentials_campaign import PROJECTS, server
from integration.vnfm.test_tacker_campaign import NAME, settled

MOVES = ("PREPARE_MAINTENANCE", "PLANNED_MAINTENANCE")


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


async def test_after_a_pause_it_is_asked_about_the_rest_alone_and_what_it_agreed_to_stands(tmp_path: Path) -> None:
    async with server(tmp_path / "state", fenix={"auth": "none"}) as (services, world):
        instances = {i.id: i for i in world.inventory().instances}
        # Of a node's instances the last one is the one about which nothing is said at first.
        quiet = {max(i for i, one in instances.items() if one.node == node) for node in {i.node for i in instances.values()}}
        only = [word for i in sorted(instances.keys() - quiet) for word in ("--only", i)]
        arguments = ("--like", "tacker", "--token", "none", "--project", "core", "--action", "OWN_ACTION", *only)
        with vnfm_process(tmp_path / "log", *arguments, program=FENIX_PEER) as process:
            spec = VnfmSpec(dialect="fenix", callback_uri=process.callback_uri, projects=PROJECTS)
            await services.vim.registry.add(Vnfm(name="owner", spec=spec))
            await services.importer.import_folder(write_release(tmp_path / "release"))
            await services.campaigns.create(CAMPAIGN + "  workloads: {notify: {reply_timeout_s: 3, on_timeout: pause}}\n")
            await services.campaigns.plan(NAME)
            await services.campaigns.start(NAME)
            assert await settled(services) is CampaignState.PAUSED
            process.control(only=[])
            await services.campaigns.resume(NAME)
            state = await settled(services)
        view = await services.campaigns.show(NAME)
        assert state is CampaignState.COMPLETED, [(t.node, t.state, t.code, t.message) for t in view.tasks]
        asked = Counter(i for e in process.lines("event") if e["state"] in MOVES for i in e["traits"]["instance_ids"])
        again = {instance for instance, times in asked.items() if times > 1}
        assert again
        assert again <= quiet
        # Its yes was to an action of its own: nobody that it spoke of before the pause was migrated after it.
        events = await services.ctx.store.events.read(0, limit=10_000)
        assert not [e for e in events if e.action == "instance.move"]


async def test_it_hears_of_each_instance_when_that_has_moved_and_not_again_with_its_node(tmp_path: Path) -> None:
    async with server(tmp_path / "state", fenix={"auth": "none"}) as (services, world):
        fixed = tuple(i.id for i in world.inventory().instances if i.migration == "none")
        other = VnfmRow(name="other", behaviour="moves", delay_s=0.0, instances=fixed)
        world.vnfms.put(other)
        await services.vim.registry.add(other.registration())
        arguments = ("--like", "tacker", "--token", "none", "--project", "core", "--action", "MIGRATE")
        with vnfm_process(tmp_path / "log", *arguments, program=FENIX_PEER) as process:
            spec = VnfmSpec(dialect="fenix", callback_uri=process.callback_uri, projects=PROJECTS)
            await services.vim.registry.add(Vnfm(name="owner", spec=spec))
            await services.importer.import_folder(write_release(tmp_path / "release"))
            await services.campaigns.create(CAMPAIGN)
            await services.campaigns.plan(NAME)
            await services.campaigns.start(NAME)
            await settled(services)
        notices = await services.ctx.store.notices.list(NAME, limit=10_000)
        told = {r.resource_id: n.created_at for n in notices if n.type is NoticeType.RESOURCE_ACTION_DONE for r in n.resources}
        events = await services.ctx.store.events.read(0, limit=10_000)
        left = {e.object_id: e.node for e in events if e.action == "instance.move" and e.outcome == "done"}
        assert told.keys() == left.keys()
        upgraded = {e.node: e.at for e in events if e.action == "node.upgrade" and e.outcome == "done"}
        assert all(told[i] < upgraded[node] for i, node in left.items())
        heard = [e for e in process.lines("event") if e["state"] == "INSTANCE_ACTION_DONE"]
        assert left.keys() <= {i for e in heard for i in e["traits"]["instance_ids"]}
        assert len(left) > 1
