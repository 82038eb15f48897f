"""Delivery over real HTTP to VNF managers that refuse, hang, flood, redirect, or changed their credentials."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from beds.vnfm.bed import TURNS, Bed, opened_bed
from beds.vnfm.clocks import quiet
from beds.vnfm.processes import vnfm_process
from escalator.model.inventory import Instance
from escalator.model.notice import Auth, NoticeState, Vnfm, VnfmSpec
from escalator.vim_interface.port import Ask


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncIterator[Bed]:
    async with opened_bed("vi-vnfm", tmp_path) as opened:
        yield opened


def put_credential(folder: Path, name: str, secret: str) -> None:
    (folder / name).write_text(secret)
    (folder / name).chmod(0o600)


def self_signed(folder: Path, *, ended: timedelta = timedelta(days=-1)) -> Path:
    """A certificate and its key in one file, and how long ago it ended."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vnfm")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now - ended)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "tls.pem"
    plain = serialization.NoEncryption()
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    file.write_bytes(certificate.public_bytes(pem) + key.private_bytes(pem, pkcs8, plain))
    return file


async def add(bed: Bed, name: str, *arguments: str, auth: Auth | None = None, project: str = "p1") -> None:
    """Start a VNF manager with these arguments and register it."""
    process = bed.stack.enter_context(vnfm_process(bed.folder / f"{name}.jsonl", *arguments))
    bed.processes[name] = process
    spec = VnfmSpec(callback_uri=process.callback_uri, auth=auth or Auth(), projects=(project,))
    await bed.vim.registry.add(Vnfm(name=name, spec=spec))


async def until_attempts(bed: Bed, name: str, attempts: int, task: str = "c1/cn-1/1") -> None:
    for _ in range(TURNS):
        await quiet()
        if (await bed.notice(name, task)).attempts >= attempts:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"{name}: {await bed.notice(name, task)}")


@pytest.mark.parametrize("behaviour", ["error-500", "error-429"])
async def test_a_passing_error_is_tried_again_with_the_same_id_after_growing_pauses(bed: Bed, behaviour: str):
    await add(bed, "vnfm-1", "--behaviour", behaviour)
    await bed.ask()
    for attempt, pause in ((1, 5), (2, 10), (3, 20)):
        await until_attempts(bed, "vnfm-1", attempt)
        notice = await bed.notice("vnfm-1")
        assert (notice.state, notice.error_code) == (NoticeState.PENDING, "ESC-VIM-005")
        assert notice.next_attempt_at == bed.clock.now() + pause
        await bed.clock.advance(pause - 0.5)
        assert len(bed.heard("vnfm-1")) == attempt
        await bed.clock.advance(0.5)
    await until_attempts(bed, "vnfm-1", 4)
    bed.processes["vnfm-1"].control(behaviour="moves")
    await bed.clock.advance(40)
    await bed.until_woken()
    assert (await bed.answer("vnfm-1")).state == "answered"
    assert (await bed.notice("vnfm-1")).error_code is None
    assert len(set(bed.heard("vnfm-1"))) == 1


@pytest.mark.parametrize(("behaviour", "message"), [("error-400", "answered 400"), ("redirect", "redirects are not followed")])
async def test_a_lasting_error_ends_the_delivery_at_once(bed: Bed, behaviour: str, message: str):
    await add(bed, "vnfm-1", "--behaviour", behaviour)
    await bed.ask()
    await bed.until_woken()
    answer = await bed.answer("vnfm-1")
    assert (answer.state, answer.error[:11]) == ("undeliverable", "ESC-VIM-005")
    assert message in answer.error
    assert len(bed.heard("vnfm-1")) == 1


