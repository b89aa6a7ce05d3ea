"""Group commit, on SQLite and Postgres alike: what is acknowledged is on disk, and what is not is refused in time."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
from collections.abc import Callable, Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from tests.disks import on_a_disk_of_its_own, small
from tests.store.ledgers import CUT_OFF, KINDS, NOON, connected, locked, message, new_place
from tieback.store.ledger import BusyError, GroupCommit, Incoming, Ledger, group_commit, open_ledger, opening
from tieback.store.ledger.opening import opened

Put = Callable[[GroupCommit], Coroutine[Any, Any, None]]

PUT_UNTIL_KILLED = """
import asyncio, os, sys, time
from datetime import datetime
from sqlalchemy import event
from tieback.store.ledger import GroupCommit, Incoming, Ledger
from tieback.store.ledger.opening import opened

place = opened(sys.argv[1])
event.listen(place.engine, "commit", lambda connection: time.sleep(0.02))
inbox = GroupCommit(Ledger(place))

async def client(name):
    for number in range(1_000_000):
        row = Incoming("shop", f"{name}-{number}", datetime(2026, 3, 1), b"{}")
        assert await inbox.put([row]) == [True]
        os.write(1, f"{row.message_id}\\n".encode())

async def all_of_them():
    await asyncio.gather(*map(client, range(20)))

asyncio.run(all_of_them())
"""


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where a ledger of each kind may be made; who waits for a lock there waits for as long as a test may take."""
    monkeypatch.setattr(opening, "PATIENCE_SECONDS", 300.0)
    return new_place(request.param, tmp_path)


def with_an_inbox(url: str, put: Put, most_waiting: int = 20_000) -> None:
    """Do `put` with an inbox at `url`, which is closed after it."""

    async def done() -> None:
        with closing(open_ledger(url)) as ledger:
            inbox = GroupCommit(ledger, most_waiting)
            try:
                await put(inbox)
            finally:
                await inbox.close()

    asyncio.run(done())


async def begun(inbox: GroupCommit, *rows: Incoming) -> asyncio.Task[list[bool]]:
    """A call that the inbox has taken in, if it does."""
    task = asyncio.create_task(inbox.put(rows))
    await asyncio.sleep(0)  # a task runs up to where it waits
    return task


def held(url: str) -> list[str]:
    """The ids of all that is on disk."""
    with closing(open_ledger(url)) as ledger:
        return sorted(row.message_id for row in ledger.waiting(1_000_000))


