"""
Intervals of development levels: how far a level may be from what it would be on another stretch of the same load.

A split is cut into windows, one after the other, and each is measured for the policy and for the reference, in pairs.
The level of a sample of windows is the ratio of two sums: what the policy gains on the reference, and the distance from
the reference to the optimum.  The optimum is known of the whole split only, so each window is given the reference's
share of the distance.  Where scores are no sums but rates, as an area under a curve is, windows don't add up to the
split's score, and each counts alike.  What windows say differs a little from what the whole split says, since something
may run over a window's end; an interval has its place by the whole split, and its width by the windows.

Samples are drawn by the circular block bootstrap (Politis and Romano, A circular block-resampling procedure for
stationary data, 1992): blocks of neighbouring windows, since a hard window comes rarely alone, as long as the cube root
of the number of windows (Hall, Horowitz and Jing, On blocking rules for the bootstrap with dependent data, Biometrika
82, 1995).  The interval is that between percentiles, expanded for few blocks as Student's interval is (Hesterberg,
What teachers should know about the bootstrap, The American Statistician 69, 2015, 3.2).

Whoever repeats it gets the same: blocks are drawn by the trace's digest.  So they are the same ones for all policies
and cache sizes on a trace, and differences between two are paired.  The parts of a suite are drawn each for itself.
"""

from __future__ import annotations

import functools
import hashlib
import math
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from kernelnet.artifacts import Report
from kernelnet.interfaces import IScenario
from kernelnet.learning.significance import studentQuantile
from kernelnet.workbench.suite import Suite

__all__ = ["CONFIDENCE", "WINDOWS", "Interval", "Intervals", "Windows", "levelInterval", "levelText"]

WINDOWS = 32
"""Maximum number of windows of a split, for each part of a suite."""

CONFIDENCE = 0.95
"""Confidence of an interval, on both sides together."""

_SAMPLES = 1000

Interval = tuple[float, float]


@dataclass(frozen=True)
class Windows:
    """
    One policy on a split.

    @ivar level: on the whole split.
    @ivar parts: scores of its windows; of each part of a suite, else of the one scenario.
    """

    level: float
    parts: tuple[tuple[int, ...], ...]


