"""What holds for all tests: where trial's temporary files go, and how much hypothesis tries."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from twisted.trial.unittest import SynchronousTestCase

HERE = Path(__file__).parent

# A slow machine must not fail a test, so no deadline.
# For when a decoder changes: pytest --hypothesis-profile=thorough
settings.register_profile("default", max_examples=150, deadline=None)
settings.register_profile("thorough", max_examples=20_000, deadline=None)
settings.load_profile("default")


LONGEST = (
    "system/test_demo.py",
    "docs/test_readme.py",
    "docs/test_tutorial.py",
    "system/",
    "cli/test_example.py",
    "packaging/",
    "test_packaging.py",
    "docs/",
)
"""The tests that take longest, below this folder, first those that one waits for most."""


def pytest_xdist_auto_num_workers() -> int:
    """Half as many again as there are cores: tests of processes wait for them much of their time."""
    return max(2, len(os.sched_getaffinity(0)) * 3 // 2)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Side by side, the classes that take longest begin first, so that nobody waits for them in the end."""
    if not hasattr(config, "workerinput"):
        return

    def place(item: pytest.Item) -> int:
        name = str(item.path.relative_to(HERE))
        return next((i for i, start in enumerate(LONGEST) if name.startswith(start)), len(LONGEST))

    items.sort(key=place)


@pytest.fixture(autouse=True, scope="session")
def _temporaryFiles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """C{TestCase.mktemp} without trial's runner would leave its files in the working directory."""
    base = tmp_path_factory.mktemp("trial")

    def mktemp(self: SynchronousTestCase) -> str:
        return str(Path(tempfile.mkdtemp(dir=base)) / "temp")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SynchronousTestCase, "mktemp", mktemp)
        yield
