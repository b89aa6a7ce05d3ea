"""Rows that could not be taken in: see them, take them in again, let them go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tieback.config.mapping import Mapping, mapping_from
from tieback.errors import ConfigError, TiebackError
from tieback.store import DuckDB
from tieback.sync.cells import BLOT
from tieback.sync.delivery import Personal, take_in
from tieback.sync.faults import find_faults, forget_columns, remembered_columns
from tieback.sync.plan import plans
from tieback.sync.readers import json_source, sql_text

WIPED = "{}"  # a raw row that `vault wipe` has emptied
_RETRIABLE = f"raw <> '{WIPED}' AND NOT starts_with(raw, '{{\"_line\":')"


@dataclass(frozen=True)
class Retried:
    """What came of a retry, in rows: taken in, refused again, and past retrying (broken lines, wiped)."""

    passed: int
    refused: int
    hopeless: int
    notices: tuple[str, ...] = ()


def refusals(store: DuckDB, delivery_id: str = "") -> list[dict[str, Any]]:
    """One row per kind of refusal: delivery, file, table, column, an example of the reason, rows, first row number."""
    where, values = _of(delivery_id)
    return store.rows(
        "SELECT delivery_id, file, table_name, column_name, any_value(reason ORDER BY row_number) AS reason, "
        f"count(*) AS rows, min(row_number) AS first_row FROM quarantine {where} "
        "GROUP BY delivery_id, file, table_name, column_name, regexp_replace(reason, '^\".*\" ', '') "
        "ORDER BY delivery_id, rows DESC, table_name, column_name, reason",
        values,
    )


def refused_rows(store: DuckDB, delivery_id: str = "") -> list[dict[str, Any]]:
    """Every refused row with its reason and the row as it stood, as JSON."""
    where, values = _of(delivery_id)
    return store.rows(
        "SELECT delivery_id, file, row_number, table_name, column_name, reason, raw, received_at "
        f"FROM quarantine {where} ORDER BY received_at, file, row_number, table_name, column_name",
        values,
    )


def discard(store: DuckDB, delivery_id: str = "") -> int:
    """Let refused rows go for good; returns how many entries that was."""
    where, values = _of(delivery_id)
    with store.transaction():
        gone = int(store.execute(f"DELETE FROM quarantine {where}", values).fetchall()[0][0])
        forget_columns(store)
    return gone


def retry(
    store: DuckDB, personal: Personal, replacement: Callable[[str], Mapping] | None = None, delivery_id: str = ""
) -> Retried:
    """Take the refused rows in again; those that pass leave the quarantine, the others stay with today's reason.

    replacement: the mapping for an import table, instead of the one the rows came with. A row goes in as of the
    delivery that refused it: where the file has no version of its own, a late row does not outdo newer ones.
    """
    where, values = _of(delivery_id)
    deliveries = store.rows(
        "SELECT delivery_id, table_name, mapping, received_at, file FROM deliveries WHERE delivery_id IN "
        f"(SELECT delivery_id FROM quarantine {where}) ORDER BY received_at, delivery_id",
        values,
    )
    passed = refused = 0
    notices: list[str] = []
    for each in deliveries:
        try:
            mapping = replacement(each["table_name"]) if replacement else _mapping_of(each)
            given, again, said = _retry_delivery(store, each, mapping, personal)
        except TiebackError as error:
            if len(deliveries) == 1:
                raise
            notices.append(f"{each['delivery_id']} ({each['file']}) was left as it is: {error}")
            continue
        passed, refused = passed + given - again, refused + again
        notices += said
    hopeless = store.execute(
        "SELECT count(DISTINCT (delivery_id, row_number)) "
        f"FROM quarantine {where or 'WHERE true'} AND NOT ({_RETRIABLE})",
        values,
    ).fetchall()[0][0]
    return Retried(passed, refused, int(hopeless), tuple(dict.fromkeys(notices)))


def _mapping_of(delivery: dict[str, Any]) -> Mapping:
    """The mapping that a delivery came with. Raises ConfigError when it named people, whose addresses are not kept."""
    text = str(delivery["mapping"] or "")
    if BLOT in text:
        raise ConfigError(
            f"The mapping of {delivery['delivery_id']} ({delivery['file']}) named e-mail addresses, which are not "
            f"kept. Give it again: tieback quarantine retry --delivery {delivery['delivery_id']} --map MAP.toml"
        )
    return mapping_from(text, delivery["table_name"])


def _retry_delivery(
    store: DuckDB, delivery: dict[str, Any], mapping: Mapping, personal: Personal
) -> tuple[int, int, tuple[str, ...]]:
    """Rows retried, rows refused again, notices, of one delivery. All of it or nothing."""
    origin, received_at = str(delivery["delivery_id"]), delivery["received_at"]
    with store.transaction():
        store.execute(
            "CREATE OR REPLACE TEMP TABLE retry_rows AS SELECT row_number, any_value(raw) AS line FROM quarantine "
            f"WHERE delivery_id = ? AND {_RETRIABLE} GROUP BY row_number",
            [origin],
        )
        rows = int(store.execute("SELECT count(*) FROM retry_rows").fetchall()[0][0])
        if not rows:
            return 0, 0, ()
        numbered = "SELECT row_number, line FROM retry_rows"
        known = remembered_columns(store, origin)
        source = json_source(store, str(delivery["file"]), 0, "SELECT line FROM retry_rows", numbered, known)
        made, notices = plans(mapping, source)
        taken = take_in(store, source, made, personal, origin, received_at)
        find_faults(store, source, made, taken.doors)
        store.execute(f"DELETE FROM quarantine WHERE delivery_id = ? AND {_RETRIABLE}", [origin])
        store.execute(
            f"INSERT INTO quarantine SELECT {sql_text(origin)}, {sql_text(source.file)}, row_number, table_name, "
            f"column_name, reason, raw, TIMESTAMP '{received_at}' FROM door_faults"
        )
        forget_columns(store)
        again = int(store.execute("SELECT count(DISTINCT row_number) FROM door_faults").fetchall()[0][0])
    return rows, again, (*notices, *taken.notices)


def _of(delivery_id: str) -> tuple[str, list[Any]]:
    return ("WHERE delivery_id = ?", [delivery_id]) if delivery_id else ("", [])