class Intervals:
    """
    Intervals of levels on one split of a scenario; every method is for a worker thread.

    @ivar reference: the reference policy, whose level is 0.
    """

    def __init__(self, scenario: IScenario, split: str = "held_out") -> None:
        """
        @param scenario: as the modules meet it; see `IScenario.forModule`.
        @raise kernelnet.workbench.errors.ComponentError: the reference fails.
        """
        self._scenario, self._split = scenario, split
        self._parts: Sequence[IScenario] = scenario.parts if isinstance(scenario, Suite) else [scenario]
        self.reference = self.windows(
            scenario.workbench.baselineModule(scenario.workbench.reference), scenario.reference()
        )

    def windows(self, wasm: bytes, report: Report | None = None) -> Windows:
        """
        Measure a module on windows.

        @param report: what it has on the whole scenario, if that is known already.
        @raise kernelnet.workbench.errors.ComponentError: it fails.
        """
        if report is None:
            report = self._scenario.measure(wasm, upTo=self._split)
        # One that can't tell windows apart has one.
        scores = (
            [each.score for each in part.measureWindows(wasm, self._split, WINDOWS)]
            if hasattr(part, "measureWindows")
            else [part.measure(wasm, upTo=self._split).splits[self._split].score]
            for part in self._parts
        )
        return Windows(self._scenario.developmentLevel(report, self._split), tuple(map(tuple, scores)))

    def level(self, policy: Windows) -> Interval | None:
        """Interval of a policy's level; C{None} where there is one window only, or nothing to gain."""
        return self.difference(policy, self.reference)

    def difference(self, policy: Windows, other: Windows) -> Interval | None:
        """Interval of how much higher a policy's level is than another's, in pairs; C{None}: see `level`."""
        rows = zip(self._parts, self.reference.parts, policy.parts, other.parts, strict=True)
        means = [self._means(*row) for row in rows]
        if not all(means):
            return None
        samples = sorted(statistics.fmean(sample) for sample in zip(*means, strict=True))
        tail = _tail(min(len(scores) // _blockLength(len(scores)) for scores in self.reference.parts))
        # In the middle of the samples is what the windows say of the whole.
        aside = policy.level - other.level - statistics.fmean(samples)
        return _quantile(samples, tail) + aside, _quantile(samples, 1 - tail) + aside

    def _means(
        self, part: IScenario, reference: Sequence[int], ours: Sequence[int], theirs: Sequence[int]
    ) -> list[float]:
        """Difference of levels on one part in each sample; empty where there is none."""
        score = part.reference().splits[self._split].score
        distance = score - part.optimum()[self._split]
        if len(reference) < 2 or distance <= 0:
            return []
        gained = [b - a for a, b in zip(ours, theirs, strict=True)]
        total = sum(reference)
        if abs(total - score) <= abs(total / len(reference) - score):
            share = [each * distance / score for each in reference]
        else:
            share = [float(distance)] * len(reference)
        starts = _starts(part.traceDigest, self._split, len(reference))
        length = _blockLength(len(reference))
        gains, shares = _blockSums(gained, length), _blockSums(share, length)
        found = []
        for blocks in starts:
            below = sum(shares[at] for at in blocks)
            found.append(sum(gains[at] for at in blocks) / below if below else 0.0)
        return found


def levelInterval(scenario: IScenario, policy: bytes | Windows, split: str = "held_out") -> Interval | None:
    """
    Worker thread.  Interval of a policy's level on a split, with `CONFIDENCE`; for more than one see `Intervals`.

    @param scenario: as the module meets it; see `IScenario.forModule`.
    @param policy: a module, or what `Intervals.windows` has said of it.
    @return: C{None} where there is one window only, or nothing to gain.
    @raise kernelnet.workbench.errors.ComponentError: the module fails.
    """
    intervals = Intervals(scenario, split)
    return intervals.level(policy if isinstance(policy, Windows) else intervals.windows(policy))


def levelText(level: float, interval: Interval | None) -> str:
    """A level as C{0.417 ± 0.03}, with half the width of its interval; as C{0.417 ± –} where there is none."""
    if interval is None:
        return f"{level:.3f} ± –"
    half = (interval[1] - interval[0]) / 2
    return f"{level:.3f} ± {half:.2f}" if half >= 0.0095 else f"{level:.3f} ± {half:.3f}"


def _blockLength(windows: int) -> int:
    return max(1, round(math.cbrt(windows)))


def _blockSums(values: Sequence[float], length: int) -> list[float]:
    """The sum of the block that begins at each value; behind the last comes the first."""
    return [sum(values[(at + step) % len(values)] for step in range(length)) for at in range(len(values))]


@functools.lru_cache(maxsize=64)
def _starts(traceDigest: str, split: str, windows: int) -> list[list[int]]:
    """Where the blocks of each sample begin."""
    rng = random.Random(int.from_bytes(hashlib.sha256(f"{traceDigest} {split} {windows}".encode()).digest(), "big"))
    blocks = -(-windows // _blockLength(windows))
    # random() is the one method that gives the same numbers in every version of Python.
    return [[int(rng.random() * windows) for _ in range(blocks)] for _ in range(_SAMPLES)]


def _tail(blocks: int) -> float:
    """Share of the samples to leave out at each end, for so many blocks that don't overlap."""
    blocks = max(blocks, 2)
    wide = studentQuantile((1 + CONFIDENCE) / 2, blocks - 1) * math.sqrt(blocks / (blocks - 1))
    return statistics.NormalDist().cdf(-wide)


def _quantile(ordered: Sequence[float], share: float) -> float:
    """A quantile, interpolated between the two values beside it."""
    place = share * (len(ordered) - 1)
    at = min(int(place), len(ordered) - 2)
    return ordered[at] + (place - at) * (ordered[at + 1] - ordered[at])
