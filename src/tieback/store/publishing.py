"""Publishing: a finished run as Parquet parts and a manifest, seen by readers from one instant to the next.

Parts and a pending manifest are written before the run is committed, so that a full disk takes the run back; once it is
committed, the manifest is renamed to where readers look. Whoever opens the workspace next finishes or undoes what was
cut off in between.
"""

from __future__ import annotations

import fcntl
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tieback.schema import OPINIONS, TABLES
from tieback.store import manifest as files
from tieback.store.changes import Changed, Changes
from tieback.store.manifest import PARTS_FOLDER, PENDING, Gone, Manifest, Parts, StageBuilt
from tieback.store.parts import file, same

if TYPE_CHECKING:
    from datetime import datetime

    from tieback.store.duckdb import DuckDB

# What readers need beside the opinions: the run itself, its settings, the files behind facts, and CRM records.
_WHOLE = ("runs", "workspace", "deliveries")
_FACTS = ("accounts", "deals", "deal_contacts", "orders")

# Rows that came or left are merged into those that came or left since the table was last written whole. It is written
# whole again when they are more than this share of it: merging and reading them would soon cost more than that.
_MOST_CHANGED = 0.05
_FEW_ROWS = 50_000  # a table so small is always written whole
# zstd: a quarter smaller, a sixth slower. Larger dictionaries: a thirtieth smaller, a tenth slower.
_LAYOUT = "FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE 122880, DICTIONARY_SIZE_LIMIT 2000"


class Publication:
    """A run on its way to its readers: `show` it once it is committed, or `discard` it."""

    def __init__(self, folder: Path, pending: Path, written: list[Path]) -> None:
        self._folder, self._pending, self._written = folder, pending, written

    def show(self, keep_runs: int) -> None:
        """Let readers see the run, and prune what the policy no longer keeps."""
        files.show(self._pending)
        prune(self._folder, keep_runs)

    def discard(self) -> None:
        """Leave no trace of it."""
        for path in (self._pending, *self._written):
            path.unlink(missing_ok=True)


def publication(store: DuckDB, folder: Path, changes: Changes | None, as_of: datetime | None = None) -> Publication:
    """Write the newest run of `store`, which is about to be committed.

    changes: what its transaction changed since the run before; None when that is not known, so that all is written.
    as_of: the instant until which its facts were received, for a run over earlier facts.
    """
    (folder / PARTS_FOLDER).mkdir(parents=True, exist_ok=True)
    run = _last_run(store)
    assert run is not None
    before = files.current(folder) if changes and as_of is None else None
    # A name of its own: a run that is published again, say after a backup was put back, may be open somewhere.
    label = f"{Manifest(*run, (), {}, as_of).label}-{secrets.token_hex(3)}"
    written: list[Path] = []
    try:
        tables = {}
        for name in _published(store):
            held = before.tables.get(name) if before else None
            parts = _written(store, folder / PARTS_FOLDER, name, label, held, changes, written)
            tables[name] = parts
        files.settle(*written, folder / PARTS_FOLDER)
        pending = files.write_pending(folder, Manifest(*run, _stages(store, run[0]), tables, as_of))
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise
    return Publication(folder, pending, written)


def catch_up(store: DuckDB, folder: Path, keep_runs: int) -> None:
    """Finish or undo what was cut off: afterwards the newest published run is the newest one of the warehouse.

    A warehouse put back from a backup takes its later runs back; one that was never published is published.
    """
    last = _last_run(store) if store.has("runs") else None
    if last is None and not folder.exists():
        return
    for path in folder.glob(f"*{PENDING}"):
        found = files.read(path)
        if found and found.as_of is None and (found.run_id, found.finished_at) == last:
            files.show(path)
        else:
            path.unlink(missing_ok=True)
    newest = files.current(folder)
    while newest and (last is None or (newest.run_id, newest.finished_at) != last):
        if last is not None and newest.run_id < last[0]:
            break
        (folder / f"{newest.label}.json").unlink()
        newest = files.current(folder)
    if last is not None and (newest is None or newest.run_id < last[0]):
        publication(store, folder, None).show(keep_runs)
    _sweep(folder)


def prune(folder: Path, keep_runs: int) -> None:
    """Delete all but the newest `keep_runs` runs, and as many over earlier facts; never one that a reader has open."""
    known = files.manifests(folder)
    for is_as_of in (False, True):
        alike = sorted((each for each in known if (each.as_of is not None) == is_as_of), key=lambda m: m.finished_at)
        for each in alike[:-keep_runs]:
            _unlink_unless_open(folder / f"{each.label}.json")
    _sweep(folder)


