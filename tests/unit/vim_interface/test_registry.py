from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from beds.vnfm.clocks import SteppedClock
from escalator.model.document import Source, load
from escalator.model.errors import ConflictError, InputError, NotFoundError
from escalator.model.inventory import Instance
from escalator.model.notice import Auth, Vnfm, VnfmSpec
from escalator.storage.memory import memory_store
from escalator.storage.opening import open_sqlite
from escalator.vim_interface.credentials import Credentials
from escalator.vim_interface.registrations import register_world
from escalator.vim_interface.registry import Registry
from escalator.vim_interface.versions import version_of
from escalator.world.records import VnfmRow
from escalator.world.world import World

URI = "http://vnfm.example:8080/notices"


def spec(**changes: object) -> VnfmSpec:
    return VnfmSpec.model_validate({"callback_uri": URI, **changes})


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(memory_store().vnfms, Credentials(tmp_path))


async def problems(registry: Registry, given: VnfmSpec) -> list[str]:
    with pytest.raises(InputError) as caught:
        await registry.add(Vnfm(name="new", spec=given))
    return [str(problem) for problem in caught.value.problems]


async def test_the_most_particular_registration_owns_an_instance(registry: Registry):
    await registry.add(Vnfm(name="by-project", spec=spec(projects=("p1",))))
    await registry.add(Vnfm(name="by-vnf", spec=spec(vnfs=("amf-7",))))
    await registry.add(Vnfm(name="by-instance", spec=spec(instances=("vm-3",))))
    instances = [
        Instance(id="vm-1", project="p1", node="n"),
        Instance(id="vm-2", project="p1", vnf="amf-7", node="n"),
        Instance(id="vm-3", project="p1", vnf="amf-7", node="n"),
        Instance(id="vm-4", project="p2", vnf="smf-1", node="n"),
    ]
    assert await registry.owners(instances) == {"vm-1": "by-project", "vm-2": "by-vnf", "vm-3": "by-instance"}


async def test_a_changed_registration_counts_at_once(registry: Registry):
    await registry.add(Vnfm(name="a", spec=spec(projects=("p1",))))
    instance = Instance(id="vm-1", project="p2", node="n")
    assert await registry.owners([instance]) == {}
    await registry.replace(Vnfm(name="a", spec=spec(projects=("p2",))))
    assert await registry.owners([instance]) == {"vm-1": "a"}


async def test_what_is_not_named_stays_and_null_puts_the_default_back(registry: Registry, tmp_path: Path):
    (tmp_path / "secret").touch(0o600)
    (tmp_path / "secret").write_text("user:password")
    auth = {"type": "basic", "credential": "secret"}
    await registry.add(Vnfm(name="a", spec=spec(projects=("p1",), vnfs=("v1",), auth=auth)))
    changed = await registry.change("a", {"callback_uri": f"{URI}/2", "projects": ["p2"], "auth": {"credential": "secret"}})
    assert changed.spec == spec(callback_uri=f"{URI}/2", projects=("p2",), vnfs=("v1",), auth=auth)
    changed = await registry.change("a", {"vnfs": None, "auth": None})
    assert changed.spec == spec(callback_uri=f"{URI}/2", projects=("p2",))
    assert await registry.owners([Instance(id="vm-1", project="p2", node="n")]) == {"vm-1": "a"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"callback_uri": None}, "spec.callback_uri: the dialect vi-vnfm needs the address to which notices are sent"),
        ({"projects": ["p9"]}, "spec.projects: 'p9' belongs to VNF manager other"),
        ({"calback_uri": URI}, "spec.calback_uri"),
        ({"auth": {"credential": "none"}}, "spec.auth.credential"),
        ({"dialect": "or-vi", "projects": []}, "spec.dialect: a VNF manager does not become an orchestrator"),
        ({"dialect": "fenix-bus"}, "spec.dialect"),
    ],
)
async def test_a_change_is_checked_like_a_registration_and_changes_nothing_when_it_is_not_valid(
    registry: Registry, changes: dict[str, object], said: str
):
    await registry.add(Vnfm(name="other", spec=spec(projects=("p9",))))
    known = Vnfm(name="a", spec=spec(projects=("p1",)))
    await registry.add(known)
    with pytest.raises(InputError) as caught:
        await registry.change("a", changes)
    assert any(str(problem).startswith(said) for problem in caught.value.problems)
    assert (await registry.change("a", {"projects": ["p1"]})) == known


