"""Published runs: whole, equal to what was worked out, and found again whatever cuts the writer off."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.disks import on_a_disk_of_its_own, small
from tests.facts import put
from tieback.errors import WorkspaceError
from tieback.schema import TABLES
from tieback.schema.relations import relation
from tieback.store import DuckDB, Published, manifests, publishing

Rows = list[dict[str, Any]]


def costs(**of: Any) -> dict[str, Any]:
    """A row of costs, whose key may be empty in parts."""
    known = {"spend_date": "2026-01-01", "platform": "p", "channel": "c", "impressions": 0, "clicks": 0}
    return {**known, "cost_minor": 1, **of}


def finish(store: DuckDB, run_id: int, work: Callable[[], Any]) -> None:
    """A run of that number, in which `work` is done."""
    with store.transaction():
        work()
        told = {"run_id": run_id, "stage": "costs", "fingerprint": "f", "finished_at": f"2026-01-{run_id:02}T00:00:00"}
        put(store, "runs", [{**told, "rows": 1, "seconds": 1.0}])


def whole(store: DuckDB, name: str, rows: Rows) -> Callable[[], None]:
    """Work that makes the table anew."""

    def work() -> None:
        store.make(TABLES[name])
        put(store, name, rows)

    return work


def replaced(store: DuckDB, gone: Rows, rows: Rows) -> None:
    """Take the costs out that equal a row of `gone`, and put `rows` in."""
    key = store.scratch_rows(
        "gone_keys", pa.Table.from_pylist(gone, pa.schema([(name, pa.string()) for name in gone[0]]))
    )
    with DuckDB(None) as aside:
        aside.make(TABLES["costs"])
        put(aside, "costs", rows)
        coming = store.scratch_rows("new_costs", aside.query("FROM costs"))
    store.replace(TABLES["costs"], key, coming)


def read(folder: Path, run: str = "", name: str = "costs") -> Rows:
    """The rows of a published table, in an order of their own."""
    with Published(folder, run) as published:
        return published.rows(f"SELECT * FROM {name} ORDER BY ALL")


KEYS = st.tuples(st.sampled_from("ab"), st.sampled_from(["x", "y", None]))
STEPS = st.lists(
    st.tuples(st.lists(KEYS, min_size=1, max_size=3), st.booleans(), st.lists(KEYS, max_size=3)), max_size=4
)


@settings(max_examples=int(os.environ.get("LAW_EXAMPLES", "30")))
@given(first=st.lists(KEYS, max_size=6), runs=st.lists(STEPS, min_size=1, max_size=4))
def test_what_changed_in_part_is_read_as_if_written_whole(
    tmp_path_factory: pytest.TempPathFactory, first: list[Any], runs: list[Any]
) -> None:
    """Whatever leaves and comes, by whichever columns, empty ones too: readers see the table as the writer has it."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patched, DuckDB(folder / "w.duckdb") as store:
        patched.setattr(publishing, "_FEW_ROWS", -1)
        patched.setattr(publishing, "_MOST_CHANGED", 1e9)
        rows = [
            costs(platform=platform, campaign=campaign, cost_minor=n) for n, (platform, campaign) in enumerate(first)
        ]
        finish(store, 1, whole(store, "costs", [*rows, costs(platform="z")]))
        kept = [store.rows("SELECT * FROM costs ORDER BY ALL")]
        for number, steps in enumerate(runs, start=2):
            finish(store, number, lambda steps=steps, number=number: _changed(store, steps, number))
            kept.append(store.rows("SELECT * FROM costs ORDER BY ALL"))
        for number, expected in enumerate(kept, start=1):
            assert read(folder / "runs", str(number)) == expected
        assert len({each.tables["costs"].base for each in manifests(folder / "runs")}) == 1


def _changed(store: DuckDB, steps: list[Any], number: int) -> None:
    for place, (keys, is_by_both, coming) in enumerate(steps):
        names = ("platform", "campaign") if is_by_both else ("platform",)
        gone = [dict(zip(names, key, strict=False)) for key in keys]
        fresh = [
            costs(platform=a, campaign=b, cost_minor=100 * number + place, clicks=n) for n, (a, b) in enumerate(coming)
        ]
        replaced(store, [{"campaign": None, **row} if is_by_both else row for row in gone], fresh)