def _sweep(folder: Path) -> None:
    """Delete the parts that no run needs."""
    needed = {name for each in files.manifests(folder) for name in each.files}
    for name in files.sizes(folder).keys() - needed:
        (folder / PARTS_FOLDER / name).unlink(missing_ok=True)


def _unlink_unless_open(path: Path) -> None:
    with suppress(FileNotFoundError, BlockingIOError), path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()


def _published(store: DuckDB) -> Iterator[str]:
    """The tables that readers get."""
    yield from _WHOLE
    yield from _FACTS
    yield from (table.name for table in OPINIONS if store.has(table.name))


def _written(
    store: DuckDB, place: Path, name: str, label: str, held: Parts | None, changes: Changes | None, written: list[Path]
) -> Parts:
    """The parts of the table `name` for the run `label`; `held` are those of the run before, `written` grows."""
    state = _state(store, name) if name in _FACTS else ""
    if held and changes and name not in _WHOLE:
        changed = changes.parts.get(name)
        if name in _FACTS and held.state == state:
            return held
        if name not in _FACTS and name not in changes.whole:
            if changed is None:
                return held
            if _is_little(store, changed, held):
                return _merged(store, place, name, label, held, changed, written)
    path = place / f"{name}-{label}.parquet"
    written.append(path)
    return Parts(path.name, _copy(store, f"SELECT * FROM {name}", path), state=state)


def _merged(
    store: DuckDB, place: Path, name: str, label: str, held: Parts, changed: Changed, written: list[Path]
) -> Parts:
    """The parts `held` with what has `changed` since merged in; the base stays as it is."""
    columns = TABLES[name].names
    before = {each.columns: file(place, each.file) for each in held.gone}
    gone = []
    for number, told in enumerate(dict.fromkeys([*before, *changed.gone])):
        path = place / f"{name}-{label}-gone-{number}.parquet"
        sources = [each for each in (before.get(told), changed.gone.get(told)) if each]
        written.append(path)
        _copy(store, " UNION ".join(f"SELECT {', '.join(told)} FROM {source}" for source in sources), path)
        gone.append(Gone(told, path.name))
    came = []
    if held.came:
        left = [f"NOT EXISTS (SELECT 1 FROM {source} gone WHERE {same('held', told)})"
                for told, source in changed.gone.items()]  # fmt: skip
        where = f" WHERE {' AND '.join(left)}" if left else ""
        came.append(f"SELECT {', '.join(columns)} FROM {file(place, held.came)} held{where}")
    if changed.came:
        came.append(f"SELECT {', '.join(columns)} FROM {changed.came}")
    if not came:
        return Parts(held.base, held.base_rows, tuple(gone))
    path = place / f"{name}-{label}-came.parquet"
    written.append(path)
    rows = _copy(store, " UNION ALL ".join(came), path)
    return Parts(held.base, held.base_rows, tuple(gone), path.name, rows)


def _is_little(store: DuckDB, changed: Changed, held: Parts) -> bool:
    """True when it pays to write what changed rather than the whole table."""
    names = [*changed.gone.values(), *([changed.came] if changed.came else [])]
    moved = sum(int(store.rows(f"SELECT count(*) AS n FROM {name}")[0]["n"]) for name in names)
    return held.base_rows > _FEW_ROWS and moved + held.came_rows <= _MOST_CHANGED * held.base_rows


def _copy(store: DuckDB, rows: str, path: Path) -> int:
    quoted = str(path).replace("'", "''")
    return int(store.execute(f"COPY ({rows}) TO '{quoted}' ({_LAYOUT})", building=path.name).fetchall()[0][0])


def _last_run(store: DuckDB) -> tuple[int, datetime] | None:
    found = store.rows("SELECT run_id, max(finished_at) AS at FROM runs GROUP BY run_id ORDER BY run_id DESC LIMIT 1")
    return (int(found[0]["run_id"]), found[0]["at"]) if found else None


def _stages(store: DuckDB, run_id: int) -> tuple[StageBuilt, ...]:
    rows = store.rows("SELECT stage, rows, seconds FROM runs WHERE run_id = ? ORDER BY rowid", [run_id])
    return tuple(StageBuilt(row["stage"], row["rows"], row["seconds"]) for row in rows)


def _state(store: DuckDB, name: str) -> str:
    """What a fact table holds, in words that differ when it does: rows come, and some are replaced by later ones."""
    held = store.statistics([TABLES[name]])[name]
    return f"{held.rows} rows, the latest received at {held.newest}"
