"""One data set: what detectors, baselines and the perfect ranking score on it."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from typing import Any

from kernelnet.message import Report, SplitScore
from kernelnet.workbench.base import SPLITS, BaseScenario

__all__ = ["SecurityScenario"]


class SecurityScenario(BaseScenario):
    """See `IScenario`; the optimum ranks every attack above every normal sequence, which scores 0."""

    def computeOptimum(self) -> dict[str, int]:
        return dict.fromkeys(SPLITS, 0)

    def measureWindows(self, wasm: bytes, split: str, count: int, parameters: Sequence[float] = ()) -> list[SplitScore]:
        """See `BaseScenario.measureWindows`: each has normal sequences and attacks, and mostly other kinds of them."""
        trace = self.machine.trace
        normals, attacks = trace.normals[split], self.events[split] - trace.normals[split]
        return super().measureWindows(wasm, split, max(1, min(count, normals // 2, attacks // 2)), parameters)

    def hardlyDifferent(self, wasm: bytes) -> Any:
        return self.machine.trace.cropped(hashlib.sha256(wasm).digest())

    def steady(self, wasm: bytes, report: Report) -> bool:
        """
        See `IScenario.steady`: how much worse it may become without the ends of what is tested.

        A detector that knows attacks by their length, their shape or how they begin finds none of them then, and has
        a score of about 750000.
        """
        with contextlib.closing(type(self.machine)(self.hardlyDifferent(wasm))) as machine:
            splits = machine.run(wasm, self.settings)
        return all(
            splits[split].score
            <= 75_000 + 1.25 * measured.score + 400_000 / splits[split].metrics["attack_sequences"] ** 0.5
            for split, measured in report.splits.items()
        )
