"""The vault, and what wiping it leaves."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest

from tests.disks import on_a_disk_of_its_own, small
from tests.sync.files import facts, taken
from tieback.store import DuckDB
from tieback.sync.lookups import registrable_domain
from tieback.sync.vault import wipe


def test_wiping_the_vault_leaves_no_raw_value_in_the_file(tmp_path: Path) -> None:
    """Neither the vault nor refused rows, nor the warehouse file's bytes, hold an address afterwards; facts stay."""
    path = tmp_path / "warehouse.duckdb"
    rows = "contact_id,email,changed_at\n1,zebra.person@acme.example,2025-01-01\n2,zebra.person@acme.example,never\n"
    with DuckDB(path) as store:
        taken(store, tmp_path, "contacts", rows)
        held = facts(store, "contacts")
    gone = wipe(path, "500MB")
    assert (gone.values, gone.refused) == (1, 1)
    assert b"zebra" not in path.read_bytes()
    with DuckDB(path) as store:
        assert facts(store, "contacts") == held
        assert facts(store, "quarantine", "raw") == ["{}"]


def test_a_warehouse_behind_a_link_is_wiped_where_it_lies(tmp_path: Path) -> None:
    """The link stays one, and the file that it leads to holds no trace."""
    (tmp_path / "disk").mkdir()
    path, link = tmp_path / "disk" / "warehouse.duckdb", tmp_path / "warehouse.duckdb"
    with DuckDB(path) as store:
        taken(store, tmp_path, "contacts", "contact_id,email,changed_at\n1,zebra.person@acme.example,2025-01-01\n")
    link.symlink_to(path)
    assert wipe(link, "500MB").values == 1
    assert link.is_symlink()
    assert b"zebra" not in path.read_bytes()


def test_without_room_for_a_new_file_the_values_go_all_the_same(tmp_path: Path) -> None:
    """The sentence says what is left to do, and no half-written file stays behind."""
    script = tmp_path / "fill.py"
    script.write_text(
        textwrap.dedent(
            """
            import sys; from pathlib import Path
            from tieback.errors import WorkspaceError; from tieback.store import DuckDB
            from tieback.sync.vault import wipe
            path = Path(sys.argv[1]) / "w.duckdb"
            with DuckDB(path) as store:
                store.execute("INSERT INTO vault SELECT 'email', range::VARCHAR, range::VARCHAR FROM range(9)")
                store.execute("CREATE TABLE bulk AS SELECT md5(range::VARCHAR) AS t FROM range(250000)")
            try:
                wipe(path, "500MB")
            except WorkspaceError as error:
                print(error)
            print(sorted(each.name for each in path.parent.iterdir()))
            with DuckDB(path) as store:
                print(store.rows("SELECT count(*) AS n FROM vault"))
            """
        )
    )
    disk = tmp_path / "disk"
    filled = on_a_disk_of_its_own(small(disk, 9), f"{sys.executable} {script} {disk}")
    said, left, rows = filled.stdout.splitlines() or [filled.stderr] * 3
    assert said.startswith("What was to go is deleted, but traces of it may stay in w.duckdb: there is no room")
    assert (left, rows) == ("['w.duckdb']", "[{'n': 0}]")


@pytest.mark.parametrize(
    ("host", "domain"),
    [("www.acme.co.uk", "acme.co.uk"), ("https://shop.acme.com/x", "acme.com"), ("10.0.0.1", None), ("co.uk", None)],
)
def test_the_registered_part_of_a_host(host: str, domain: str | None) -> None:
    """By the public-suffix list; a number and a bare ending are nobody's."""
    assert registrable_domain(host) == domain
