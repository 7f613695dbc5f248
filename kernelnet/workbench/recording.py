"""Recorders of traces, as benches name them: for the command that records, without what recording itself needs."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

__all__ = ["Recorder"]


@dataclass(frozen=True)
class Recorder:
    """
    Something that records this machine for a while.

    @ivar option: of C{kernelnet record}, such as C{--sched}; unique among benches.
    @ivar help: what is recorded, as a sentence; C{writes}: what a trace has, and what is needed for it.
    @ivar trace: name of the file that it writes by default.
    @ivar counts: of what it has how many.
    @ivar module, function: called with seconds and the file; returns that number, raises
        `kernelnet.workbench.errors.WorkbenchError`.  It is imported when it is needed.
    """

    option: str
    help: str
    writes: str
    trace: str
    counts: str
    module: str
    function: str

    @property
    def parameter(self) -> str:
        """The option as the name of a parameter."""
        return self.option.lstrip("-").replace("-", "_")

    def record(self, seconds: float, out: Path) -> int:
        """Worker thread or a command's: blocks for so long."""
        function = getattr(importlib.import_module(self.module), self.function)
        return cast("Callable[[float, Path], int]", function)(seconds, out)
