"""A state directory to itself."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.identity import StateDirectory


def aState(case: SynchronousTestCase, name: str = "state") -> StateDirectory:
    folder = Path(tempfile.mkdtemp(prefix="kn"))  # short: a socket's path is limited
    case.addCleanup(shutil.rmtree, folder)
    state = StateDirectory(folder / name)
    state.open()
    return state