def test_a_table_that_did_not_change_is_not_written_again(tmp_path: Path) -> None:
    """A run costs what it changed: the parts of all else are those of the run before."""
    with DuckDB(tmp_path / "w.duckdb") as store:
        finish(store, 1, whole(store, "costs", [costs()]))
        finish(store, 2, whole(store, "people", [{"id_kind": "user", "id_value": "u", "person_id": "user:u"}]))
    first, second = manifests(tmp_path / "runs")
    assert first.tables["costs"] == second.tables["costs"]
    assert first.tables["deals"] == second.tables["deals"]
    assert "people" not in first.tables


def test_a_table_of_which_much_changed_is_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that what readers put together never grows beyond a small share of it."""
    monkeypatch.setattr(publishing, "_FEW_ROWS", -1)
    rows = [costs(campaign=str(number)) for number in range(100)]
    with DuckDB(tmp_path / "w.duckdb", keep_runs=9) as store:
        finish(store, 1, whole(store, "costs", rows))
        for number in range(2, 7):
            row = costs(campaign=str(number), clicks=number)
            finish(store, number, lambda row=row: replaced(store, [{"campaign": row["campaign"]}], [row]))
        held = store.rows("SELECT * FROM costs ORDER BY ALL")
    bases = [each.tables["costs"].base for each in manifests(tmp_path / "runs")]
    assert bases[0] == bases[4] != bases[5]
    assert read(tmp_path / "runs") == held


def test_a_run_that_fails_is_never_seen(tmp_path: Path) -> None:
    """Not even in part: no file of it stays."""
    with DuckDB(tmp_path / "w.duckdb") as store:
        finish(store, 1, whole(store, "costs", [costs()]))
        before = sorted(path.name for path in (tmp_path / "runs").rglob("*"))
        with pytest.raises(ZeroDivisionError):
            finish(store, 2, lambda: 1 / 0)
        assert sorted(path.name for path in (tmp_path / "runs").rglob("*")) == before


def test_a_transaction_without_a_run_publishes_nothing(tmp_path: Path) -> None:
    """An import is no run."""
    with DuckDB(tmp_path / "w.duckdb") as store, store.transaction():
        store.append(TABLES["workspace"], relation(TABLES["workspace"]).filter(ibis.literal(value=False)))
    assert not (tmp_path / "runs").exists()


def test_a_run_that_is_open_is_not_pruned(tmp_path: Path) -> None:
    """It goes when its reader has gone."""
    with DuckDB(tmp_path / "w.duckdb", keep_runs=1) as store:
        finish(store, 1, whole(store, "costs", [costs(clicks=1)]))
        with Published(tmp_path / "runs") as reader:
            for number in (2, 3):
                finish(store, number, whole(store, "costs", [costs(clicks=number)]))
            assert [each.run_id for each in manifests(tmp_path / "runs")] == [1, 3]
            assert [row["clicks"] for row in reader.rows("SELECT * FROM costs")] == [1]
            assert not reader.is_newest
        finish(store, 4, whole(store, "costs", [costs(clicks=4)]))
    assert [each.run_id for each in manifests(tmp_path / "runs")] == [4]
    with pytest.raises(WorkspaceError, match=r"There is no run '1' \(any more\)\. Runs at hand: 4\."):
        Published(tmp_path / "runs", "1")


def test_a_warehouse_from_a_backup_takes_its_later_runs_back(tmp_path: Path) -> None:
    """Readers and writer agree again as soon as it is opened, also when a run of the same number was published."""
    path = tmp_path / "w.duckdb"
    with DuckDB(path) as store:
        finish(store, 1, whole(store, "costs", [costs(clicks=1)]))
    backup = path.read_bytes()
    with DuckDB(path) as store:
        finish(store, 2, whole(store, "costs", [costs(clicks=2)]))
    path.write_bytes(backup)
    with DuckDB(path):
        assert [row["clicks"] for row in read(tmp_path / "runs")] == [1]
    for left in (tmp_path / "runs").rglob("*.json"):
        left.unlink()
    with DuckDB(path):
        assert [row["clicks"] for row in read(tmp_path / "runs")] == [1]


KILLED = """
    import os, signal, sys
    from pathlib import Path
    import tests.store.test_publishing as of
    from tieback.store import DuckDB, publishing, manifest

    def killed(*_, **more):
        os.kill(os.getpid(), signal.SIGKILL)

    path, phase = Path(sys.argv[1]), sys.argv[2]
    store = DuckDB(path, keep_runs=1)
    place, name = {"copy": (publishing, "_copy"), "pending": (manifest, "write_pending"), "show": (manifest, "show"),
                   "prune": (publishing, "prune"), "sweep": (publishing, "_sweep")}.get(phase, (DuckDB, "execute"))
    if place is DuckDB:
        left, execute = int(phase), DuckDB.execute
        def counting(self, *words, **more):
            global left
            left -= 1
            return killed() if left == 0 else execute(self, *words, **more)
        killing = counting
    else:
        killing = killed
    setattr(place, name, killing)
    of.finish(store, 2, of.whole(store, "costs", [of.costs(clicks=2)] * 3))
    print("finished")
