"""Internet addresses: masked before anything is kept, and looked up for the country before that."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address, ip_network
from pathlib import Path
from socket import AF_INET, inet_ntop, inet_pton
from typing import Any

from tieback.errors import ConfigError

_MASKS = {4: 24, 6: 48}
_REMEMBERED = 10_000  # addresses


def masked(address: str) -> str:
    """The network of /24 (IPv4) or /48 (IPv6) that `address` is in; "" for what is no address."""
    try:
        return inet_ntop(AF_INET, inet_pton(AF_INET, address)[:3] + b"\0")  # nearly all, and in a fraction of the time
    except (OSError, ValueError):
        pass
    try:
        parsed = ip_address(address.strip())
    except ValueError:
        return ""
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    return str(ip_network((parsed, _MASKS[parsed.version]), strict=False).network_address)


class Countries:
    """Countries by address, of a database in MaxMind's format that the user supplies (GeoLite2, DB-IP …)."""

    def __init__(self, path: Path) -> None:
        """Raises ConfigError for a file that is missing, or no such database."""
        import maxminddb

        try:
            self._reader: Any = maxminddb.open_database(path)
        except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
            raise ConfigError(
                f"[collect] countries: {path} cannot be read ({error}). Name a database in MaxMind's format (.mmdb)."
            ) from None
        self.of = lru_cache(_REMEMBERED)(self._of)

    def _of(self, address: str) -> str:
        """ISO 3166-1 alpha-2, or "" where the database knows none."""
        try:
            found = self._reader.get(address)
        except ValueError:  # no address, or one of IPv6 in a database of IPv4
            return ""
        for place in ("country", "registered_country"):
            code = found.get(place) if isinstance(found, dict) else None
            code = code.get("iso_code") if isinstance(code, dict) else code
            if isinstance(code, str) and len(code) == 2 and code.isalpha():
                return code.upper()
        return ""
