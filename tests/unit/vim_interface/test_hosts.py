from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from escalator.model.host import Host
from escalator.vim_interface.hosts import host_of, is_allowed


@pytest.mark.parametrize(
    ("uri", "entries", "allowed"),
    [
        ("https://vnfm.example/x", ["vnfm.example"], True),
        ("https://VNFM.Example.:8443/x", ["Vnfm.example"], True),
        ("https://a.vnfm.example/x", ["vnfm.example"], False),
        ("https://vnfm.example.evil/x", ["vnfm.example"], False),
        ("https://evil/vnfm.example", ["vnfm.example"], False),
        ("http://10.0.0.7/x", ["10.0.0.0/29"], True),
        ("http://10.0.0.8/x", ["10.0.0.0/29"], False),
        ("http://167772167/x", ["10.0.0.7"], True),
        ("http://0x0a000007/x", ["10.0.0.0/29"], True),
        ("http://[::ffff:10.0.0.7]/x", ["10.0.0.7"], True),
        ("http://[2001:db8::7]:1/x", ["2001:db8::/64"], True),
        ("http://[2001:db8:1::7]/x", ["2001:db8::/64", "10.0.0.0/8"], False),
        ("http://10.0.0.7/x", ["0.0.0.0/0"], True),
        ("http://vnfm.example/x", ["0.0.0.0/0"], False),
        ("http:///x", ["vnfm.example"], False),
        ("http://vnfm.example/", [], False),
    ],
)
def test_a_host_is_allowed_by_its_name_its_address_or_its_network(uri: str, entries: list[str], allowed: bool):
    assert is_allowed(uri, entries) is allowed


@pytest.mark.parametrize("entry", ["vnfm", "vnfm-1.example.net", "10.0.0.1", "10.0.0.0/8", "2001:db8::1", "2001:db8::/32"])
def test_names_addresses_and_networks_are_entries(entry: str):
    assert TypeAdapter(Host).validate_python(entry) == entry


@pytest.mark.parametrize("entry", ["", "*", "*.example", "http://v/", "vnfm:80", "10.0.0.0/99", "a..b", "a b", "-a", "vnfm/24"])
def test_anything_else_is_no_entry(entry: str):
    with pytest.raises(ValidationError, match="no name, address or network"):
        TypeAdapter(Host).validate_python(entry)


def test_what_people_see_of_an_address_is_its_host():
    assert host_of("https://vnfm.example:8443/callback?token=secret") == "vnfm.example:8443"
