"""Values worked out once for each distinct word of a file: addresses, numbers, domains, browsers.

Each lookup is a temporary table door_KIND with `raw` and what comes of it; the door joins it.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import pyarrow as pa

from tieback.schema.bots import bot_reason, signs
from tieback.store import DuckDB

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

KINDS = ("email", "phone", "domain", "user_agent")
NOTHING = "('n/a', 'na', 'none', 'null', 'unknown', 'undefined', '-', '--', '.', '0', 'not provided')"
# A placeholder for a number: one digit again and again, behind a country code or not.
_NO_NUMBER = f"[0-9]{{0,3}}({'|'.join(f'{digit}{{7,}}' for digit in range(10))})"
_ADDRESS = r"[^@\s<>()\",;:]+@[^@\s<>()\",;:.]+(\.[^@\s<>()\",;:.]+)+"
_SHAPE: dict[str, dict[str, str]] = {
    "email": {"raw": "VARCHAR", "normal": "VARCHAR", "hash": "VARCHAR", "domain": "VARCHAR"},
    "phone": {"raw": "VARCHAR", "normal": "VARCHAR", "hash": "VARCHAR"},
    "domain": {"raw": "VARCHAR", "normal": "VARCHAR"},
    "user_agent": {"raw": "VARCHAR", "reason": "VARCHAR", "device": "VARCHAR"},
}


def fill(store: DuckDB, words: dict[str, list[str]], salt: str, region: str) -> None:
    """Make the tables door_KIND for each kind in `words`, whose value is a list of SELECTs of one column of raw text.

    An address or number may come as its SHA-256 in 64 hex digits, as sites and ad platforms hand it over: its hash is
    the same as if it had come itself, while `normal` and `domain` stay empty.
    salt: mixed into the hashes. region: ISO 3166 code of the country in which a number without country code is dialled.
    """
    store.execute("SET VARIABLE tieback_salt = ?", [salt])
    for kind, selects in words.items():
        raw = " UNION ".join(f"SELECT * FROM ({each})" for each in selects)
        store.execute(
            f"CREATE OR REPLACE TEMP TABLE door_words AS SELECT raw FROM ({raw}) words(raw) WHERE raw IS NOT NULL"
        )
        shape = ", ".join(f"{name} {type_}" for name, type_ in _SHAPE[kind].items())
        store.execute(f"CREATE OR REPLACE TEMP TABLE door_{kind} ({shape})")
        {"email": _emails, "phone": _phones, "domain": _domains, "user_agent": _agents}[kind](store, region)
        store.execute("DROP TABLE door_words")


def is_nothing(kind: str, text: str) -> str:
    """SQL that is true where `text`, given for an e-mail address or a phone number, is a word or number for nothing."""
    if kind == "email":
        return f"lower({text}) IN {NOTHING}"
    digits = f"regexp_replace({text}, '[^0-9]', '', 'g')"
    return f"(lower({text}) IN {NOTHING} OR regexp_full_match({digits}, '{_NO_NUMBER}'))"


def hashed(normal: str) -> str:
    """SQL of the salted hash of SQL text `normal`."""
    return _salted(f"sha256({normal})")


def _salted(digest: str) -> str:
    """The same, of what has the SHA-256 `digest`."""
    return f"sha256(getvariable('tieback_salt') || {digest})"


def _digest(raw: str) -> str:
    """SQL of the SHA-256 that SQL text `raw` is; NULL when it is none."""
    return f"CASE WHEN regexp_full_match(trim({raw}), '[0-9a-fA-F]{{64}}') THEN lower(trim({raw})) END"


def to_vault(store: DuckDB, kinds: tuple[str, ...]) -> None:
    """Keep the raw values behind the hashes of the last fill in the vault, each once."""
    for kind in kinds:
        store.execute(
            f"INSERT INTO vault SELECT DISTINCT '{kind}', hash, normal FROM door_{kind} found WHERE normal IS NOT NULL "
            f"AND NOT EXISTS (SELECT 1 FROM vault WHERE id_kind = '{kind}' AND id_hash = found.hash)"
        )


def _emails(store: DuckDB, region: str) -> None:
    bare = "CASE WHEN contains(raw, '<') THEN regexp_extract(raw, '<([^<>]+)>', 1) ELSE raw END"
    store.execute(
        "CREATE OR REPLACE TEMP TABLE door_addresses AS "
        "SELECT raw, CASE WHEN regexp_full_match(low, ?) THEN low END AS normal "
        f"FROM (SELECT raw, lower(trim(regexp_replace({bare}, '^mailto:', '', 'i'))) AS low FROM door_words)",
        [_ADDRESS],
    )
    hosts = store.query("SELECT DISTINCT split_part(normal, '@', 2) FROM door_addresses WHERE normal IS NOT NULL")
    _register(store, [str(host) for host in hosts.column(0).to_pylist()], registrable_domain)
    store.execute(
        f"INSERT INTO door_email SELECT a.raw, normal, coalesce({hashed('normal')}, {_salted(_digest('a.raw'))}), "
        "d.value FROM door_addresses a LEFT JOIN door_found d ON d.word = split_part(normal, '@', 2)"
    )
    store.execute("DROP TABLE door_addresses")


def _phones(store: DuckDB, region: str) -> None:
    words = [str(word) for word in store.query("SELECT raw FROM door_words").column(0).to_pylist()]
    _register(store, words, lambda word: e164(word, region))
    store.execute(
        f"INSERT INTO door_phone SELECT word, value, coalesce({hashed('value')}, {_salted(_digest('word'))}) "
        "FROM door_found"
    )


def _domains(store: DuckDB, region: str) -> None:
    words = [str(word) for word in store.query("SELECT raw FROM door_words").column(0).to_pylist()]
    _register(store, words, registrable_domain)
    store.execute("INSERT INTO door_domain SELECT word, value FROM door_found")


def _agents(store: DuckDB, region: str) -> None:
    # SQL tells which of them may be a bot's fifty times faster than Python tells which bot it is.
    patterns = signs()
    likely = " OR ".join("regexp_matches(raw, ?)" for _ in patterns)
    words = store.query(f"SELECT raw FROM door_words WHERE {likely}", patterns).column(0).to_pylist()
    _register(store, [str(word) for word in words], lambda word: bot_reason(word) or None)
    store.execute(
        "INSERT INTO door_user_agent SELECT raw, f.value, "
        "CASE WHEN regexp_matches(low, 'ipad|tablet|android(?:[^m]|m[^o])*$') THEN 'tablet' "
        "WHEN regexp_matches(low, 'mobi|iphone') THEN 'mobile' ELSE 'desktop' END "
        "FROM (SELECT raw, lower(raw) AS low FROM door_words) LEFT JOIN door_found f ON f.word = raw"
    )


def _register(store: DuckDB, words: list[str], answer: object) -> None:
    """Make door_found(word, value) from Python's answer to each word."""
    assert callable(answer)
    found = pa.table(
        {"word": pa.array(words, pa.string()), "value": pa.array([answer(word) for word in words], pa.string())}
    )
    store.door.register("door_answers", found)
    store.execute("CREATE OR REPLACE TEMP TABLE door_found AS SELECT * FROM door_answers")
    store.door.unregister("door_answers")


def registrable_domain(host: str) -> str | None:
    """The domain that somebody registered: acme.co.uk for www.acme.co.uk, https://acme.co.uk/x or a@acme.co.uk.

    None where there is none.
    """
    named = host.strip().lower().rpartition("://")[2].partition("/")[0]
    bare = re.split("@|%(?:25)*40", named)[-1].partition(":")[0].rstrip(".")
    if bare.replace(".", "").isdigit():
        return None  # an IP address
    found = _suffixes().privatesuffix(bare)
    return str(found) if found else None


@cache
def _suffixes() -> PublicSuffixList:
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()


def e164(number: str, region: str) -> str | None:
    """`number` with its country code, as +4930123456; None when no such number is possible."""
    import phonenumbers

    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(parsed):
        return None
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))