async def test_what_is_not_registered_cannot_be_changed(registry: Registry):
    with pytest.raises(NotFoundError):
        await registry.change("a", {"projects": ["p1"]})


async def test_a_world_takes_nothing_that_a_person_gave_to_another(registry: Registry):
    store, world = memory_store(), World.in_memory(SteppedClock(0.0))
    for name, project in (("simulated-1", "p1"), ("simulated-2", "p2")):
        world.vnfms.put(VnfmRow(name=name, behaviour="moves", projects=(project,)))
    await store.vnfms.add(Vnfm(name="real", spec=spec(projects=("p1",))))
    for _ in range(2):
        await register_world(world, store)
        assert [vnfm.name for vnfm in await store.vnfms.list()] == ["real", "simulated-2"]


async def test_overlaps_are_refused_and_name_the_other(registry: Registry):
    await registry.add(Vnfm(name="a", spec=spec(projects=("p1",), vnfs=("amf",), instances=("vm-1",))))
    found = await problems(registry, spec(projects=("p1", "p2"), vnfs=("amf",), instances=("vm-1",)))
    assert found == [
        "spec.projects: 'p1' belongs to VNF manager a",
        "spec.vnfs: 'amf' belongs to VNF manager a",
        "spec.instances: 'vm-1' belongs to VNF manager a",
    ]


async def test_a_registration_does_not_overlap_with_itself(registry: Registry):
    await registry.add(Vnfm(name="a", spec=spec(projects=("p1",))))
    await registry.replace(Vnfm(name="a", spec=spec(projects=("p1", "p2"))))


async def test_a_name_is_taken_once_and_replaced_only_when_known(registry: Registry):
    await registry.add(Vnfm(name="a", spec=spec()))
    with pytest.raises(ConflictError):
        await registry.add(Vnfm(name="a", spec=spec()))
    with pytest.raises(NotFoundError):
        await registry.replace(Vnfm(name="b", spec=spec()))


async def test_the_native_dialect_needs_an_address(registry: Registry):
    assert await problems(registry, VnfmSpec()) == [
        "spec.callback_uri: the dialect vi-vnfm needs the address to which notices are sent"
    ]
    await registry.add(Vnfm(name="simulated", spec=VnfmSpec(dialect="simulated")))


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "[fe80::1]",
        "[::ffff:169.254.169.254]",
        "2852039166",
        "0xA9FEA9FE",
        "169.254.43518",
        "0.0.0.0",
        "[::]",
        "224.0.0.1",
    ],
)
async def test_addresses_where_metadata_services_answer_are_refused(registry: Registry, host: str):
    found = await problems(registry, spec(callback_uri=f"http://{host}/notices"))
    assert len(found) == 1
    assert "link-local" in found[0]


@pytest.mark.parametrize("uri", ["http://127.0.0.1:1/x", "https://[2001:db8::1]:8443/x", "http://10.0.0.1/x", "https://vnfm/x"])
async def test_ordinary_addresses_are_taken(registry: Registry, uri: str):
    await registry.add(Vnfm(name="a", spec=spec(callback_uri=uri)))


@pytest.mark.parametrize("uri", ["http://host:99999/x", "http://[::1/x", "http:///x", "http://host/x#part"])
async def test_addresses_that_cannot_be_used_are_refused(registry: Registry, uri: str):
    assert (await problems(registry, spec(callback_uri=uri)))[0].startswith("spec.callback_uri: ")


