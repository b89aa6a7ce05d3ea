"""Opening a ledger, on SQLite and Postgres alike, and the sources that it knows."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from tests.disks import on_a_disk_of_its_own, read_only, small
from tests.store.ledgers import connected, locked, message, new_place
from tieback.errors import ConfigError, UsageError, WorkspaceError
from tieback.store.ledger import Ledger, open_ledger, opening
from tieback.store.ledger.opening import opened
from tieback.store.ledger.tables import METADATA, VERSION_TABLE

OPEN_IT = "import sys; from tieback.store.ledger import open_ledger; open_ledger(sys.argv[1]).close()"
TELL_WHY_NOT = f"""
import sys
from tieback.errors import WorkspaceError
try:
    {OPEN_IT}
except WorkspaceError as error:
    print(error)
"""


def test_migrations_end_at_the_tables(url: str) -> None:
    """From nothing, the migrations make exactly the tables that the code goes by."""
    place = opened(url)
    with closing(Ledger(place)), place.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, METADATA) == []


def test_a_ledger_opens_again_as_it_was(url: str) -> None:
    """Opening makes what is missing and touches nothing that is there."""
    with closing(open_ledger(url)) as ledger:
        assert ledger.put([message(1)]) == [True]
    with closing(open_ledger(url)) as ledger:
        assert ledger.put([message(1)]) == [False]


def test_a_new_ledger_may_be_opened_by_several_at_once(url: str) -> None:
    """One makes it, the others find it made."""
    started = [subprocess.Popen([sys.executable, "-c", OPEN_IT, url], stderr=subprocess.PIPE) for _ in range(3)]
    assert [(each.communicate()[1], each.returncode) for each in started] == [(b"", 0)] * 3


def test_a_newer_ledger_is_refused(url: str) -> None:
    """It is left alone, with the advice to upgrade."""
    open_ledger(url).close()
    with connected(url) as connection:
        connection.execute("UPDATE ledger_version SET version_num = '9999'")
        connection.commit()
    with pytest.raises(WorkspaceError, match=r"newer tieback \(schema 9999; this release knows 0001\)\. Upgrade"):
        open_ledger(url)


def test_tables_of_somebody_else_are_left_alone(url: str, tmp_path: Path) -> None:
    """What holds tables but no ledger is not ours to write to."""
    open_ledger(url).close()
    with connected(url) as connection:
        for table in ("inbox", "sources", "ledger_version"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("CREATE TABLE recipes (name TEXT)")
        connection.commit()
    before = [path.read_bytes() for path in tmp_path.glob("*.sqlite")]
    with pytest.raises(WorkspaceError, match="holds tables, but none of tieback's ledger; nothing was changed"):
        open_ledger(url)
    assert [path.read_bytes() for path in tmp_path.glob("*.sqlite")] == before


def test_a_locked_ledger_says_so(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever cannot write for another waits a while, then hears why."""
    monkeypatch.setattr(opening, "PATIENCE_SECONDS", 0.05)
    with closing(open_ledger(url)) as ledger, locked(url):
        with pytest.raises(WorkspaceError, match="in use by another"):
            ledger.put([message(1)])
        if url.startswith("sqlite"):  # where one lock is for all, nor can it be opened
            with pytest.raises(WorkspaceError, match="in use by another"):
                open_ledger(url)


@pytest.mark.parametrize("content", [b"no database at all, but long enough to be one" * 20, b"SQLite format 3\0" * 99])
def test_a_damaged_file_says_so(tmp_path: Path, content: bytes) -> None:
    """It is not written to."""
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(content)
    with pytest.raises(WorkspaceError, match=r"is damaged or not one of tieback's .*\. Restore it from a backup"):
        open_ledger(f"sqlite:///{path}")
    assert path.read_bytes() == content


def test_a_file_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    """Neither in a folder that is not there, nor where a folder stands."""
    with pytest.raises(WorkspaceError, match=r"cannot be made .* Check that its folder is there"):
        open_ledger(f"sqlite:///{tmp_path / 'nowhere' / 'ledger.sqlite'}")
    with pytest.raises(WorkspaceError, match="is no file"):
        open_ledger(f"sqlite:///{tmp_path}")


@pytest.mark.parametrize("is_there", [False, True])
def test_a_read_only_folder_says_so(tmp_path: Path, is_there: bool) -> None:
    """Whether or not it holds a ledger already."""
    folder = tmp_path / "folder"
    folder.mkdir()
    url = f"sqlite:///{folder / 'ledger.sqlite'}"
    if is_there:
        open_ledger(url).close()
    script = tmp_path / "open.py"
    script.write_text(TELL_WHY_NOT)
    told = on_a_disk_of_its_own(read_only(folder), f"{sys.executable} {script} {url}")
    assert ("cannot be written" if is_there else "cannot be made (Read-only file system)") in told.stdout, told.stderr


