"""What a source may send, and how often a key may be guessed: so often a second, and more after a rest."""

from __future__ import annotations

from tieback.collect.limits import Guesses, Limits


def test_a_source_may_burst_and_then_waits() -> None:
    """Ten seconds' worth at once; then it is told how long to wait, and after that it is let in."""
    now = [0.0]
    limits = Limits(10, lambda: now[0])
    assert limits.wait_seconds("web", 100) == 0
    assert limits.wait_seconds("web", 20) == 3
    assert limits.wait_seconds("shop", 100) == 0
    now[0] = 3.0
    assert limits.wait_seconds("web", 20) == 0
    assert limits.wait_seconds("web", 20) == 2


def test_what_no_bucket_holds_is_let_in_by_a_full_one() -> None:
    """A batch larger than any bucket waits for a full one, and owes the rest."""
    now = [0.0]
    limits = Limits(1, lambda: now[0])
    assert limits.wait_seconds("web", 25) == 0
    assert limits.wait_seconds("web", 1) > 15
    now[0] = 26.0
    assert limits.wait_seconds("web", 1) == 0


def test_without_a_limit_nobody_waits() -> None:
    """Which is so unless the settings say otherwise."""
    assert {Limits(0).wait_seconds("web", 10**9) for _ in range(3)} == {0}


def test_a_network_makes_up_for_what_it_missed() -> None:
    """Some guesses at once, then one a second; a rest makes room for as many as before, and for no more."""
    now = [50.0]
    guesses = Guesses(3, clock=lambda: now[0])

    def tried(times: int, address: str = "203.0.113.7") -> int:
        asked = 0
        for _ in range(times):
            if guesses.wait_seconds(address, "key") == 0:
                guesses.missed(address)
                asked += 1
        return asked

    assert tried(10) == 3
    assert guesses.wait_seconds("203.0.113.99", "key") == 1
    assert tried(10, "2001:db8:1:2::1") == 3
    assert guesses.wait_seconds("2001:db8:1:3::1", "key") == 1
    now[0] += 1.5
    assert tried(10) == 1
    now[0] += 1000
    assert tried(10) == 3


def test_networks_are_forgotten_before_they_are_too_many() -> None:
    """Those that missed longest ago first."""
    guesses = Guesses(1, clock=lambda: 50.0)
    guesses.missed("198.51.100.1")
    for number in range(10_000):
        guesses.missed(f"10.{number // 256}.{number % 256}.1")
    assert guesses.wait_seconds("198.51.100.1", "key") == 0
    assert guesses.wait_seconds("10.39.15.1", "key") == 1
