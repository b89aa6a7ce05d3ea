"""A real Postgres server: readers that wait for nobody, one writer, and errors that a user can mend."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest

from tests.facts import put
from tests.postgres_server import new_schema, server
from tieback.errors import WorkspaceError
from tieback.schema import SCHEMA_VERSION, TABLES
from tieback.schema.relations import relation
from tieback.store import StatementError, remember

psycopg = pytest.importorskip("psycopg", reason="psycopg (make engines)")
from tieback.store.postgres import Postgres, opened  # noqa: E402  (needs psycopg)

CUTS = TABLES["link_cuts"]


@pytest.fixture
def url() -> str:
    """A schema of the test's own, not made yet."""
    return server().url(new_schema())


@pytest.fixture
def writer(url: str) -> Iterator[Postgres]:
    """The one writer of that schema."""
    with opened(url) as store:
        yield store


def rebuild(store: Postgres, reason: str) -> None:
    """Build an opinion anew, of one row."""
    cut = {"left_kind": "user", "left_value": "a", "right_kind": "user", "right_value": "b", "reason": reason}
    store.save(CUTS, store.scratch_rows("new", pa.table({name: [value] for name, value in cut.items()})))


def reasons(store: Postgres) -> list[str]:
    """What the rows of that opinion say."""
    return [row["reason"] for row in store.rows("SELECT reason FROM link_cuts")]


def test_readers_see_the_last_finished_run_and_wait_for_nobody(url: str, writer: Postgres) -> None:
    """While an opinion is built anew, others read the old one at once, and the new one when all is done."""
    with writer.transaction():
        rebuild(writer, "old")
    with writer.transaction():
        rebuild(writer, "new")
        assert reasons(writer) == ["new"]
        with opened(url, read_only=True) as reader:
            reader.execute("SET lock_timeout = '2s'")  # a reader that waited would fail
            assert reasons(reader) == ["old"]
    with opened(url, read_only=True) as reader:
        assert reasons(reader) == ["new"]


def test_a_reader_stays_with_the_run_it_began_with(url: str, writer: Postgres) -> None:
    """A report of several statements is of one run, and does not hold the writer up."""
    with writer.transaction():
        rebuild(writer, "old")
    writer.execute("SET lock_timeout = '2s'")  # a writer that waited would fail
    with opened(url, read_only=True) as reader:
        assert reasons(reader) == ["old"]
        with writer.transaction():
            rebuild(writer, "new")
        assert reasons(reader) == ["old"]
        assert reasons(writer) == ["new"]


def test_what_fails_leaves_everything_as_it_was(writer: Postgres) -> None:
    """All or nothing, also for a table made on the way."""

    def cut_off() -> None:
        with writer.transaction():
            rebuild(writer, "never")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut_off()
    assert not writer.has("link_cuts")


def test_one_writer_at_a_time(url: str, writer: Postgres) -> None:
    """A second one is told who is in, and may come when that one has left."""
    with pytest.raises(WorkspaceError, match=r"in use by tieback, process \d+ on .*\. Wait until it ends"):
        opened(url)
    writer.close()
    opened(url).close()


def test_a_failed_statement_names_its_table(writer: Postgres) -> None:
    """And the engine, and it carries the SQL; the session goes on."""
    with pytest.raises(StatementError, match=r"Building 'events' on postgres failed: .*nowhere") as failed:
        writer.insert(TABLES["events"], "SELECT * FROM nowhere")
    assert "nowhere" in failed.value.sql
    assert writer.rows("SELECT 1 AS one") == [{"one": 1}]


def test_a_reader_goes_on_after_a_failed_statement(url: str, writer: Postgres) -> None:
    """Its transaction does not stay broken."""
    with opened(url, read_only=True) as reader:
        with pytest.raises(StatementError):
            reader.rows("SELECT * FROM nowhere")
        assert reader.rows("SELECT 1 AS one") == [{"one": 1}]


def test_cells_come_back_as_they_went(writer: Postgres) -> None:
    """An empty text is not an empty cell; quotes, lines and signs of CSV are but text."""
    texts = ["", None, 'a "b", c', "two\nlines", "\\.", "\\N", "É", " "]
    rows = pa.table(
        {
            "text": texts,
            "number": [2**62, -1, None, 0, 1, 2, 3, 4],
            "fraction": [1 / 3, float("inf"), None, -0.0, 1e300, 5e-324, 0.1, 2.0],
            "truth": [True, False, None, True, True, True, True, True],
        }
    )
    kept = writer.read(writer.scratch_rows("cells", rows))
    assert kept.to_pylist() == rows.to_pylist()
    assert [row["text"] for row in writer.rows("SELECT text FROM scratch_cells WHERE text IS NULL")] == [None]