def test_a_ledger_that_a_full_disk_kept_from_being_made_is_made_later(tmp_path: Path) -> None:
    """The error says that the disk is full, and what is left passes for nothing damaged."""
    script = tmp_path / "open.py"
    script.write_text(TELL_WHY_NOT)
    disk = tmp_path / "disk"
    again = f"{sys.executable} {script} sqlite:///{disk}/ledger.sqlite"
    fill = f"head -c 2000000 /dev/zero > {disk}/filler"
    told = on_a_disk_of_its_own(small(disk, 1), f"{{ {fill}; {again}; rm {disk}/filler; {again}; echo made; }}")
    assert told.stdout.splitlines() == [
        f"The ledger {disk}/ledger.sqlite cannot grow: the disk is full. Free some space and try again; nothing was "
        "changed.",
        "made",
    ], told.stderr


@pytest.mark.parametrize(
    "url", ["mysql://me:hunter2@host/db", "sqlite://", "ledger.sqlite", "postgresql://me:hunt@er2@host/db", "postgres:"]
)
def test_another_url_is_refused(url: str) -> None:
    """With the form that it should have, and without the password it may hold."""
    with pytest.raises(ConfigError, match="postgresql://USER:PASSWORD@HOST") as caught:
        open_ledger(url)
    assert "er2" not in str(caught.value)


def test_a_server_that_is_not_there_says_so() -> None:
    """Without the password."""
    pytest.importorskip("psycopg", reason="psycopg (make engines)")
    with pytest.raises(WorkspaceError, match=r"Postgres cannot be reached: .*Check the URL of the ledger") as caught:
        open_ledger("postgresql://me:hunter2@127.0.0.1:1/nowhere")
    assert "hunter2" not in str(caught.value)


def test_what_is_committed_is_on_disk() -> None:
    """A server told to acknowledge before it is safe is told otherwise."""
    url = new_place("postgres", Path())
    place = opened(url + "&options=-csynchronous_commit%3Doff")
    with closing(Ledger(place)), place.engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"


def test_a_file_is_synced_with_every_commit_and_for_its_owner_alone(tmp_path: Path) -> None:
    """Readers go on while another writes, and what is written is flushed."""
    path = tmp_path / "ledger.sqlite"
    place = opened(f"sqlite:///{path}")
    with closing(Ledger(place)), place.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_warehouse_loads_nothing_of_the_ledger() -> None:
    """Whoever collects nothing does not wait for it."""
    code = "import sys, tieback.store; print(*{'sqlalchemy', 'alembic'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_a_key_tells_its_source_until_it_is_revoked(ledger: Ledger) -> None:
    """An unknown or revoked key is nobody's; a revoked source may be added anew, with another key."""
    key = ledger.add_source("shop", ("https://shop.example", "https://www.shop.example"))
    other = ledger.add_source("crm")
    assert key.startswith("tb_")
    assert len(key) == 35
    found = ledger.source_of(key)
    assert found is not None
    assert (found.name, found.origins) == ("shop", ("https://shop.example", "https://www.shop.example"))
    assert (found.key_ending, found.revoked_at) == (key[-4:], None)
    assert ledger.source_named("shop") == found
    ledger.revoke("shop")
    assert ledger.source_of(key) is None
    assert ledger.source_named("shop") is ledger.source_named("nobody") is None
    first = ledger.sources()
    ledger.revoke("shop")
    assert ledger.sources() == first
    assert [(each.name, isinstance(each.revoked_at, datetime)) for each in first] == [("crm", False), ("shop", True)]
    new = ledger.add_source("shop")
    assert new != key
    assert [ledger.source_of(each) is not None for each in (key, new, other)] == [False, True, True]


def test_whatever_is_sent_as_a_key_is_nobody_s(ledger: Ledger) -> None:
    """Any text at all."""
    ledger.add_source("shop")
    for key in ("", "tb_", "\0", "\ud800", "' OR 1=1 --", "k" * 100_000):
        assert ledger.source_of(key) is None


def test_keys_are_not_kept(tmp_path: Path) -> None:
    """Whoever reads the file learns no key."""
    with closing(open_ledger(new_place("sqlite", tmp_path))) as ledger:
        key = ledger.add_source("shop")
        held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert b"shop" in held
        assert key[3:].encode() not in held


@pytest.mark.parametrize("name", ["", "Shop", "-shop", "_shop", "my shop", "a" * 64, "shop\n", "Ж", "a\0"])
def test_a_source_has_a_plain_name(tmp_path: Path, name: str) -> None:
    """Else the command says what a name is."""
    with (
        closing(open_ledger(new_place("sqlite", tmp_path))) as ledger,
        pytest.raises(UsageError, match="small letters"),
    ):
        ledger.add_source(name)


def test_names_are_used_once_and_known_ones_offered(ledger: Ledger) -> None:
    """A source in use keeps its key, and a name that is not known is met with the nearest."""
    key = ledger.add_source("shop")
    with pytest.raises(UsageError, match="There is a source 'shop' already"):
        ledger.add_source("shop")
    assert ledger.source_of(key)
    with pytest.raises(UsageError, match=r"There is no source 'shp'\. Did you mean 'shop'"):
        ledger.revoke("shp")
