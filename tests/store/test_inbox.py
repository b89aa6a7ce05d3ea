"""The inbox, on SQLite and Postgres alike: each message once, each row loaded, none skipped."""

from __future__ import annotations

import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event

from tests.store.ledgers import CUT_OFF, NOON, connected, message, new_place
from tieback.store.ledger import Backlog, Incoming, Ledger, open_ledger

PUT_SHUFFLED = """
import random, sys
from datetime import datetime
from tieback.store.ledger import Incoming, open_ledger
rows = [Incoming("shop", f"m{number}", datetime(2026, 3, 1), b"{}") for number in range(1000)]
random.Random(sys.argv[2]).shuffle(rows)
ledger = open_ledger(sys.argv[1])
print(sum(sum(ledger.put(rows[start : start + 100])) for start in range(0, 1000, 100)))
"""
LOAD_AND_WAIT = """
import sys
from tieback.store.ledger import open_ledger
ledger = open_ledger(sys.argv[1])
print(len(ledger.waiting(10)), flush=True)
sys.stdin.read()
"""


def numbers(ledger: Ledger, most: int = 100) -> list[str]:
    """The ids of what waits."""
    return [row.message_id for row in ledger.waiting(most)]


def test_a_message_is_new_once(ledger: Ledger) -> None:
    """Also within one call; the same id from another source is another message. The first to come is kept."""
    again = Incoming("shop", "m1", NOON, b"later")
    assert ledger.put([message(1), again, message(2), message(1, "blog")]) == [True, False, True, True]
    assert ledger.put([again, message(3)]) == [False, True]
    assert ledger.put([]) == []
    assert sorted(row.payload for row in ledger.waiting(9)) == sorted(
        [b'{"number": 1}', b'{"number": 1}', b'{"number": 2}', b'{"number": 3}']
    )


def test_who_writes_in_between_takes_nobody_s_answer(tmp_path: Path) -> None:
    """In a file, which of some messages were new is asked once they are on disk, and another may have come by then."""
    url = new_place("sqlite", tmp_path)
    with closing(open_ledger(url)) as ledger, closing(open_ledger(url)) as other:
        ledger.put([message(1), message(2)])
        came: list[list[bool]] = []

        def between(connection: object, cursor: object, statement: str, *_: object) -> None:
            if statement.startswith("INSERT INTO inbox") and not came:
                came.append([])
                came.append(other.put([message(10), message(2), message(11)]))

        event.listen(Engine, "after_cursor_execute", between)
        try:
            assert ledger.put([message(2), message(3), message(1), message(4)]) == [False, True, False, True]
        finally:
            event.remove(Engine, "after_cursor_execute", between)
        assert came[1] == [True, False, True]
        assert sorted(numbers(ledger)) == ["m1", "m10", "m11", "m2", "m3", "m4"]


def test_a_message_without_an_id_is_none() -> None:
    """All such would be taken for one."""
    with pytest.raises(ValueError, match="without an id"):
        Incoming("shop", "", NOON, b"{}")


def test_any_message_comes_out_as_it_went_in(ledger: Ledger) -> None:
    """Whatever a client makes up for an id or a body, it is held, and spoils nothing for others."""
    texts = st.text(st.characters(), min_size=1) | st.sampled_from(["\0", "\ud800", "x" * 100_000, "é" * 3000, "' --"])
    when = st.datetimes()
    held = 0

    @settings(max_examples=30)
    @given(st.lists(st.builds(Incoming, st.just("shop"), texts, when, st.binary(), st.text(st.characters()))))
    def holds(rows: list[Incoming]) -> None:
        nonlocal held
        new = [row for row, is_new in zip(rows, ledger.put(rows), strict=True) if is_new]
        held += len(new)
        out = ledger.waiting(100_000)
        told = [Incoming(row.source, row.message_id, row.received_at, row.payload, row.reason) for row in out]
        assert {row.message_id: row for row in told} == {row.message_id: row for row in new}
        assert ledger.put(rows) == [False] * len(rows)
        ledger.settle(row.position for row in out)

    holds()
    assert held