def test_text_is_ordered_by_code_point_and_knows_capitals(writer: Postgres) -> None:
    """Whatever the database's own order is (here: English)."""
    values = ["a", "B", "É", "é", "Z"]
    writer.scratch_rows("texts", pa.table({"text": values}))
    found = writer.rows("SELECT text, lower(text) AS small FROM scratch_texts ORDER BY text")
    assert [row["text"] for row in found] == sorted(values)
    assert {row["small"] for row in found if row["text"] in "Éé"} == {"é"}


def test_empty_cells_are_equal_when_rows_are_replaced(writer: Postgres) -> None:
    """A row is found by its columns also where one of them is empty."""
    put(writer, "events", [{"event_id": "1", "occurred_at": "2026-01-01", "kind": "page"}])
    events = relation(TABLES["events"])
    gone = events.filter(events.user_id.isnull()).select("event_id", "user_id")
    with writer.transaction():
        assert writer.replace(TABLES["events"], gone, events.filter(events.event_id == "none")) == 0
    assert writer.rows("SELECT count(*) AS n FROM events") == [{"n": 0}]


def test_newer_and_foreign_schemas_are_refused(url: str, writer: Postgres) -> None:
    """Nothing is changed in what another release wrote, or another program."""
    with writer.transaction():
        remember(writer, {"schema_version": str(SCHEMA_VERSION + 1)})
    writer.close()
    with pytest.raises(WorkspaceError, match="written by a newer tieback"):
        opened(url)
    foreign = new_schema()
    with psycopg.connect(server().url("x").partition("&schema")[0], autocommit=True) as door:
        door.execute(f"CREATE SCHEMA {foreign}")
        door.execute(f"CREATE TABLE {foreign}.invoices (a INT)")
    with pytest.raises(WorkspaceError, match="none of tieback's"):
        opened(server().url(foreign))
    with pytest.raises(WorkspaceError, match="holds no data yet"):
        opened(server().url(new_schema()), read_only=True)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("postgresql://tieback:s3cret@127.0.0.1:{port}/postgres", "password authentication failed"),
        ("postgresql://tieback:s3cret@127.0.0.1:1/postgres", "Connection refused"),
        ("postgresql://tieback:s3cret@:{port}/nowhere?host={folder}", 'database "nowhere" does not exist'),
        ("postgresql://tieback:s3cret/@x@127.0.0.1/postgres", "is not of the form"),
        ("postgresql://tieback:s3cret%zz@127.0.0.1/postgres", "is not of the form"),
    ],
)
def test_a_url_that_leads_nowhere_is_told_without_its_password(address: str, words: str) -> None:
    """A sentence or two, and no secret in them."""
    with pytest.raises(WorkspaceError, match=words) as told:
        opened(address.format(port=server().port, folder=server().folder))
    assert "s3cret" not in str(told.value)
    assert "\n" not in str(told.value)


def test_a_user_without_rights_is_told(writer: Postgres) -> None:
    """First of the schema, then of its tables."""
    guest = f"guest_of_{writer.schema}"
    writer.execute(f"CREATE ROLE {guest} LOGIN")
    with pytest.raises(WorkspaceError, match="no right to look into the schema"):
        opened(server().url(writer.schema, user=guest), read_only=True)
    writer.execute(f"GRANT USAGE ON SCHEMA {writer.schema} TO {guest}")
    with pytest.raises(WorkspaceError, match="permission denied for table workspace"):
        opened(server().url(writer.schema, user=guest), read_only=True)


def test_what_somebody_may_still_see_is_not_forgotten_in_silence(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader of the state before is named; once it has ended, no file of the server holds what was taken out."""
    monkeypatch.setattr("tieback.store.postgres._PATIENCE_SECONDS", 0.3)
    values = pa.table({"name": ["taken-out-for-good", "stays"], "value": ["x", "y"]})
    with opened(url) as store:
        with store.transaction():
            store.load(TABLES["workspace"], values)
        with opened(url, read_only=True) as reader:
            assert reader.rows("SELECT 1 AS one FROM workspace WHERE name = 'stays'")
            with store.transaction():
                store.remove(TABLES["workspace"], store.scratch_rows("gone", values.slice(0, 1).select(["name"])))
            with pytest.raises(WorkspaceError, match=r"keeps it for tieback, process .* looks at the state before"):
                store.forget()
        store.forget()
        assert [row["name"] for row in store.rows("SELECT name FROM workspace WHERE value IN ('x', 'y')")] == ["stays"]
        path = store.execute("SELECT pg_relation_filepath('workspace')").fetchall()[0][0]
        store.execute("CHECKPOINT")
    held = (server().folder / "data" / path).read_bytes()
    assert b"stays" in held
    assert b"taken-out-for-good" not in held
