"""Prints what became of each kind of abuse that was tried."""

import pytest

from . import abuse


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if abuse.ROWS:
        terminalreporter.section("abuse of the hub")
        for line in abuse.table():
            terminalreporter.write_line(line)