def test_a_row_waits_until_it_is_settled(ledger: Ledger) -> None:
    """In order of position, the same again as long as it is not; settling twice, or nothing, changes nothing."""
    ledger.put([message(number) for number in range(5)])
    rows = ledger.waiting(2)
    assert ledger.waiting(2) == rows
    assert ledger.backlog() == Backlog(5, NOON)
    ledger.settle(row.position for row in rows)
    ledger.settle([rows[0].position, 10**12])
    ledger.settle([])
    rest = ledger.waiting(100)
    assert len({row.message_id for row in (*rows, *rest)}) == 5
    assert [row.position for row in rest] == sorted(row.position for row in rest)
    ledger.settle(row.position for row in rest)
    assert (ledger.waiting(9), ledger.backlog()) == ([], Backlog(0, None))


def test_many_are_settled_and_pruned_at_once(ledger: Ledger) -> None:
    """Beyond what a statement takes as parameters, and what a transaction removes."""
    ledger.put([message(number) for number in range(6_001)])
    ledger.settle(row.position for row in ledger.waiting(10_000))
    assert ledger.backlog().rows == 0
    assert ledger.prune(NOON + timedelta(seconds=1)) == 6_001


def test_only_old_loaded_rows_are_pruned(ledger: Ledger) -> None:
    """What still waits stays, however old, and so does what came at the very instant."""
    days = [NOON + timedelta(days=number) for number in range(3)]
    ledger.put([message(number, at=day) for number, day in enumerate(days)])
    kept = [row.position for row in ledger.waiting(9) if row.message_id != "m0"]
    ledger.settle(kept)
    assert ledger.prune(days[2]) == 1
    assert ledger.put([message(number) for number in range(3)]) == [False, True, False]


def test_the_position_of_a_pruned_row_is_never_given_again(ledger: Ledger) -> None:
    """A loader that settles late would settle another row, which then nobody loads."""
    ledger.put([message(1)])
    late = [row.position for row in ledger.waiting(1)]
    ledger.settle(late)
    ledger.prune(NOON + timedelta(days=1))
    ledger.put([message(2)])
    ledger.settle(late)
    assert numbers(ledger) == ["m2"]


def test_a_row_that_is_committed_late_is_not_skipped() -> None:
    """Of two collectors, one may commit a smaller position after a larger was loaded."""
    url = new_place("postgres", Path())
    with closing(open_ledger(url)) as ledger, connected(url) as late:
        late.execute(
            "INSERT INTO inbox (digest, source, message_id, received_at, payload, reason) "
            "VALUES ('d', 'shop', 'late', now(), '', '')"
        )
        ledger.put([message(1)])
        loaded = ledger.waiting(9)
        ledger.settle(row.position for row in loaded)
        late.commit()
        (found,) = ledger.waiting(9)
        assert found.message_id == "late"
        assert found.position < loaded[0].position


def test_two_processes_that_put_the_same_have_it_once(url: str) -> None:
    """Each message is new to exactly one of them, and neither waits for the other crosswise."""
    with closing(open_ledger(url)) as ledger:
        started = [
            subprocess.Popen([sys.executable, "-c", PUT_SHUFFLED, url, str(seed)], stdout=subprocess.PIPE, text=True)
            for seed in range(2)
        ]
        assert sum(int(each.communicate()[0]) for each in started) == 1000
        assert ledger.backlog().rows == 1000


def test_many_threads_that_put_the_same_have_it_once(ledger: Ledger) -> None:
    """Whatever their order."""

    def put_all(seed: int) -> int:
        rows = [message(number) for number in range(200)]
        random.Random(seed).shuffle(rows)
        return sum(sum(ledger.put(rows[start : start + 20])) for start in range(0, 200, 20))

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(put_all, range(4))) == 200
    assert ledger.backlog().rows == 200


