"""TLS on the VNF managers' listener, with a real server process and certificates of a real authority."""

from __future__ import annotations

import ssl
import subprocess
from datetime import timedelta
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path

import pytest
from cryptography import x509

from beds.vnfm.authority import Authority
from integration.api.test_serving import configuration, serving, start
from unit.cli.terminal import run


def shown(port: int, authority: Authority) -> tuple[int, str]:
    """Status of a page that needs authentication, and the name in the certificate that was shown."""
    context = ssl.create_default_context(cafile=str(authority.file))
    connection = HTTPSConnection("127.0.0.1", port, timeout=20, context=context)
    connection.request("GET", "/vi-vnfm/v1/subscriptions")
    status = connection.getresponse().status
    certificate = x509.load_der_x509_certificate(connection.sock.getpeercert(binary_form=True))
    connection.close()
    return status, certificate.subject.rfc4514_string()


def agreed(port: int, version: str) -> bool:
    """Whether the listener agrees to that version, asked by somebody who would take the oldest ciphers too."""
    words = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", version, "-cipher", "DEFAULT@SECLEVEL=0"]
    said = subprocess.run(words, input="", capture_output=True, text=True, timeout=30, check=False).stdout
    assert "Cipher is" in said
    return "Cipher is (NONE)" not in said


def port_of(url: str) -> int:
    return int(url.rsplit(":", 1)[1])


def test_a_renewed_certificate_is_shown_and_a_spoiled_one_is_not(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    file = tmp_path / "listener.pem"
    file.write_bytes(authority.issue("first").read_bytes())
    with serving(configuration(tmp_path, vnfm={"port": 0, "tls": {"certificate": str(file)}})) as (_, urls):
        port = port_of(urls["vnfm"])
        assert shown(port, authority) == (401, "CN=first")
        file.write_bytes(b"-----BEGIN CERTIFICATE-----")
        assert shown(port, authority) == (401, "CN=first")
        file.unlink()
        assert shown(port, authority) == (401, "CN=first")
        file.write_bytes(authority.issue("second").read_bytes())
        assert shown(port, authority) == (401, "CN=second")
        file.write_bytes(authority.issue("over", left=-timedelta(minutes=1)).read_bytes())
        with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
            shown(port, authority)


def test_plain_http_and_old_tls_are_not_answered(tmp_path: Path) -> None:
    certificate = Authority(tmp_path).issue("listener")
    with serving(configuration(tmp_path, vnfm={"port": 0, "tls": {"certificate": str(certificate)}})) as (_, urls):
        port = port_of(urls["vnfm"])
        plain = HTTPConnection("127.0.0.1", port, timeout=20)
        plain.request("GET", "/vi-vnfm/v1/subscriptions")
        with pytest.raises((ConnectionError, HTTPException)):
            plain.getresponse()
        seen = run("campaign", "list", environment={"ESCALATOR_URL": urls["vnfm"], "ESCALATOR_STATE_DIR": str(tmp_path)})
        assert (seen.code, "operators' listener (server.host, server.port)" in seen.err) == (1, True)
        assert [agreed(port, version) for version in ("-tls1_1", "-tls1_2", "-tls1_3")] == [False, True, True]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "No such file or directory"),
        (b"nonsense", "no PEM"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "no PEM"),
    ],
)
def test_a_server_whose_certificate_cannot_be_used_does_not_start(tmp_path: Path, content: bytes | None, why: str) -> None:
    file = tmp_path / "listener.pem"
    if content is not None:
        file.write_bytes(content)
    process = start(configuration(tmp_path, vnfm={"port": 0, "tls": {"certificate": str(file)}}))
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "ESC-API-011" in said
    assert why in said
    assert "vnfm.tls" in said


def test_a_key_of_another_certificate_is_told_at_the_start(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    tls = {"certificate": str(authority.issue("one")), "key": str(authority.issue("other"))}
    process = start(configuration(tmp_path, vnfm={"port": 0, "tls": tls}))
    _, said = process.communicate(timeout=60)
    assert "KEY_VALUES_MISMATCH" in said
