"""Tests of missing parts are skipped with their reason and count, and a skip in CI is a failure."""

from __future__ import annotations

from pathlib import Path

import pytest

CONFTEST = Path(__file__).parent.parent / "conftest.py"

THREE_SKIPPED = """
    import pytest

    def test_that_runs():
        pass

    @pytest.mark.parametrize("number", [1, 2])
    def test_that_needs_java(number):
        pytest.skip("Java 17 is not installed")

    def test_that_needs_a_package():
        pytest.importorskip("a_package_nobody_has", reason="the extra `spark` is not installed")
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project that has the conftest of this one."""
    pytester.makeconftest(CONFTEST.read_text())
    return pytester


def test_skipped_tests_are_counted_by_reason(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """What did not run is named once for each reason, with its count, over all workers, and the run stays green."""
    monkeypatch.delenv("CI", raising=False)
    project.makepyfile(THREE_SKIPPED)
    result = project.runpytest_subprocess("-n", "2")
    result.stdout.fnmatch_lines(
        [
            "not run here: 2 tests — Java 17 is not installed",
            "not run here: 1 test — the extra `spark` is not installed",
            "*1 passed, 3 skipped*",
        ]
    )
    assert result.ret == pytest.ExitCode.OK


def test_a_skip_is_a_failure_in_ci(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """CI runs everything: one skipped test fails it."""
    monkeypatch.setenv("CI", "true")
    project.makepyfile(THREE_SKIPPED)
    result = project.runpytest_subprocess()
    result.stdout.fnmatch_lines(["In CI nothing may be skipped*"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_a_full_run_says_nothing(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing skipped, nothing said, and CI is green."""
    monkeypatch.setenv("CI", "true")
    project.makepyfile("def test_that_runs(): pass")
    result = project.runpytest_subprocess()
    result.stdout.no_fnmatch_line("*not run here*")
    assert result.ret == pytest.ExitCode.OK
