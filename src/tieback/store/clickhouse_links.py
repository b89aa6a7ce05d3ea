"""The two ways to reach ClickHouse: a server over HTTP, and chdb, which is ClickHouse within this process.

Each runs a statement, queries to Arrow and inserts Arrow, keeps temporary tables until it is closed, and raises
LinkError, whatever its library raises.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tieback.errors import WorkspaceError

if TYPE_CHECKING:
    import pyarrow as pa

# With these, ClickHouse treats NULL, names and instants as the SQL standard does, and works on disk what memory cannot
# hold: it hands sorting, grouping and DISTINCT over to the disk by itself, joins only by the algorithm named here.
SETTINGS: dict[str, Any] = {
    "join_use_nulls": 1,
    "aggregate_functions_null_for_empty": 1,
    "cast_keep_nullable": 1,
    "prefer_column_name_to_alias": 1,
    "union_default_mode": "DISTINCT",
    "except_default_mode": "DISTINCT",
    "intersect_default_mode": "DISTINCT",
    "session_timezone": "UTC",
    "lightweight_deletes_sync": 2,
    "join_algorithm": "direct,grace_hash,hash",
    "max_query_size": 4 << 20,
}
_SESSION_SECONDS = 3600


class LinkError(Exception):
    """What ClickHouse answered instead of doing what it was told; `code` is its number of the error, 0 without one."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        numbered = re.search(r"Code: (\d+)", text, re.IGNORECASE) or re.search(r"error code (\d+)", text)
        self.code = int(numbered[1]) if numbered else 0


class Link(Protocol):
    """What the engine needs of a connection."""

    place: str  # as a user knows it, without a password

    def use(self, database: str) -> None:
        """Read names of tables as those of `database` from now on."""

    def run(self, sql: str) -> int:
        """Run a statement; returns how many rows it wrote."""

    def query(self, sql: str) -> pa.Table:
        """The rows of a SELECT."""

    def insert(self, name: str, rows: pa.Table) -> None:
        """Add Arrow rows to the table `name`, whose columns have the same names."""

    def close(self) -> None:
        """Let go; temporary tables end."""


class InProcess:
    """ClickHouse within this process, its tables in `folder`, which no other process can open meanwhile."""

    def __init__(self, folder: Path) -> None:
        try:
            import chdb
        except ImportError:
            raise WorkspaceError("chdb is not installed here. Install it with `pip install chdb`.") from None

        self.place, self.folder = str(folder), folder
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            self._door: Any = chdb.connect(str(folder))
        except OSError as error:
            raise WorkspaceError(f"{folder} cannot be made: {error.strerror}. Mend that and try again.") from None
        except RuntimeError as error:
            raise _unopened(folder, str(error)) from error
        for name, value in SETTINGS.items():
            self.run(f"SET {name} = {value!r}")

    def use(self, database: str) -> None:
        self.run(f"USE {database}")

    def run(self, sql: str) -> int:
        return int(self._answer(sql, "Null").rows_written())

    def query(self, sql: str) -> pa.Table:
        import pyarrow as pa

        answer: Any = self._answer(sql, "ArrowStream").bytes()
        return pa.ipc.open_stream(answer).read_all()

    def insert(self, name: str, rows: pa.Table) -> None:
        import pyarrow as pa

        try:
            with self._door.send_insert(f"INSERT INTO {name} ({', '.join(rows.column_names)})", "ArrowStream") as taker:
                sink = pa.BufferOutputStream()
                with pa.ipc.new_stream(sink, rows.schema) as writer:
                    writer.write_table(rows)
                taker.append(memoryview(sink.getvalue()))
                taker.finish()
        except RuntimeError as error:
            raise LinkError(str(error)) from error

    def close(self) -> None:
        self._door.close()

    def _answer(self, sql: str, form: str) -> Any:
        try:
            return self._door.query(sql, form)
        except RuntimeError as error:
            raise LinkError(str(error)) from error


def _unopened(folder: Path, text: str) -> WorkspaceError:
    other = re.search(r"already initialized with path '([^']*)'", text)
    if other:
        return WorkspaceError(f"This process has another chdb folder open ({other[1]}). Close it before {folder}.")
    return WorkspaceError(
        f"{folder} cannot be opened as a chdb folder: another process has it open, or it may not be written. Wait "
        "until that process ends, or mend its permissions; nothing was changed."
    )


class Server:
    """A ClickHouse server, over HTTP(S)."""

    def __init__(self, host: str, port: int, user: str, password: str, *, secure: bool) -> None:
        try:
            import clickhouse_connect
            from clickhouse_connect.driver.exceptions import Error
        except ImportError:
            raise WorkspaceError(
                "clickhouse-connect is not installed here. Install it with `pip install 'tieback[clickhouse]'`."
            ) from None

        self.place = f"{host}:{port}"
        self._error = Error
        try:
            self._client = clickhouse_connect.get_client(
                host=host,
                port=port,
                username=user,
                password=password,
                secure=secure,
                settings={**SETTINGS, "session_timeout": _SESSION_SECONDS},
                send_receive_timeout=24 * 3600,  # a stage takes as long as it takes
            )
        except Error as error:
            raise LinkError(str(error)) from error

    def use(self, database: str) -> None:
        self._client.database = database

    def run(self, sql: str) -> int:
        try:
            answer = self._client.command(sql)
        except self._error as error:
            raise LinkError(str(error)) from error
        return int(getattr(answer, "written_rows", 0))

    def query(self, sql: str) -> pa.Table:
        try:
            return self._client.query_arrow(sql)
        except self._error as error:
            raise LinkError(str(error)) from error

    def insert(self, name: str, rows: pa.Table) -> None:
        try:
            self._client.insert_arrow(name, rows)
        except self._error as error:
            raise LinkError(str(error)) from error

    def close(self) -> None:
        self._client.close()