"""


@pytest.mark.parametrize("phase", ["copy", "pending", "show", "prune", "sweep", *map(str, range(1, 60, 6))])
def test_killed_anywhere_it_opens_at_a_finished_run(tmp_path: Path, phase: str) -> None:
    """Readers see run 1 or run 2, whole, and once the workspace is opened again, that which the warehouse holds."""
    path, folder = tmp_path / "w.duckdb", tmp_path / "runs"
    with DuckDB(path) as store:
        finish(store, 1, whole(store, "costs", [costs(clicks=1)]))
    killed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(path), phase], capture_output=True, text=True, check=False
    )
    assert killed.returncode == -9 or killed.stdout == "finished\n", killed.stderr
    assert [row["clicks"] for row in read(folder)] in ([1], [2, 2, 2])
    with DuckDB(path) as store:
        held = store.rows("SELECT * FROM costs ORDER BY ALL")
    assert read(folder) == held
    known = manifests(folder)
    assert not list(folder.glob("*.pending"))
    assert {path.name for path in (folder / "parts").iterdir()} == {name for each in known for name in each.files}


def test_a_disk_that_fills_up_while_publishing_takes_the_run_back(tmp_path: Path) -> None:
    """It is told in a sentence, the run before stays for all, and the same run goes through once there is room."""
    place = tmp_path / "disk"
    code = f"""
import sys; sys.path.insert(0, {str(Path.cwd())!r})
from pathlib import Path
import tests.store.test_publishing as of
from tieback.errors import WorkspaceError
from tieback.store import DuckDB
place = Path({str(place)!r})
store = DuckDB(place / "w.duckdb")
of.finish(store, 1, of.whole(store, "costs", [of.costs(clicks=1)]))
filler = place / "filler"
with filler.open("wb", buffering=0) as file:
    try:
        while True: file.write(bytes(4096))
    except OSError: pass
import os
os.truncate(filler, max(0, filler.stat().st_size - 700_000))
sizes = [of.costs(campaign=os.urandom(400).hex()) for _ in range(2000)]
try: of.finish(store, 2, of.whole(store, "costs", sizes)); print("went in")
except WorkspaceError as error: print(error)
print([row["clicks"] for row in of.read(place / "runs")], len(store.rows("FROM costs")))
print(len(list(place.glob("runs/*.pending"))))
filler.unlink()
of.finish(store, 2, of.whole(store, "costs", sizes))
print(len(of.read(place / "runs")))
"""
    script = tmp_path / "fill.py"
    script.write_text(code)
    ended = on_a_disk_of_its_own(small(place, 24), f"{sys.executable} {script}")
    assert ended.stdout.splitlines() == [
        "The disk is full. Free some space and run the same command again; nothing was changed.",
        "[1] 1",
        "0",
        "2000",
    ], ended.stderr
