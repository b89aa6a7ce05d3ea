"""Internet addresses: the country is looked up, and no whole address is kept."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.collect.mmdb import written
from tieback.collect.addresses import Countries, masked
from tieback.collect.personal import without_personal
from tieback.errors import ConfigError


def test_countries_by_network(tmp_path: Path) -> None:
    """In capitals; nothing for what the database does not hold, and for what is no address."""
    path = tmp_path / "countries.mmdb"
    path.write_bytes(written({"203.0.113.0/24": "de", "198.51.100.128/25": "JP"}))
    of = Countries(path).of
    found = [of(each) for each in ("203.0.113.7", "198.51.100.200", "198.51.100.1", "2001:db8::1", "nobody", "")]
    assert found == ["DE", "JP", "", "", "", ""]


@pytest.mark.parametrize("content", [None, b"", b"no database" * 100])
def test_a_database_that_is_none_is_told(tmp_path: Path, content: bytes | None) -> None:
    """When the collector starts, not with the first visitor."""
    path = tmp_path / "countries.mmdb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"countries\.mmdb cannot be read"):
        Countries(path)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0"),
        ("2001:db8:1234:5678::9", "2001:db8:1234::"),
        (" 10.1.2.3 ", "10.1.2.0"),
        ("::ffff:203.0.113.77", "203.0.113.0"),
        ("203.0.113", ""),
        ("unknown", ""),
    ],
)
def test_an_address_is_masked(address: str, network: str) -> None:
    """IPv4 to /24, IPv6 to /48."""
    assert masked(address) == network


@given(st.ip_addresses(), st.sampled_from(["ip", "$ip", "client_ip", "ipAddress", "remote_addr", "user.ip", "IP"]))
def test_no_whole_address_stays_among_properties(address: object, name: str) -> None:
    """Whatever clients call it, however deep it lies."""
    told = without_personal({"context": {name: str(address), "zip": "10115", "ship": "Ann"}})
    assert told["context"] == {name: masked(str(address)), "zip": "10115", "ship": "Ann"}


@given(st.ip_addresses(), st.sampled_from(["%s", "by %s today.", "%s, 10.1.2.0", "[%s]", "(%s)", '{"from": "%s"}']))
def test_no_whole_address_stays_within_a_text(address: IPv4Address | IPv6Address, around: str) -> None:
    """Whatever the field is called."""
    told = without_personal({"seen": [around % address]})["seen"][0]
    assert told == around % masked(str(address))


@pytest.mark.parametrize(
    "text", ["v1.2.3.4", "Chrome/109.1.2.3", "12:30:45", "1.2.3", "std::vector", "00:1a:2b:3c:4d:5e"]
)
def test_what_is_no_address_stays(text: str) -> None:
    """Versions and times look like one at first."""
    assert without_personal({"is": text})["is"] == text
