"""What holds for all tests: where trial's temporary files go, and how much hypothesis tries."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from twisted.trial.unittest import SynchronousTestCase

# A slow machine must not fail a test, so no deadline.
# For when a decoder changes: pytest --hypothesis-profile=thorough
settings.register_profile("default", max_examples=150, deadline=None)
settings.register_profile("thorough", max_examples=20_000, deadline=None)
settings.load_profile("default")


@pytest.fixture(autouse=True, scope="session")
def _temporaryFiles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """C{TestCase.mktemp} without trial's runner would leave its files in the working directory."""
    base = tmp_path_factory.mktemp("trial")

    def mktemp(self: SynchronousTestCase) -> str:
        return str(Path(tempfile.mkdtemp(dir=base)) / "temp")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SynchronousTestCase, "mktemp", mktemp)
        yield
