"""What holds in every test: what could not run here is named and counted, and in CI there is no such thing."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import settings

pytest.register_assert_rewrite("tests.laws.checks")  # what is against a law is told, though it is no test itself

# Timing never decides a test; in CI the same code gets the same examples, so that a change is to blame for its red.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "here")

os.environ.pop("COLUMNS", None)  # tables are as wide as without a terminal, whatever started the tests


def reasons_not_run(config: pytest.Config) -> Counter[str]:
    """How many tests (or whole test files) were skipped, by reason."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    reports = reporter.stats.get("skipped", []) if reporter else []
    return Counter(_reason(report) for report in reports)


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ").removeprefix("could not import ")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """Turn a green run red in CI when anything was skipped: `.ci/run` owes the part that was missing."""
    is_worker = hasattr(session.config, "workerinput")
    if not is_worker and os.environ.get("CI") == "true" and reasons_not_run(session.config) and not session.exitstatus:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    return (yield)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say at the end what this machine could not test, and why."""
    reasons = reasons_not_run(config)
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"not run here: {count} {'test' if count == 1 else 'tests'} — {reason}")
    if reasons and os.environ.get("CI") == "true":
        terminalreporter.write_line("In CI nothing may be skipped: let .ci/run install what they need.", red=True)