def test_one_loader_has_the_turn(url: str) -> None:
    """To another nothing waits, until the first is closed; what it left is then handed out."""
    with closing(open_ledger(url)) as second:
        with closing(open_ledger(url)) as first:
            first.put([message(1), message(2)])
            assert len(first.waiting(1)) == 1
            assert second.waiting(9) == []
            assert len(first.waiting(9)) == 2
            assert second.backlog().rows == 2
        assert sorted(numbers(second)) == ["m1", "m2"]


def test_the_turn_ends_with_its_process(url: str) -> None:
    """A loader that is killed leaves everything to the next."""
    with closing(open_ledger(url)) as ledger:
        ledger.put([message(1)])
        loader = subprocess.Popen(
            [sys.executable, "-c", LOAD_AND_WAIT, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert loader.stdout is not None
        assert loader.stdout.readline() == "1\n"
        assert ledger.waiting(9) == []
        loader.kill()
        loader.communicate()
        while not (rows := ledger.waiting(9)):  # a server takes a moment to see that a client is gone
            pass
        assert [row.message_id for row in rows] == ["m1"]


def test_a_loader_cut_off_from_its_server_goes_on() -> None:
    """Its connections are gone, and the turn with them: it takes both anew."""
    url = new_place("postgres", Path())
    with closing(open_ledger(url)) as ledger, connected(url) as other:
        ledger.put([message(1)])
        assert numbers(ledger) == ["m1"]
        other.execute(CUT_OFF)
        other.commit()
        assert numbers(ledger) == ["m1"]


def test_what_waits_is_found_without_what_is_loaded(tmp_path: Path) -> None:
    """A month of loaded rows costs a loader nothing, nor what waits whoever prunes."""
    url = new_place("sqlite", tmp_path)
    open_ledger(url).close()
    waits = "WHERE is_loaded = 0 ORDER BY position LIMIT 1"
    old = "WHERE is_loaded = 1 AND received_at < '2026' ORDER BY received_at LIMIT 1"
    with connected(url) as connection:
        plans = [
            connection.execute(f"EXPLAIN QUERY PLAN SELECT * FROM inbox {each}").fetchall() for each in (waits, old)
        ]
    assert ["inbox_waiting" in str(plans[0]), "inbox_loaded" in str(plans[1])] == [True, True]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.lists(st.tuples(st.integers(0, 15), st.integers(0, 5)), max_size=6)),
        st.tuples(st.just("load"), st.integers(1, 5)),
        st.tuples(st.just("look"), st.integers(1, 5)),
        st.tuples(st.just("prune"), st.integers(0, 6)),
    ),
    max_size=15,
)


def test_the_inbox_does_what_its_model_does(url: str, ledger: Ledger) -> None:
    """Whatever is put, loaded and pruned in any order: a dictionary of messages, and a set of what is loaded."""

    @settings(max_examples=25)
    @given(STEPS)
    def holds(steps: list[tuple[str, object]]) -> None:
        with connected(url) as connection:
            connection.execute("DELETE FROM inbox")
            connection.commit()
        held: dict[str, int] = {}
        loaded: set[str] = set()
        for step, given_ in steps:
            if isinstance(given_, list):
                rows = [message(number, at=NOON + timedelta(days=day)) for number, day in given_]
                expected = []
                for number, day in given_:
                    expected.append(f"m{number}" not in held)
                    held.setdefault(f"m{number}", day)
                assert ledger.put(rows) == expected
            elif step == "prune":
                assert isinstance(given_, int)
                gone = {name for name in loaded if held[name] < given_}
                assert ledger.prune(NOON + timedelta(days=given_)) == len(gone)
                loaded -= gone
                held = {name: day for name, day in held.items() if name not in gone}
            else:
                assert isinstance(given_, int)
                found = ledger.waiting(given_)
                names = {row.message_id for row in found}
                assert names <= held.keys() - loaded
                assert len(found) == len(names) == min(given_, len(held) - len(loaded))
                if step == "load":
                    ledger.settle(row.position for row in found)
                    loaded |= names
            waits = [NOON + timedelta(days=day) for name, day in held.items() if name not in loaded]
            assert ledger.backlog() == Backlog(len(waits), min(waits, default=None))

    holds()
