"""A database of countries in MaxMind's format, small enough for a test: a tree of bits, and records behind it."""

from __future__ import annotations

from ipaddress import ip_network

_MARK = b"\xab\xcd\xefMaxMind.com"


def written(countries: dict[str, str]) -> bytes:
    """The database of IPv4 networks and their countries, with records of 32 bits."""
    nodes: list[list[int | str | None]] = [[None, None]]
    for network, country in countries.items():
        parsed = ip_network(network)
        bits = f"{int(parsed.network_address):032b}"[: parsed.prefixlen]
        at = 0
        for bit in bits[:-1]:
            following = nodes[at][int(bit)]
            if following is None:
                nodes.append([None, None])
                following = nodes[at][int(bit)] = len(nodes) - 1
            assert isinstance(following, int)
            at = following
        nodes[at][int(bits[-1])] = country
    data, places = b"", {}
    for country in sorted(set(countries.values())):
        places[country] = len(data)
        data += _map({"country": _map({"iso_code": _text(country)})})
    tree = b""
    for sides in nodes:
        for side in sides:
            value = len(nodes) if side is None else side if isinstance(side, int) else len(nodes) + 16 + places[side]
            tree += value.to_bytes(4, "big")
    about = {
        "node_count": _number(len(nodes)),
        "record_size": b"\xa1\x20",
        "ip_version": b"\xa1\x04",
        "database_type": _text("Test"),
        "languages": b"\x00\x04",
        "binary_format_major_version": b"\xa1\x02",
        "binary_format_minor_version": b"\xa0",
        "build_epoch": b"\x04\x02" + (1_700_000_000).to_bytes(4, "big"),
        "description": _map({}),
    }
    return tree + bytes(16) + data + _MARK + _map(about)


def _map(fields: dict[str, bytes]) -> bytes:
    return bytes([0xE0 | len(fields)]) + b"".join(_text(name) + value for name, value in fields.items())


def _text(text: str) -> bytes:
    assert len(text) < 285
    size = bytes([0x40 | len(text)]) if len(text) < 29 else bytes([0x40 | 29, len(text) - 29])
    return size + text.encode()


def _number(value: int) -> bytes:
    """An unsigned number of 32 bits."""
    return b"\xc4" + value.to_bytes(4, "big")
