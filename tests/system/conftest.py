"""Hands what became of each kind of abuse from a worker to the process that prints it."""

from dataclasses import asdict

import pytest

from . import abuse


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Side by side, tests run in other processes than the one that reports."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["abuse"] = [asdict(row) for row in abuse.ROWS]