@pytest.mark.parametrize(("kind", "secret"), [("basic", "escalator:s3cret-one"), ("bearer", "s3cret-one")])
async def test_changed_credentials_are_told_apart_and_count_from_the_next_notice(
    bed: Bed, tmp_path: Path, kind: str, secret: str, capsys: pytest.CaptureFixture[str]
):
    put_credential(tmp_path, "vnfm-credential", secret + "\n")
    auth = Auth.model_validate({"type": kind, "credential": "vnfm-credential"})
    await add(bed, "vnfm-1", "--credential", secret, auth=auth)
    (vnfm,) = await bed.store.vnfms.list()
    assert (await bed.vim.test(vnfm)).ok
    await bed.ask("c1/cn-1/1")
    await bed.until_woken()

    changed = secret.replace("one", "two")
    bed.processes["vnfm-1"].control(credential=changed)
    refused = await bed.vim.test(vnfm)
    assert (refused.ok, refused.code) == (False, "ESC-VIM-004")
    await bed.ask("c1/cn-1/2")
    await bed.until_woken(2)
    answer = await bed.answer("vnfm-1", "c1/cn-1/2")
    assert (answer.state, answer.error[:11]) == ("undeliverable", "ESC-VIM-004")

    put_credential(tmp_path, "vnfm-credential", changed)
    await bed.ask("c1/cn-1/3")
    await bed.until_woken(3)
    assert (await bed.answer("vnfm-1", "c1/cn-1/3")).state == "answered"
    assert "s3cret" not in capsys.readouterr().out + answer.error + refused.message


async def test_a_credential_that_is_gone_ends_the_delivery_with_the_reason(bed: Bed, tmp_path: Path):
    put_credential(tmp_path, "gone", "token")
    await add(bed, "vnfm-1", auth=Auth(type="bearer", credential="gone"))
    (tmp_path / "gone").unlink()
    await bed.ask()
    await bed.until_woken()
    assert (await bed.answer("vnfm-1")).error.startswith("ESC-VIM-010")
    assert bed.heard("vnfm-1") == []


async def test_an_endless_answer_is_cut_off_and_the_notice_counts_as_delivered(bed: Bed):
    await add(bed, "vnfm-1", "--behaviour", "flood")
    await bed.ask()
    await bed.until_state("vnfm-1", "delivered")
    await bed.until(lambda: len(bed.processes["vnfm-1"].lines("cut off")) == 1)


async def test_a_vnf_manager_that_hangs_times_out_and_is_tried_again(tmp_path: Path):
    async with opened_bed("vi-vnfm", tmp_path, timeout_s=0.3) as bed:
        await add(bed, "vnfm-1", "--behaviour", "hang")
        await bed.ask()
        await until_attempts(bed, "vnfm-1", 1)
        notice = await bed.notice("vnfm-1")
        assert (notice.state, notice.error_code) == (NoticeState.PENDING, "ESC-VIM-003")
        bed.processes["vnfm-1"].control(behaviour="moves")
        await bed.clock.advance(5)
        await bed.until_woken()
        assert (await bed.answer("vnfm-1")).state == "answered"


async def test_a_certificate_of_an_unknown_authority_is_not_accepted(bed: Bed, tmp_path: Path):
    process = bed.stack.enter_context(vnfm_process(tmp_path / "log", "--tls", str(self_signed(tmp_path))))
    uri = process.callback_uri
    reached = await bed.vim.test(Vnfm(name="vnfm-1", spec=VnfmSpec(callback_uri=uri)))
    assert (reached.ok, reached.code) == (False, "ESC-VIM-024")
    assert reached.message.startswith("The certificate of VNF manager vnfm-1 is not accepted: self-signed certificate")
    assert process.lines() == []


async def test_a_certificate_that_has_ended_is_not_accepted_and_that_is_no_silence(
    bed: Bed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file = self_signed(tmp_path, ended=timedelta(hours=1))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))  # its authority is trusted: only its time is over
    process = bed.stack.enter_context(vnfm_process(tmp_path / "log", "--tls", str(file)))
    spec = VnfmSpec(callback_uri=process.callback_uri, projects=("p1",))
    await bed.vim.registry.add(Vnfm(name="vnfm-1", spec=spec))
    await bed.ask()
    await bed.until_woken(passing=True)
    answer = await bed.answer("vnfm-1")
    assert answer.state == "undeliverable"
    assert answer.error == "ESC-VIM-024: The certificate of VNF manager vnfm-1 is not accepted: certificate has expired."
    assert process.lines() == []


async def test_who_could_not_be_told_stands_in_the_history_once(bed: Bed):
    await add(bed, "vnfm-1", "--behaviour", "error-400")
    await bed.ask()
    await bed.until_woken()
    await bed.restart()
    await quiet()
    (event,) = await bed.store.events.read()
    notice = await bed.notice("vnfm-1")
    assert (event.action, event.outcome, event.code) == ("notice.undeliverable", "undeliverable", "ESC-VIM-005")
    assert (event.campaign, event.node, event.object_id) == ("c1", "cn-1", notice.id)
    assert event.message.startswith("vnfm-1 is not told 'upcoming', after 1 attempt: VNF manager vnfm-1 answered 400")


