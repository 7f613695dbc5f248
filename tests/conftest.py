"""What holds for all tests: their order, where trial's temporary files go, and how much hypothesis tries."""

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from twisted.trial.unittest import SynchronousTestCase

HERE = Path(__file__).parent

# A slow machine must not fail a test, so no deadline.
# For when a decoder changes: pytest --hypothesis-profile=thorough
settings.register_profile("default", max_examples=150, deadline=None)
settings.register_profile("thorough", max_examples=20_000, deadline=None)
settings.load_profile("default")


FIRST = (
    "system/test_demo.py",
    "system/test_identity.py",
    "system/test_storage.py",
    "system/test_mistakes.py",
    "system/test_soak.py",
    "docs/test_tutorial.py",
    "docs/test_readme.py",
    "system/",
    "cli/test_example.py",
    "packaging/",
    "test_packaging.py",
)
"""
The tests that take longest, below this folder, in the order in which they begin when tests run side by side.

The demo takes a minute and all of the machine that it gets: beside it stands what waits for processes to start.
"""


def pytest_configure(config: pytest.Config) -> None:
    """A cache of its own for each run of the tests, which all of its processes share; the user's is left alone."""
    if not hasattr(config, "workerinput"):
        cache = tempfile.TemporaryDirectory(prefix="kernelnet-tests-cache-", ignore_cleanup_errors=True)
        os.environ["XDG_CACHE_HOME"] = cache.name
        config.add_cleanup(cache.cleanup)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Half as many again as there are cores: tests of processes wait for them much of their time."""
    return max(2, len(os.sched_getaffinity(0)) * 3 // 2)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    """Give SIGINT and SIGTERM back: trial runs Twisted's reactor for a test that waits, and that keeps them."""
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
        if signal.getsignal(number) != usual:
            signal.signal(number, usual)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that nobody waits for it in the end."""
    if not hasattr(config, "workerinput"):
        return

    def place(item: pytest.Item) -> int:
        name = str(item.path.relative_to(HERE))
        return next((i for i, start in enumerate(FIRST) if name.startswith(start)), len(FIRST))

    items.sort(key=place)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker's tests of abuse found."""
    rows = getattr(node, "workeroutput", {}).get("abuse")
    if rows:
        from tests.system import abuse

        abuse.ROWS += [abuse.Row(**row) for row in rows]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what became of each kind of abuse that was tried."""
    abuse = sys.modules.get("tests.system.abuse")
    if abuse is not None and abuse.ROWS:
        terminalreporter.section("abuse of the hub")
        for line in abuse.table():
            terminalreporter.write_line(line)


@pytest.fixture(autouse=True, scope="session")
def _temporaryFiles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """C{TestCase.mktemp} without trial's runner would leave its files in the working directory."""
    base = tmp_path_factory.mktemp("trial")

    def mktemp(self: SynchronousTestCase) -> str:
        return str(Path(tempfile.mkdtemp(dir=base)) / "temp")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SynchronousTestCase, "mktemp", mktemp)
        yield
