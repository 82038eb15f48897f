"""What is refused before a connection is even tried."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncssh
import pytest

from escalator.model.codes import Code
from escalator.model.errors import PermanentError, TemporaryError
from escalator.model.node_settings import Ssh as SshSettings
from escalator.system_support.ssh import Ssh


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    key = tmp_path / "id"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(key)
    key.chmod(0o600)
    (tmp_path / "known_hosts").write_text("")
    return tmp_path


def ssh(credentials: Path, **changes: object) -> Ssh:
    usual = {"key": "id", "known_hosts": str(credentials / "known_hosts"), "connect_timeout_s": 1.0, "port": 1}
    return Ssh(SshSettings.model_validate({**usual, **changes}), credentials)


@pytest.mark.parametrize("key", [None, "", "../id", "folder/id"])
async def test_the_key_is_a_file_of_the_credentials_folder(credentials: Path, key: str | None) -> None:
    with pytest.raises(PermanentError) as caught:
        await ssh(credentials, key=key).run("cn-1", ["true"])
    assert caught.value.code is Code.SYS_CONFIG


async def test_a_key_that_others_can_read_is_refused(credentials: Path) -> None:
    (credentials / "id").chmod(0o644)
    with pytest.raises(PermanentError) as caught:
        await ssh(credentials).run("cn-1", ["true"])
    assert caught.value.code is Code.SYS_CREDENTIALS
    assert "chmod 600" in caught.value.remedy


@pytest.mark.parametrize("content", [None, b"no key"])
async def test_a_key_that_is_missing_or_none_is_told(credentials: Path, content: bytes | None) -> None:
    (credentials / "id").unlink()
    if content is not None:
        (credentials / "id").write_bytes(content)
        (credentials / "id").chmod(0o600)
    with pytest.raises(PermanentError) as caught:
        await ssh(credentials).run("cn-1", ["true"])
    assert caught.value.code is Code.SYS_CREDENTIALS
    assert "no key" not in str(caught.value)


@pytest.mark.parametrize("file", [None, "/nowhere/known_hosts"])
async def test_without_known_host_keys_nothing_is_connected(credentials: Path, file: str | None) -> None:
    with pytest.raises(PermanentError) as caught:
        await ssh(credentials, known_hosts=file).run("cn-1", ["true"])
    assert caught.value.code is Code.SYS_CONFIG


@pytest.mark.parametrize("node", ["", "-oProxyCommand=x", "a b", "a/b", "x" * 300])
async def test_what_is_no_name_of_a_node_is_refused(credentials: Path, node: str) -> None:
    with pytest.raises(PermanentError) as caught:
        await ssh(credentials).run(node, ["true"])
    assert caught.value.code is Code.SYS_CONFIG


async def test_a_node_where_nothing_listens_is_a_temporary_error(credentials: Path) -> None:
    with pytest.raises(TemporaryError) as caught:
        await ssh(credentials, addresses={"cn-1": "127.0.0.1"}).run("cn-1", ["true"])
    assert caught.value.code is Code.SYS_UNREACHABLE
    assert caught.value.facts == {"node": "cn-1", "address": "127.0.0.1"}


async def test_a_command_that_ends_before_its_input_is_still_answered(credentials: Path) -> None:
    async def quick(process: asyncssh.SSHServerProcess[str]) -> None:
        process.stdout.write("answer")
        process.exit(3)

    host_key = asyncssh.generate_private_key("ssh-ed25519")
    authorized = asyncssh.import_authorized_keys(asyncssh.read_private_key(credentials / "id").export_public_key().decode())
    async with asyncssh.listen(
        "127.0.0.1", 0, server_host_keys=[host_key], authorized_client_keys=authorized, process_factory=quick
    ) as server:
        (credentials / "known_hosts").write_text(f"cn-1 {host_key.export_public_key().decode()}")
        made = ssh(credentials, port=server.get_port(), addresses={"cn-1": "127.0.0.1"}, connect_timeout_s=15.0)
        for _ in range(10):
            output = await made.run("cn-1", ["true"], stdin=b"never read")
            assert (output.exit_code, output.stdout) == (3, b"answer")
        await made.close()
        await asyncio.sleep(0)  # the server's end of it


async def test_a_name_that_does_not_resolve_is_told_from_a_host_that_does_not_answer(credentials: Path) -> None:
    with pytest.raises(TemporaryError) as caught:
        await ssh(credentials).run("cn-1.invalid", ["true"])
    assert caught.value.code is Code.SYS_UNREACHABLE
    assert "cn-1.invalid does not resolve" in caught.value.message
    assert "system.ssh.addresses" in caught.value.remedy