async def test_a_notice_that_waits_goes_to_the_address_that_is_registered_meanwhile(bed: Bed):
    await bed.vnfm("vnfm-1", "unreachable", "p1")
    process = bed.stack.enter_context(vnfm_process(bed.folder / "moved.jsonl"))
    bed.processes["vnfm-1"] = process
    await bed.ask()
    await bed.until_failed_once("vnfm-1")
    await bed.vim.registry.change("vnfm-1", {"callback_uri": process.callback_uri})
    await bed.until_woken(passing=True)
    assert (await bed.answer("vnfm-1")).state == "answered"


async def test_many_notices_to_a_vnf_manager_that_hangs_do_not_hold_up_another(tmp_path: Path):
    async with opened_bed("vi-vnfm", tmp_path, timeout_s=60.0) as bed:
        await add(bed, "vnfm-1", "--behaviour", "hang", project="p1")
        await add(bed, "vnfm-2", "--behaviour", "silent", project="p2")
        for number in range(20):
            await bed.ask(f"c1/cn-{number}/1")
        await bed.until(lambda: len(bed.heard("vnfm-2")) == 20)
        # A VNF manager gets a few deliveries at a time, however many wait for it.
        assert len(bed.heard("vnfm-1")) <= 4


async def test_a_vnf_manager_that_was_removed_cannot_be_told(bed: Bed):
    await bed.stop()
    await add(bed, "vnfm-1")
    await bed.ask()
    await bed.store.vnfms.remove("vnfm-1")
    await bed.restart()
    await bed.until_woken()
    answer = await bed.answer("vnfm-1")
    assert (answer.state, answer.error[:11]) == ("undeliverable", "ESC-VIM-001")


async def test_a_dialect_that_is_not_there_is_said(bed: Bed):
    await bed.vim.registry.add(Vnfm(name="vnfm-1", spec=VnfmSpec(dialect="simulated", projects=("p1",))))
    await bed.ask()
    await bed.until_woken()
    assert "simulated is not available" in (await bed.answer("vnfm-1")).error
    (vnfm,) = await bed.store.vnfms.list()
    assert (await bed.vim.test(vnfm)).code == "ESC-VIM-009"


async def test_a_delivery_under_way_while_its_notice_is_withdrawn_is_followed_by_the_withdrawal(bed: Bed):
    await add(bed, "vnfm-1", "--behaviour", "silent", "--hold-delivery")
    await bed.ask()
    await bed.until(lambda: len(bed.heard("vnfm-1")) == 1)
    await bed.vim.cancel("c1/cn-1/1")
    bed.processes["vnfm-1"].control(release=True)
    await bed.until(lambda: len(bed.heard("vnfm-1")) == 2)
    assert [kind for kind, _ in bed.heard("vnfm-1")] == ["HostMaintenanceUpcoming", "NoticeCancelled"]


async def test_two_hundred_that_hang_keep_no_other_waiting(bed: Bed) -> None:
    await add(bed, "hanging", "--behaviour", "hang", project="h-000")
    uri = bed.processes["hanging"].callback_uri
    for number in range(1, 200):
        spec = VnfmSpec(callback_uri=uri, projects=(f"h-{number:03}",))
        await bed.vim.registry.add(Vnfm(name=f"hanging-{number}", spec=spec))
    await add(bed, "quick", "--behaviour", "moves", project="quick")
    slow = tuple(Instance(id=f"vm-{number}", project=f"h-{number:03}", node="cn-1") for number in range(200))
    now = bed.clock.now()
    times = {"reply_by": now + 300, "action_at": now + 301}
    await bed.vim.ask(Ask(task="c1/cn-1/1", campaign="c1", node="cn-1", instances=slow, planned={}, **times))
    await bed.until(lambda: len(bed.heard("hanging")) > 0)
    fast = (Instance(id="vm-q", project="quick", node="cn-2"),)
    await bed.vim.ask(Ask(task="c1/cn-2/1", campaign="c1", node="cn-2", instances=fast, planned={}, **times))
    await bed.until(lambda: [task for task, *_ in bed.woken] == ["c1/cn-2/1"])
    # Every one of them was still at its first try.
    assert {notice.attempts for notice in await bed.store.notices.for_task("c1/cn-1/1")} == {0}
