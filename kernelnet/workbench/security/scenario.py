"""One data set: what detectors, baselines and the perfect ranking score on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from kernelnet.artifacts import Pattern, SplitScore
from kernelnet.workbench.base import BaseScenario
from kernelnet.workbench.security.machine import SecurityMachine
from kernelnet.workbench.security.patterns import learnPatterns
from kernelnet.workbench.security.statistics import trainColumns, trainStatistics
from kernelnet.workbench.splits import SPLITS

__all__ = ["SecurityScenario"]


_NOTHING = 750_000
"""The score of a ranking that says nothing."""


class SecurityScenario(BaseScenario):
    """See `IScenario`; the optimum ranks every attack above every normal sequence, which scores 0."""

    machine: SecurityMachine

    def computeOptimum(self) -> dict[str, int]:
        return dict.fromkeys(SPLITS, 0)

    def learnPatterns(self) -> list[Pattern]:
        return learnPatterns(self.machine.trace, self.machine.features())

    def trainStatistics(self) -> dict[str, Any]:
        return trainStatistics(self.machine.trace)

    def trainColumns(self) -> Mapping[str, Any]:
        return trainColumns(self.machine.trace)

    def measureWindows(self, wasm: bytes, split: str, count: int, parameters: Sequence[float] = ()) -> list[SplitScore]:
        """
        See `BaseScenario.measureWindows`: each has normal sequences and attacks, and mostly other kinds of them.

        A third of what a ranking that says nothing scores is added to each: a search goes by the ratio of one score to
        another, and on a window whose attacks are all found that has no bounds.
        """
        trace = self.machine.trace
        normals, attacks = trace.normals[split], self.events[split] - trace.normals[split]
        windows = super().measureWindows(wasm, split, max(1, min(count, normals // 2, attacks // 2)), parameters)
        return [replace(window, score=window.score + _NOTHING // 3) for window in windows]
