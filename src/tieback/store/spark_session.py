"""A session of Spark on the cluster that a URL names, and its errors in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from tieback.errors import ConfigError, TiebackError, WorkspaceError
from tieback.store.engine import statement_error

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# What makes Spark answer as the other engines do, whatever the cluster's own settings are.
_MEANING = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.parquet.inferTimestampNTZ.enabled": "true",
    "spark.sql.caseSensitive": "false",
}
# What a URL may set otherwise. Code that is too long for Java's compiler is not made, since it would be interpreted for
# every row; and what a task sends to others goes into one file, where Spark by itself makes one for each of up to 200
# receivers.
_DEFAULTS = {
    "spark.sql.adaptive.enabled": "true",
    "spark.sql.codegen.hugeMethodLimit": "8000",
    "spark.shuffle.sort.bypassMergeThreshold": "1",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.maxConcurrentOutputFileWriters": "64",  # or rows are sorted first by what their files are kept apart by
}
_QUIET = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false", "spark.log.level": "ERROR"}


@dataclass(frozen=True)
class Address:
    """Where a cluster and its lake are: from a URL such as `spark://host:7077?lake=s3a://bucket/path`.

    cluster: a master URL (`spark://HOST:PORT`, `local[N]`) or that of a Spark Connect server (`sc://HOST:PORT`).
    lake: a URI that all of the cluster reads and writes. settings: Spark's own, `spark.executor.memory=4g` and so on.
    has_delta_logs: each table of the lake is a Delta table too (`tables=delta`).
    """

    cluster: str
    lake: str
    settings: Mapping[str, str]
    has_delta_logs: bool = False

    @property
    def is_connect(self) -> bool:
        """True for a Spark Connect server, whose files only it sees."""
        return self.cluster.startswith("sc://")


def address(url: str) -> Address:
    """The parts of an engine's URL.

    Raises ConfigError when the lake is missing, or a parameter is none of Spark's, or asks for what cannot be done.
    """
    cluster, _, query = url.partition("?")
    cluster = cluster.rstrip("/")
    if cluster.startswith("spark://local"):
        cluster = cluster.removeprefix("spark://")
    given = dict(parse_qsl(query, keep_blank_values=True))
    lake = given.pop("lake", "").rstrip("/")
    if "://" not in lake and not lake.startswith("file:/"):
        raise ConfigError(
            f"{url} names no lake. Add where its tables are: ?lake=file:///path, s3a://bucket/path, hdfs://…, abfs://…"
        )
    tables = given.pop("tables", "")
    if tables not in ("", "delta"):
        raise ConfigError(f"{url}: tables={tables} is not known. Say tables=delta, or leave it away for Parquet alone.")
    strange = [name for name in given if not name.startswith("spark.")]
    if strange:
        raise ConfigError(
            f"{url}: {strange[0]!r} is neither `lake` nor `tables` nor a setting of Spark, whose names begin spark."
        )
    found = Address(cluster, lake, given, has_delta_logs=bool(tables))
    if found.is_connect and found.has_delta_logs:
        raise ConfigError(
            f"{url}: Spark Connect cannot write the logs of Delta tables, whose files have fixed names. "
            "Leave tables=delta away, or open the cluster by its master URL (spark://HOST:PORT)."
        )
    return found


def connected(where: Address) -> SparkSession:
    """A session of its own on the cluster of `where`. Raises as `opened` does."""
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        raise ConfigError("Spark is not installed here. Install it with: pip install 'tieback[spark]'") from None
    builder: Any = SparkSession.builder
    settings = _DEFAULTS | dict(where.settings) | _MEANING
    with plain_errors("", "", reaching=where.cluster):
        if where.is_connect:
            session = builder.remote(where.cluster).create()
        else:
            for name, value in (_QUIET | settings).items():
                builder = builder.config(name, value)
            running = builder.appName("tieback").master(where.cluster).getOrCreate()
            if running.sparkContext.master != where.cluster:
                raise WorkspaceError(
                    f"This process works on {running.sparkContext.master} already, and Spark knows one cluster a "
                    f"process. Open {where.cluster} in another."
                )
            session = running.newSession()
        for name, value in settings.items():
            if name.startswith("spark.sql."):
                session.conf.set(name, value)
    found: SparkSession = session
    return found


@contextmanager
def plain_errors(building: str, sql: str, reaching: str = "") -> Iterator[None]:
    """What Spark refuses as a StatementError; while `reaching` a cluster, as a WorkspaceError."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, Py4JError) as error:
        text = str(error).strip() or type(error).__name__
        if reaching:
            raise WorkspaceError(f"Spark at {reaching} cannot be reached: {text.splitlines()[0]}") from error
        plain: TiebackError = statement_error("spark", building, text, sql)
        raise plain from error