def test_what_is_acknowledged_is_on_disk(url: str) -> None:
    """Another connection sees it as soon as the caller hears of it."""

    async def put(inbox: GroupCommit) -> None:
        assert await inbox.put([message(1), message(1)]) == [True, False]
        assert held(url) == ["m1"]
        assert await inbox.put([]) == []

    with_an_inbox(url, put)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_acknowledged_is_lost_when_the_process_is_killed(kind: str, tmp_path: Path) -> None:
    """Killed under load with a slowed writer: each acknowledged row is there, once, and is known when sent again."""
    for trial in range(3):
        folder = tmp_path / str(trial)
        folder.mkdir()
        url = new_place(kind, folder)
        child = subprocess.Popen([sys.executable, "-c", PUT_UNTIL_KILLED, url], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        told = [child.stdout.readline() for _ in range(30 + 37 * trial)]
        child.kill()
        told += child.communicate()[0].splitlines(keepends=True)
        acknowledged = [line.strip() for line in told if line.endswith("\n")]
        assert len(acknowledged) >= 30
        there = held(url)
        assert set(acknowledged) - set(there) == set()
        assert len(there) == len(set(there))
        with closing(open_ledger(url)) as ledger:
            assert not any(ledger.put([Incoming("shop", name, NOON, b"{}") for name in acknowledged]))


def test_those_who_come_meanwhile_are_committed_together(url: str) -> None:
    """However many wait for the disk, they wait for one commit, or two if one had begun."""
    commits: list[object] = []

    async def done() -> None:
        place = opened(url)
        with closing(Ledger(place)) as ledger:
            event.listen(place.engine, "commit", commits.append)
            inbox = GroupCommit(ledger)
            with locked(url):
                tasks = [await begun(inbox, message(number), message(number % 7)) for number in range(50)]
            assert [await task for task in tasks] == [[True, False]] * 50
            await inbox.close()

    asyncio.run(done())
    assert len(commits) in (1, 2)


def test_a_commit_is_of_a_sensible_size(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In rows and in bytes; what does not fit comes next, and all is answered."""
    sizes: list[int] = []
    monkeypatch.setattr(group_commit, "_ROWS_A_COMMIT", 10)
    monkeypatch.setattr(group_commit, "_BYTES_A_COMMIT", 100)
    put_of_ledger = Ledger.put
    monkeypatch.setattr(Ledger, "put", lambda self, rows: sizes.append(len(rows)) or put_of_ledger(self, rows))

    async def put(inbox: GroupCommit) -> None:
        large = [Incoming("shop", f"l{number}", NOON, b"x" * 60) for number in range(3)]
        with locked(url):
            tasks = [await begun(inbox, message(number)) for number in range(4)]
            tasks += [await begun(inbox, row) for row in large]
            tasks += [await begun(inbox, *[message(number) for number in range(50, 75)])]
        assert all(map(all, await asyncio.gather(*tasks)))

    with_an_inbox(url, put)
    assert sizes[-4:] == [1, 1, 1, 25]


def test_the_same_message_from_many_is_new_to_one(url: str) -> None:
    """However many put it at once."""

    async def put(inbox: GroupCommit) -> None:
        told = await asyncio.gather(*(inbox.put([message(number % 10)]) for number in range(200)))
        assert sum(map(sum, told)) == 10

    with_an_inbox(url, put)
    assert len(held(url)) == 10


def test_the_queue_is_bound(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond so many rows or bytes, a caller hears at once that it is to come again; then there is room again."""
    monkeypatch.setattr(group_commit, "_MOST_BYTES_WAITING", 1000)

    async def put(inbox: GroupCommit) -> None:
        with locked(url):
            first = await begun(inbox, *[message(number) for number in range(8)])
            with pytest.raises(BusyError) as busy:
                await inbox.put([message(number) for number in range(10, 13)])
            assert busy.value.retry_after_seconds > 0
            with pytest.raises(BusyError):
                await inbox.put([Incoming("shop", "large", NOON, b"x" * 1000)])
            second = await begun(inbox, message(20), message(21))
            with pytest.raises(BusyError):
                await inbox.put([message(30)])
        assert [await first, await second] == [[True] * 8, [True] * 2]
        assert all(await inbox.put([message(number) for number in range(30, 55)]))  # alone, a call is taken in

    with_an_inbox(url, put, most_waiting=10)
    assert len(held(url)) == 35


def test_a_locked_ledger_is_busy_until_it_is_free(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody who waits hears so, with the reason kept; once it is free, all is well again."""
    monkeypatch.setattr(opening, "PATIENCE_SECONDS", 0.05)

    async def put(inbox: GroupCommit) -> None:
        with locked(url):
            told = await asyncio.gather(*(inbox.put([message(number)]) for number in range(20)), return_exceptions=True)
            assert [type(each) for each in told] == [BusyError] * 20
            assert "in use by another" in inbox.trouble
            with pytest.raises(BusyError):
                await inbox.put([message(1)])
        assert await inbox.put([message(number) for number in range(20)]) == [True] * 20
        assert inbox.trouble == ""

    with_an_inbox(url, put, most_waiting=20)


def test_a_full_disk_is_busy_until_there_is_room(tmp_path: Path) -> None:
    """What was acknowledged before it filled up is there after it, with what came once there was room."""
    script = tmp_path / "fill.py"
    script.write_text(
        textwrap.dedent(
            """
            import asyncio, os, sys; from datetime import datetime; from pathlib import Path
            from tieback.store.ledger import BusyError, GroupCommit, Incoming, open_ledger
            disk = Path(sys.argv[1]); url = f"sqlite:///{disk}/ledger.sqlite"

            async def fill():
                (disk / "filler").write_bytes(bytes(2_000_000))
                ledger = open_ledger(url)
                inbox = GroupCommit(ledger)
                acknowledged = 0
                try:
                    while acknowledged < 10_000:
                        row = Incoming("shop", f"m{acknowledged}", datetime(2026, 3, 1), os.urandom(20_000))
                        assert await inbox.put([row]) == [True]
                        acknowledged += 1
                except BusyError:
                    print(inbox.trouble)
                try:
                    await inbox.put([row])
                except BusyError:
                    print("busy still")
                (disk / "filler").unlink()
                print(await inbox.put([row]), repr(inbox.trouble))
                await inbox.close()
                ledger.close()
                ledger = open_ledger(url)
                print(ledger.backlog().rows == acknowledged + 1 > 10)
                ledger.close()

            asyncio.run(fill())
            """
        )
    )
    disk = tmp_path / "disk"
    filled = on_a_disk_of_its_own(small(disk, 6), f"{sys.executable} {script} {disk}")
    assert filled.stdout.splitlines() == [
        f"The ledger {disk}/ledger.sqlite cannot grow: the disk is full. Free some space and try again; nothing was "
        "changed.",
        "busy still",
        "[True] ''",
        "True",
    ], filled.stderr


def test_a_server_that_cuts_off_is_busy_and_found_again() -> None:
    """The commit after it says so; the next is made over a new connection."""
    url = new_place("postgres", Path())

    async def put(inbox: GroupCommit) -> None:
        await inbox.put([message(1)])
        with connected(url) as other:
            other.execute(CUT_OFF)
            other.commit()
        with pytest.raises(BusyError):
            await inbox.put([message(2)])
        assert "was cut off from its server" in inbox.trouble
        assert await inbox.put([message(1), message(2)]) == [False, True]

    with_an_inbox(url, put)


def test_a_caller_that_goes_away_breaks_nobody_else_s_call(url: str) -> None:
    """Whether it was already on its way to disk or not."""

    async def put(inbox: GroupCommit) -> None:
        with locked(url):
            tasks = [await begun(inbox, message(number)) for number in range(10)]
            for task in tasks[::3]:
                task.cancel()
        told = await asyncio.gather(*tasks, return_exceptions=True)
        assert [task.cancelled() for task in tasks] == [number % 3 == 0 for number in range(10)]
        assert [each for each in told if isinstance(each, list)] == [[True]] * 6
        assert await inbox.put([message(10)]) == [True]

    with_an_inbox(url, put)
    assert {f"m{number}" for number in range(11) if number % 3} <= set(held(url))


def test_a_defect_ends_nobody_s_waiting(url: str) -> None:
    """A row that cannot be written is refused with a reason that tells nothing of it, and others go on."""

    async def put(inbox: GroupCommit) -> None:
        broken: Any = 9_182_736_455  # no port and no number of a process
        with pytest.raises(BusyError):
            await inbox.put([Incoming("shop", "m0", broken, b"{}")])
        assert inbox.trouble
        assert str(broken) not in inbox.trouble
        assert await inbox.put([message(1)]) == [True]

    with_an_inbox(url, put)


def test_closing_drains(url: str) -> None:
    """What was taken in is answered before it is closed; nothing is taken in after."""

    async def put(inbox: GroupCommit) -> None:
        with locked(url):
            tasks = [await begun(inbox, message(number)) for number in range(50)]
            closing_ = asyncio.create_task(inbox.close())
            await asyncio.sleep(0)
            with pytest.raises(BusyError):
                await inbox.put([message(99)])
        await closing_
        assert [task.result() for task in tasks] == [[True]] * 50
        with pytest.raises(BusyError):
            await inbox.put([message(99)])

    with_an_inbox(url, put)
    assert len(held(url)) == 50
