"""
Whether a candidate is better than its rival, or was lucky.

Validation is short, and on traces that drift one part of it may favour anybody.  So both are compared on several
windows of it, in pairs: a window that is hard is hard for both.  A candidate's gain in a window is a share of the
higher of the two scores.  It is better if the mean gain of all windows is above zero with confidence: if the lower end
of Student's interval is (Student, The probable error of a mean, Biometrika 6, 1908).  What gains g in one of n windows
only has a mean of g/n with a standard error of g/n as well, and never passes; nor does what gains here and loses there.

And a module's digest draws the variants that it is measured on: who tries many modules that do the same keeps the
luckiest.  So the gain must also be greater than the luck of the luckiest of 10,000: than `LUCK` standard errors of the
mean over the variants.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from kernelnet.interfaces import IScenario
from kernelnet.workbench.suite import Suite
from kernelnet.workbench.variants import VariantScenario

__all__ = ["CONFIDENCE", "LUCK", "WINDOWS", "gains", "isSignificantlyBetter", "lowerBound", "studentQuantile"]

WINDOWS = 8
"""Of validation, for each part of a suite."""

CONFIDENCE = 0.9
"""Confidence that a candidate is better, on the one side."""


LUCK = 3.85
"""
Standard deviations by which the greatest of 10,000 numbers is expected above their mean, if they are distributed
normally: by G. Blom's approximation (Statistical estimates and transformed beta-variables, 1958) the quantile of
(10,000 - 3/8) / (10,000 + 1/4), 3.84.
"""


def studentQuantile(confidence: float, freedom: int) -> float:
    """
    Student's quantile: 1.415 for a confidence of 0.9 and 7 degrees of freedom.

    Cornish and Fisher's expansion (Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.5).
    """
    x = statistics.NormalDist().inv_cdf(confidence)
    first = (x**3 + x) / 4
    second = (5 * x**5 + 16 * x**3 + 3 * x) / 96
    third = (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384
    return x + first / freedom + second / freedom**2 + third / freedom**3


def lowerBound(values: Sequence[float]) -> float:
    """Lower end of the interval for the mean, with `CONFIDENCE` on its side; of one value that value."""
    if len(values) < 2:
        return values[0] if values else 0.0
    error = statistics.stdev(values) / math.sqrt(len(values))
    return statistics.fmean(values) - studentQuantile(CONFIDENCE, len(values) - 1) * error


def gains(ours: Sequence[int], theirs: Sequence[int]) -> list[float]:
    """By window, how much less we score than they do, as a share of the higher score: from -1 to 1."""
    return [(b - a) / max(abs(a), abs(b), 1) for a, b in zip(ours, theirs, strict=True)]


def isSignificantlyBetter(
    scenario: IScenario,
    wasm: bytes,
    rival: bytes,
    windows: int = WINDOWS,
    measured: dict[int, list[list[int]]] | None = None,
) -> bool:
    """
    Worker thread.  Whether a module is better than its rival on validation, and not by luck.

    @param scenario: an `IScenario`; one without C{measureWindows} can't tell; there the sum decides.
    @param measured: by part, scores of the module, which are kept there for its next rival.
    @raise ComponentError: a module fails.
    """
    if not hasattr(scenario, "measureWindows"):
        return True
    overTime: list[float] = []
    means: list[float] = []
    errors: list[float] = []
    measured = {} if measured is None else measured
    for at, part in enumerate(scenario.parts if isinstance(scenario, Suite) else [scenario]):
        variants = part.variants if isinstance(part, VariantScenario) else [part]
        if at not in measured:
            measured[at] = _scores(variants, wasm, windows)
        ours, theirs = measured[at], _scores(variants, rival, windows)
        overTime += gains(_sums(ours), _sums(theirs))
        byVariant = gains([sum(scores) for scores in ours], [sum(scores) for scores in theirs])
        means.append(statistics.fmean(byVariant))
        errors.append(statistics.variance(byVariant) / len(byVariant) if len(byVariant) > 1 else 0.0)
    return lowerBound(overTime) > 0 and sum(means) > LUCK * math.sqrt(sum(errors))


def _scores(variants: Sequence[IScenario], module: bytes, windows: int) -> list[list[int]]:
    """By variant and window of validation."""
    return [[window.score for window in variant.measureWindows(module, "validation", windows)] for variant in variants]


def _sums(scores: Sequence[Sequence[int]]) -> list[int]:
    """By window, the sum over the variants."""
    return [sum(column) for column in zip(*scores, strict=False)]
