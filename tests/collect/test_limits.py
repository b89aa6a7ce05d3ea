"""What a source may send: so many events a second, and more after a rest."""

from __future__ import annotations

from tieback.collect.limits import Limits


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