@pytest.mark.parametrize("uri", ["http://user:secret@host/x", "http://user@host/x", "file:///etc/passwd", "gopher://h/x"])
def test_credentials_in_an_address_and_other_schemes_are_no_registration(uri: str):
    with pytest.raises(ValueError, match="callback_uri"):
        spec(callback_uri=uri)


def test_an_address_that_is_none_is_told_in_words() -> None:
    document = {"dialect": "vi-vnfm", "projects": ["p"], "callback_uri": "ftp://x/"}
    with pytest.raises(InputError) as refused:
        load(VnfmSpec, Source(document, {}))
    (problem,) = refused.value.problems
    assert problem.message.startswith("'ftp://x/' is no address: http:// or https:// and a host are expected")


async def test_authentication_needs_a_credential_that_can_be_read(registry: Registry, tmp_path: Path):
    (tmp_path / "good").write_text("user:password\n")
    (tmp_path / "good").chmod(0o600)
    await registry.add(Vnfm(name="a", spec=spec(auth=Auth(type="basic", credential="good"))))
    assert await problems(registry, spec(auth=Auth(type="bearer"))) == [
        "spec.auth.credential: auth.type bearer needs the name of a file in the credentials folder"
    ]
    assert await problems(registry, spec(auth=Auth(type="bearer", credential="missing"))) == [
        f"spec.auth.credential: The credential 'missing' cannot be used: {tmp_path / 'missing'}: No such file or directory."
    ]
    assert await problems(registry, spec(auth=Auth(credential="good"))) == [
        "spec.auth.credential: auth.type none uses no credential"
    ]


async def test_a_credential_for_basic_authentication_has_a_user(registry: Registry, tmp_path: Path):
    (tmp_path / "token").write_text("only-a-token")
    (tmp_path / "token").chmod(0o600)
    found = await problems(registry, spec(auth=Auth(type="basic", credential="token")))
    assert found == ["spec.auth.credential: for auth.type basic the file has to hold user:password"]


def right(**changes: object) -> dict[str, object]:
    return {"callback_uri": None, "projects": ("p1",), "subscription": {"type": "bearer", "credential": "known", **changes}}


def put(folder: Path, name: str, secret: str) -> None:
    (folder / name).write_text(secret)
    (folder / name).chmod(0o600)


async def test_who_may_subscribe_needs_no_address(registry: Registry, tmp_path: Path):
    put(tmp_path, "known", "sixteen-letters-")
    await registry.add(Vnfm(name="a", spec=spec(**right(hosts=("10.0.0.0/8",)))))


async def test_the_right_to_subscribe_is_checked_with_all_problems(registry: Registry, tmp_path: Path):
    put(tmp_path, "known", "sixteen-letters-")
    put(tmp_path, "short", "fifteen-letters")
    await registry.add(Vnfm(name="a", spec=spec(**right())))
    path = "spec.subscription.credential"
    assert await problems(registry, spec(**right() | {"projects": ()})) == [
        f"{path}: it is that of VNF manager a: who shows it could be either"
    ]
    assert await problems(registry, spec(**right(credential="short") | {"projects": ()})) == [
        f"{path}: what lets somebody in has to have 16 characters at least"
    ]
    (missing,) = await problems(registry, spec(**right(credential="missing") | {"projects": ()}))
    assert missing.startswith(f"{path}: The credential 'missing' cannot be used")
    (unnamed,) = await problems(registry, spec(**right(credential=None) | {"projects": ()}))
    assert unnamed == f"{path}: bearer needs the name of a file in the credentials folder"
    manual, *_ = await problems(registry, spec(**right(credential="known2") | {"projects": (), "dialect": "simulated"}))
    assert manual == "spec.subscription.type: there are no subscriptions in the dialect simulated"
    (idle,) = await problems(registry, spec(subscription={"hosts": ("vnfm",)}))
    assert idle.startswith("spec.subscription.type: with none it may not subscribe")


