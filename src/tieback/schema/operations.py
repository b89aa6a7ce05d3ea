"""Operations: what the workspace remembers about its own work."""

from __future__ import annotations

from tieback.schema.types import Column, Table, instant, text

DELIVERIES = Table(
    "deliveries",
    "operation",
    grain="one import of one file, or what the collector took in of one source on one day",
    key=("delivery_id",),
    meaning="Every file and collected day taken in, with what came of it.",
    columns=(
        text("delivery_id", "Id that facts carry as origin", required=True),
        text("file", "Name of the file", required=True),
        text("table_name", "Table named on import", required=True),
        text("mapping", "The mapping used, as TOML; empty when none"),
        instant("received_at", "When", required=True),
        Column("rows_read", "int", "Rows in the file", required=True),
        Column("facts_added", "int", "Facts that were new", required=True),
        Column("facts_known", "int", "Facts already held", required=True),
        Column("rows_refused", "int", "Rows put in quarantine", required=True),
    ),
)

QUARANTINE = Table(
    "quarantine",
    "operation",
    grain="one refused row × reason",
    key=("delivery_id", "row_number", "table_name", "column_name"),
    meaning="Rows that could not be taken in, whole, with the reason; they wait for a correction.",
    columns=(
        text("delivery_id", "Which import refused it", required=True),
        text("file", "Name of the file", required=True),
        Column("row_number", "int", "Row as a spreadsheet counts it: the header of a CSV is row 1", required=True),
        text("table_name", "Table it was meant for", required=True),
        text("column_name", "Column at fault; empty when it is the row as a whole", required=True),
        text("reason", "What is wrong", required=True),
        Column("raw", "json", "The row as it stood, by the file's own column names", required=True),
        instant("received_at", "When it was refused", required=True),
    ),
)

VAULT = Table(
    "vault",
    "operation",
    grain="one hashed identifier",
    key=("id_kind", "id_hash"),
    meaning="The raw e-mail addresses and phone numbers behind the hashes. It can be wiped; nothing else needs it.",
    columns=(
        text("id_kind", "email or phone", required=True),
        text("id_hash", "The hash that facts carry", required=True),
        text("raw_value", "The address or number, normalised", required=True),
    ),
)

RUNS = Table(
    "runs",
    "operation",
    grain="one stage of one run",
    key=("run_id", "stage"),
    meaning="What each run built, from what, and how long it took.",
    columns=(
        Column("run_id", "int", "Number of the run, from 1", required=True),
        text("stage", "Opinion that was built", required=True),
        text("fingerprint", "What it was built from: facts, settings, version", required=True),
        instant("finished_at", "When", required=True),
        Column("rows", "int", "Rows in the result", required=True),
        Column("seconds", "float", "How long it took", unit="seconds", required=True),
    ),
)

WORKSPACE = Table(
    "workspace",
    "operation",
    grain="one remembered value",
    key=("name",),
    meaning="What the workspace remembers about itself, such as its schema version.",
    columns=(text("name", "Name", required=True), text("value", "Value", required=True)),
)

OPERATIONS = (DELIVERIES, QUARANTINE, VAULT, RUNS, WORKSPACE)
