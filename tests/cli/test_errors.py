"""Whatever the user gets wrong ends in one clear sentence and the documented exit code, and nothing is lost."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tieback.cli
from tieback.config import SALT_NAME
from tieback.store import DuckDB

EVENTS = "event_id,occurred_at,kind,anonymous_id,url\ne1,2026-01-01T10:00:00Z,page,a,https://x.example/\n"
DEALS = "deal_id,stage,amount,currency,changed_at\nd1,won,100,USD,2026-01-02\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A workspace with an events file beside it, nothing imported."""
    (tmp_path / "tieback.toml").write_text('name = "try"\n')
    (tmp_path / "events.csv").write_text(EVENTS)
    (tmp_path / "deals.csv").write_text(DEALS)
    return tmp_path


def ended(*arguments: object, monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit code of the command line called with `arguments`, in this process."""
    monkeypatch.setattr(sys, "argv", ["tieback", *map(str, arguments)])
    try:
        tieback.cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


WRONG = [
    (["-w", "nowhere", "run"], 5, "There is no tieback.toml in nowhere"),
    (["-w", "nowhere", "report"], 5, "tieback init"),
    (["-w", "nowhere", "doctor"], 5, "tieback init"),
    (["-w", "nowhere", "explain", "d1"], 5, "tieback init"),
    (["-w", "nowhere", "reconcile"], 5, "tieback init"),
    (["-w", "nowhere", "import", "events", "x.csv"], 5, "tieback init"),
    (["-w", "nowhere", "quarantine", "list"], 5, "tieback init"),
    (["-w", "nowhere", "sql", "credits"], 5, "tieback init"),
    (["-w", "nowhere", "sql", "events"], 5, "tieback init"),
    (["-w", "nowhere", "models"], 5, "tieback init"),
    (["-w", ".", "run"], 5, "There are no facts yet"),
    (["-w", ".", "report"], 5, "tieback import"),
    (["-w", ".", "reconcile"], 5, "tieback import"),
    (["-w", ".", "import", "event", "events.csv"], 2, "Did you mean 'events'?"),
    (["-w", ".", "import", "events", "gone.csv"], 4, "gone.csv"),
    (["-w", ".", "import", "events", "."], 4, "folder"),
    (["-w", ".", "import", "deals", "events.csv"], 4, "deal_id"),
    (["-w", ".", "import", "events", "events.csv", "--map", "gone.toml"], 4, "gone.toml"),
    (["reprot"], 2, "Did you mean 'report'?"),
    (["schema", "deal"], 2, "Did you mean 'deals'?"),
    (["sql", "credit"], 2, "Did you mean 'credits'?"),
    (["sql", "credits", "--dialect", "postgresql"], 2, "Did you mean 'postgres'?"),
    (["models", "liner"], 2, "Did you mean 'linear'?"),
    (["init", ".", "--currency", "euro"], 3, "ISO 4217"),
    (["report", "--nonsense"], 2, "--nonsense"),
]


@pytest.mark.parametrize(("arguments", "code", "words"), WRONG, ids=[" ".join(call) for call, _, _ in WRONG])
def test_a_wrong_call_says_what_to_do(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    words: str,
) -> None:
    """One sentence with the place and the remedy, no traceback, nothing on stdout."""
    monkeypatch.chdir(folder)
    assert ended(*arguments, monkeypatch=monkeypatch) == code
    told = capsys.readouterr()
    assert words in told.err
    assert "Traceback" not in told.err
    assert told.out == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("curency = 'EUR'", "Did you mean 'currency'?"),
        ("currency = 'EURO'", "ISO 4217"),
        ("name = ", "not valid TOML"),
        ("[models.linaer]", "linear"),
        ("[models.time_decay]\nhalf_life = -1", "half_life"),
        ("[models.position_based]\nfirst = 0.9\nlast = 0.9", "position_based"),
        ("[conversions.x]\nsource = 'deals'\nstage = 'wonn'", "unknown"),
        ("[[channels]]\nchannel = 'X'\nsource = '('", "regular expression"),
        (
            "[[channels]]\nchannel = 'X'\nsource = 'a{1,2000}'",
            "[[channels]] number 1 (X) source 'a{1,2000}' is no regular",
        ),
        ("time_zone = 'Mars/Base'", "IANA"),
        ("[warehouse]\nmemory = 'lots'", '[warehouse] memory: expected a size such as "1.5GB"'),
        ("[warehouse]\nthreads = -1", "[warehouse] threads: expected"),
        ("warehouse = 3", "tieback.toml: warehouse: expected a table, got a whole number."),
        ("name = 3", "tieback.toml: name: expected a text, got a whole number."),
        ("channels = [3]", "[[channels]] number 1: expected a table, got a whole number."),
        ("[stages]\nlead = ['x', 3]", "[stages] lead: expected a text"),
        ("[conversions.'a.b']\nsorce = 'x'", '[conversions."a.b"]'),
        ("[touches]\nsession_minutes = -5", "[touches] session_minutes: expected a whole number >= 1."),
        ("[touches.lookback_days]\ncall = -3", "[touches.lookback_days] call: expected"),
        ("[touches.lookback_days]\nchat = 1\ncall = inf", "[touches.lookback_days] call: expected"),
        ("[touches.lookback_days]\ncall = nan", "[touches.lookback_days] call: expected"),
        ("[conversions.lead]\nlookback_days = nan", "[conversions.lead] lookback_days: expected"),
        ("[conversions.lead]\nlookback_days = 1e20", "[conversions.lead] lookback_days: expected"),
        ("[conversions.lead]\nlookback_days = 0", "[conversions.lead] lookback_days: expected"),
        ("[conversions.lead]\nlookback_days = 'long'", "[conversions.lead] lookback_days: expected"),
        ("[conversions.lead]\nlookback_day = 3", "in [conversions.lead]. Did you mean 'lookback_days'?"),
        ("[conversions.signup]\nevent = 'signup'", "[conversions.signup] has no 'source'."),
        ("[conversions.x]\nsource = 'events'\nevent = 'x'\nvalue = '99999999999999999999'", "[conversions.x] value"),
        ("[[channels]]\nchannel = 'X'\nsorce = 'x'", "in [[channels]] number 1. Did you mean 'source'?"),
        ("[[channels]]\nchannel = 'X'\nsource = 3", "[[channels]] number 1 source: expected"),
        ("[[channels]]\nchannel = 'Unattributed'\nsource = 'x'", "[[channels]] number 1 cannot be called"),
        ("[[channels]]\nchannel = ' '\nsource = 'x'", "[[channels]] number 1 cannot be called"),
        ("session_minutes = 3", "Did you mean 'session_minutes' in [touches]?"),
        ("[report]\ncurrency = 'EUR'", "in [report]. Did you mean 'currency' in the top level?"),
        ("half_life = 3", "Known: channels, collect, consent, conversions"),
        ("[models]", "[models] names no model"),
        ("[retention]\nevents = 99999999", "[retention] events: expected a whole number <= 36500."),
        ("[retention]\nspend = 3", "unknown key 'spend' in [retention]. Known: accounts,"),
        ("[models.all]\ntype = 'linear'", "a model cannot be called 'all'"),
        ("[models.'a,b']\ntype = 'linear'", "a model cannot be called 'a,b'"),
        ("[models.'']\ntype = 'linear'", "a model cannot be called ''"),
        ("[identity]\nmax_email = 0", "[identity] max_email: expected"),
        ("[identity]\nphone_region = 'Germany'", "[identity] phone_region: expected a country"),
        ("[collect]\npublic_url = 'acme.example'", "[collect] public_url: expected an address such as"),
        ("[collect]\nserver = 'gunicorn'", "[collect] server: expected uvicorn or granian."),
        ("[report]\nfew_conversions = -1", "[report] few_conversions: expected"),
        ("[report]\nmodel = 'liner'", "Did you mean 'linear'?"),
    ],
)
def test_a_wrong_setting_is_named_with_its_place(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str, words: str
) -> None:
    """A typo in tieback.toml stops every command that needs it with code 3, before anything is touched."""
    monkeypatch.chdir(folder)
    assert ended("import", "events", "events.csv", monkeypatch=monkeypatch) == 0
    (folder / "tieback.toml").write_text(text)
    for command in ("run", "doctor"):
        capsys.readouterr()
        assert ended(command, monkeypatch=monkeypatch) == 3
        told = capsys.readouterr()
        assert words in told.err
        assert "Traceback" not in told.err
    with DuckDB(folder / "warehouse.duckdb") as store:
        assert store.rows("SELECT count(*) AS n FROM events") == [{"n": 1}]
        assert store.rows("SELECT count(*) AS n FROM runs") == [{"n": 0}]


def test_a_locked_workspace_says_who_holds_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """While another process writes, every command says so and changes nothing."""
    monkeypatch.chdir(folder)
    hold = (
        "import time; from pathlib import Path; from tieback.store import DuckDB; "
        "store = DuckDB(Path('warehouse.duckdb')); print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE, text=True, cwd=folder) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        for arguments in (["import", "events", "events.csv"], ["run"], ["doctor"], ["quarantine", "list"]):
            assert ended(*arguments, monkeypatch=monkeypatch) == 5, arguments
            assert f"in use by process {holder.pid}" in capsys.readouterr().err
        holder.kill()


def test_a_missing_rate_names_the_day(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Revenue in another currency without a rate stops the run with the day and what to import; the last run stays."""
    monkeypatch.chdir(folder)
    (folder / "tieback.toml").write_text('currency = "EUR"\n')
    assert ended("import", "deals", "deals.csv", monkeypatch=monkeypatch) == 0
    assert ended("run", monkeypatch=monkeypatch) == 4
    assert "no exchange rate from USD to EUR for 2026-01-02" in capsys.readouterr().err


@pytest.mark.parametrize(
    "call", ["schema events", "schema --format json", "sql events", "--help", "schema events 2>&1"]
)
def test_a_reader_that_goes_away_ends_it_quietly(folder: Path, call: str) -> None:
    """`tieback schema events | head -1` ends as other programs do, whether click, rich or Python meets it."""
    piped = f"{{ sleep 0.1; {sys.executable} -m tieback {call}; }} | true"
    ended = subprocess.run(
        ["bash", "-o", "pipefail", "-c", piped], cwd=folder, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (141, "")


def test_a_stdout_that_is_closed_is_told_in_one_sentence(folder: Path) -> None:
    """Nothing is opened in its place; a stderr that is closed is nobody's fault, and never talks into the data."""
    for call, code, told in (("schema --format json >&-", 5, "Error: stdout is closed"), ("init new 2>&-", 0, "")):
        shell = ["bash", "-c", f"{sys.executable} -m tieback {call}"]
        ended = subprocess.run(shell, cwd=folder, capture_output=True, text=True, check=False)
        assert (ended.returncode, ended.stdout) == (code, "")
        assert ended.stderr.startswith(told)
        assert ended.stderr.count("\n") == bool(told)


def test_output_that_cannot_be_written_is_told_in_one_sentence(folder: Path) -> None:
    """A full disk behind `>` ends with code 5, not with a traceback."""
    with Path("/dev/full").open("w") as full:
        call = [sys.executable, "-m", "tieback", "schema", "events"]
        ended_badly = subprocess.run(call, cwd=folder, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ended_badly.returncode == 5
    assert ended_badly.stderr.startswith("Error: No space left on device")
    assert "Traceback" not in ended_badly.stderr


def test_secrets_are_for_their_owner_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The salt that guards the hashes is made readable to nobody else."""
    monkeypatch.chdir(folder)
    assert ended("import", "events", "events.csv", monkeypatch=monkeypatch) == 0
    assert oct((folder / SALT_NAME).stat().st_mode & 0o777) == "0o600"


@pytest.mark.parametrize("text", ["", "\n", "x", "ä" * 64])
def test_a_salt_that_is_none_stops_every_command(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    """Hashing with an empty or half salt would expose everybody and know nobody again."""
    monkeypatch.chdir(folder)
    (folder / SALT_NAME).write_text(text)
    assert ended("import", "events", "events.csv", monkeypatch=monkeypatch) == 5
    assert SALT_NAME in capsys.readouterr().err
    assert not (folder / "warehouse.duckdb").exists()


def test_a_workspace_that_could_not_be_made_is_made_the_next_time(folder: Path) -> None:
    """Where the disk is full at the first import, no half file is left to pass for a damaged workspace."""
    call = [sys.executable, "-m", "tieback", "import", "events", "events.csv"]
    limited = ["bash", "-c", 'ulimit -f 8; trap "" XFSZ; exec "$@"', "bash", *call]  # files of 8 KB at most
    full = subprocess.run(limited, cwd=folder, capture_output=True, text=True, check=False)
    assert full.returncode == 5, full.stderr
    assert "Traceback" not in full.stderr
    assert not (folder / "warehouse.duckdb").exists()
    assert subprocess.run(call, cwd=folder, capture_output=True, check=False).returncode == 0


def test_a_folder_s_settings_are_written_whole_or_not_at_all(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file in the way is named as one, and nothing half written stays behind."""
    monkeypatch.chdir(folder)
    assert ended("init", "events.csv", monkeypatch=monkeypatch) == 5
    assert "is a file" in capsys.readouterr().err
    assert ended("init", ".", monkeypatch=monkeypatch) == 5
    assert ended("init", "new", monkeypatch=monkeypatch) == 0
    assert [path.name for path in (folder / "new").iterdir()] == ["tieback.toml"]


def test_a_folder_without_hard_links_becomes_a_workspace_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a USB stick or a network share, settings and salt are made all the same, and never over others."""

    def refused(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    monkeypatch.chdir(tmp_path)
    assert ended("init", ".", monkeypatch=monkeypatch) == 0
    text = (tmp_path / "tieback.toml").read_text()
    assert ended("init", ".", "--currency", "EUR", monkeypatch=monkeypatch) == 5
    assert ended("channels", monkeypatch=monkeypatch) == 0
    assert (tmp_path / "tieback.toml").read_text() == text
    assert oct((tmp_path / SALT_NAME).stat().st_mode & 0o777) == "0o600"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_file_without_models_reports_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty [models] stops the commands that read results as it stops `tieback run`."""
    monkeypatch.chdir(folder)
    assert ended("import", "events", "events.csv", monkeypatch=monkeypatch) == 0
    assert ended("run", monkeypatch=monkeypatch) == 0
    (folder / "tieback.toml").write_text("[models]\n")
    for command in (["report"], ["reconcile"], ["explain", "x"]):
        capsys.readouterr()
        assert ended(*command, monkeypatch=monkeypatch) == 3
        assert "[models] names no model" in capsys.readouterr().err