async def test_a_credential_for_subscribing_by_password_has_a_user(registry: Registry, tmp_path: Path):
    put(tmp_path, "known", "only-a-token-without-user")
    found = await problems(registry, spec(**right(type="basic")))
    assert found == ["spec.subscription.credential: for basic the file has to hold user:password"]


async def test_the_operator_may_say_oauth2_and_tls_cert_too(registry: Registry, tmp_path: Path):
    put(tmp_path, "client", "id:password")
    put(tmp_path, "half", "id:")
    oauth2 = {"type": "oauth2", "credential": "client", "token_endpoint": "https://token.example/"}
    await registry.add(Vnfm(name="a", spec=spec(auth=oauth2)))
    await registry.add(Vnfm(name="b", spec=spec(auth={"type": "tls-cert"}, callback_uri="https://vnfm.example/")))
    path = "spec.auth"
    assert await problems(registry, spec(auth=oauth2 | {"credential": "half"})) == [
        f"{path}.credential: for auth.type oauth2 the file has to hold clientId:clientPassword"
    ]
    assert await problems(registry, spec(auth=oauth2 | {"token_endpoint": None})) == [
        f"{path}.token_endpoint: auth.type oauth2 needs the address where tokens are fetched"
    ]
    (forbidden,) = await problems(registry, spec(auth=oauth2 | {"token_endpoint": "http://169.254.169.254/"}))
    assert forbidden.startswith(f"{path}.token_endpoint: link-local")
    assert await problems(registry, spec(auth=oauth2 | {"type": "basic"})) == [
        f"{path}.token_endpoint: auth.type basic fetches no tokens"
    ]
    assert await problems(registry, spec(auth={"type": "tls-cert"})) == [
        "spec.callback_uri: auth.type tls-cert needs an address with https"
    ]


async def test_changes_of_different_parts_at_the_same_time_all_stay(tmp_path: Path):
    async with open_sqlite(tmp_path / "state.sqlite") as store:
        registry = Registry(store.vnfms, Credentials(tmp_path))
        await registry.add(Vnfm(name="a", spec=spec()))
        parts = [{"projects": ["p1"]}, {"vnfs": ["v1"]}, {"instances": ["i1"]}]
        await asyncio.gather(*(registry.change("a", part) for part in parts))
        changed = await store.vnfms.get("a")
        assert changed is not None
        assert changed.spec == spec(projects=("p1",), vnfs=("v1",), instances=("i1",))


async def test_of_changes_decided_on_one_version_the_first_counts(tmp_path: Path):
    async with open_sqlite(tmp_path / "state.sqlite") as store:
        registry = Registry(store.vnfms, Credentials(tmp_path))
        known = Vnfm(name="a", spec=spec())
        await registry.add(known)
        calls = (registry.change("a", {"projects": [name]}, {version_of(known)}) for name in ("p1", "p2"))
        found = await asyncio.gather(*calls, return_exceptions=True)
        assert sorted(type(one).__name__ for one in found) == ["ConflictError", "Vnfm"]


async def test_people_whom_nothing_tells_are_no_vnf_manager(tmp_path: Path):
    registry = Registry(memory_store().vnfms, Credentials(tmp_path), people_told=False)
    assert await problems(registry, VnfmSpec(dialect="manual", contact="duty", projects=("p1",))) == [
        "spec.dialect: nothing tells people here: set vim.manual.argv to the command that does, and restart the server"
    ]
    await registry.add(Vnfm(name="other", spec=spec()))


async def test_a_command_that_the_settings_do_not_have_is_refused_with_the_nearest_one(tmp_path: Path):
    registry = Registry(memory_store().vnfms, Credentials(tmp_path), commands=["prepare-amf", "look"])
    commands = {"prepare": "prepare-afm", "health": "look"}
    given = VnfmSpec.model_validate({"dialect": "command", "projects": ("p1",), "commands": commands})
    assert await problems(registry, given) == [
        "spec.commands.prepare: vim.commands of the settings has no 'prepare-afm'; did you mean 'prepare-amf'?"
    ]
