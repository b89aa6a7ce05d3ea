"""One import from start to end: a file becomes facts and a quarantine, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tieback.config.mapping import Mapping
from tieback.store import DuckDB, Merged
from tieback.sync import corrections, lookups
from tieback.sync.cells import without_addresses
from tieback.sync.door import Door, door
from tieback.sync.encodings import Assumed, as_it_turns_out
from tieback.sync.faults import broken_rows, find_faults, forget_rejects, remember_columns
from tieback.sync.plan import Plan, plans
from tieback.sync.readers import Source, opened, sql_text

_SHOWN = 5  # rows and examples in a preview


@dataclass(frozen=True)
class Delivery:
    """What came of one file, in rows of the file (read, refused) and facts (the rest)."""

    delivery_id: str
    file: str
    rows_read: int
    facts_added: int
    facts_known: int
    facts_replaced: int
    rows_refused: int
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Preview:
    """What an import would do. facts: first rows by table. problems: column, reason, rows, example row number."""

    file: str
    rows_read: int
    facts: dict[str, list[dict[str, Any]]]
    problems: list[dict[str, Any]]
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Personal:
    """What personal data is hashed with, and where a phone number without country code is dialled."""

    salt: str
    phone_region: str = "US"


def now() -> datetime:
    """This instant, in UTC, as facts carry it."""
    return datetime.now(UTC).replace(tzinfo=None)


def import_file(
    store: DuckDB,
    path: Path,
    table: str,
    mapping: Mapping,
    personal: Personal,
    received_at: datetime,
    format: str = "",
) -> Delivery:
    """Take `path` into `table` (and what else `mapping` makes of it). All of it or, when anything fails, nothing.

    received_at: when; files of one command share it, so that no split of a file into several matters.
    Raises InputError for a file that cannot be read at all, ConfigError for a mapping that does not fit.
    """

    def read(assumed: Assumed) -> Delivery:
        return _imported(store, path, table, mapping, personal, received_at, format, assumed)

    return as_it_turns_out(read, mapping.written.encoding)


def preview(
    store: DuckDB, path: Path, mapping: Mapping, personal: Personal, received_at: datetime, format: str = ""
) -> Preview:
    """What importing `path` would do; `store` may be an empty one in memory, and nothing is kept."""

    def read(assumed: Assumed) -> Preview:
        return _previewed(store, path, mapping, personal, received_at, format, assumed)

    return as_it_turns_out(read, mapping.written.encoding)


def _previewed(
    store: DuckDB,
    path: Path,
    mapping: Mapping,
    personal: Personal,
    received_at: datetime,
    format: str,
    assumed: Assumed,
) -> Preview:
    with opened(store, path, assumed, format=format, delimiter=mapping.written.delimiter) as source:
        made, notices = plans(mapping, source)
        doors = tuple(door(plan, source, "preview", received_at) for plan in made)
        _look_up(store, doors, personal)
        rows, *_ = _counts(store, source, made)
        rows += broken_rows(store)
        find_faults(store, source, made, doors)
        facts: dict[str, list[dict[str, Any]]] = {}
        for plan, each in zip(made, doors, strict=True):
            first = store.rows(f"SELECT * EXCLUDE (origin, received_at) FROM ({each.facts}) LIMIT {_SHOWN}")
            facts.setdefault(plan.table.name, []).extend(first)
        problems = store.rows(
            "SELECT table_name, column_name, any_value(reason ORDER BY row_number) AS reason, count(*) AS rows, "
            "min(row_number) AS first_row FROM door_faults GROUP BY table_name, column_name, "
            "regexp_replace(reason, '^\".*\" ', '') ORDER BY rows DESC, table_name, column_name, reason"
        )
    return Preview(source.file, rows, facts, problems, tuple(dict.fromkeys((*source.notices, *notices))))


def _imported(
    store: DuckDB,
    path: Path,
    table: str,
    mapping: Mapping,
    personal: Personal,
    received_at: datetime,
    format: str,
    assumed: Assumed,
) -> Delivery:
    with (
        store.transaction(),
        opened(store, path, assumed, format=format, delimiter=mapping.written.delimiter) as source,
    ):
        delivery_id = f"d{store.execute('SELECT count(*) + 1 FROM deliveries').fetchall()[0][0]}"
        made, notices = plans(mapping, source)
        taken = take_in(store, source, made, personal, delivery_id, received_at)
        refused = refuse(store, source, made, taken, delivery_id, received_at)
        if assumed.encoding == "cp1252" and not mapping.written.encoding:
            notices = (f"{path.name} is not UTF-8; it was read as Latin-1 (Windows-1252).", *notices)
        delivery = Delivery(
            delivery_id,
            source.file,
            taken.rows,
            sum(each.added for each in taken.merged),
            sum(each.known for each in taken.merged),
            sum(each.replaced for each in taken.merged),
            refused,
            tuple(dict.fromkeys((*source.notices, *notices, *taken.notices))),
        )
        # A mapping may name people; facts do not, and it stays as long as they do.
        blotted = store.execute(f"SELECT {without_addresses('text')} FROM (SELECT ? AS text)", [mapping.text])
        row: list[Any] = [delivery_id, source.file, table, blotted.fetchall()[0][0] or None, received_at]
        row += [delivery.rows_read, delivery.facts_added, delivery.facts_known, refused]
        store.execute("INSERT INTO deliveries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    return delivery


@dataclass(frozen=True)
class Taken:
    """What was taken in of a source: its doors, how each merge went, its rows, whether some are missing, notices."""

    doors: tuple[Door, ...]
    merged: tuple[Merged, ...]
    rows: int
    is_short: bool
    notices: tuple[str, ...]


def take_in(
    store: DuckDB,
    source: Source,
    made: tuple[Plan, ...],
    personal: Personal,
    origin: str,
    received_at: datetime,
) -> Taken:
    """Merge the good rows of `source` into the tables of `made`, and keep raw addresses and numbers in the vault.

    One pass over the file for each fact, and a quick one that counts: only when some rows are missing has anybody to
    look which.
    """
    doors = tuple(door(plan, source, origin, received_at) for plan in made)
    kinds = _look_up(store, doors, personal)
    rows, *meant = _counts(store, source, made)
    broken = broken_rows(store)
    merged, notices = [], []
    for plan, each in zip(made, doors, strict=True):
        came, conflicts = corrections.taken(store, plan, each.facts, received_at)
        merged.append(came)
        notices += [f"{source.file}: {conflicts}"] if conflicts else []
    lookups.to_vault(store, tuple(kind for kind in kinds if kind in ("email", "phone")))
    given = [each.added + each.known + each.replaced for each in merged]
    return Taken(doors, tuple(merged), rows + broken, bool(broken) or given != meant, tuple(notices))


def _look_up(store: DuckDB, doors: tuple[Door, ...], personal: Personal) -> tuple[str, ...]:
    words: dict[str, list[str]] = {}
    for each in doors:
        for kind, selects in each.words.items():
            words.setdefault(kind, []).extend(select for select in selects if select not in words.get(kind, []))
    lookups.fill(store, words, personal.salt, personal.phone_region)
    return tuple(words)


def _counts(store: DuckDB, source: Source, made: tuple[Plan, ...]) -> list[int]:
    """Rows of the file that can be read at all, and those that each fact is made of."""
    meant = "".join(
        f", count(*) FILTER ({plan.where}{f' OR {source.flaw}' if source.flaw else ''})" if plan.where else ", count(*)"
        for plan in made
    )
    forget_rejects(store)
    return [int(each) for each in store.execute(f"SELECT count(*){meant} FROM {source.scan}").fetchall()[0]]


def refuse(
    store: DuckDB, source: Source, made: tuple[Plan, ...], taken: Taken, origin: str, received_at: datetime
) -> int:
    """Put what could not be taken in into quarantine; returns how many rows that is."""
    if not taken.is_short:
        return 0
    find_faults(store, source, made, taken.doors)
    # The same row refused for the same reason is held once, however often its file comes.
    same = " AND ".join(f"was.{name} = f.{name}" for name in ("table_name", "column_name", "reason", "raw"))
    store.execute(
        f"INSERT INTO quarantine SELECT {sql_text(origin)}, {sql_text(source.file)}, row_number, table_name, "
        f"column_name, reason, raw, TIMESTAMP '{received_at}' FROM door_faults f "
        f"WHERE NOT EXISTS (SELECT 1 FROM quarantine was WHERE {same})"
    )
    remember_columns(store, source, origin)
    return int(store.execute("SELECT count(DISTINCT row_number) FROM door_faults").fetchall()[0][0])
