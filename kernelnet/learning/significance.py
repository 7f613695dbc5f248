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
from kernelnet.learning.validation_scores import WINDOWS, Scores, ValidationScores

__all__ = [
    "CONFIDENCE",
    "LUCK",
    "WINDOWS",
    "gains",
    "isBeaten",
    "isBehind",
    "isFarBehind",
    "isSignificantlyBetter",
    "lowerBound",
    "studentQuantile",
]

CONFIDENCE = 0.9
"""Confidence that a candidate is better, on the one side."""


LUCK = 3.85
"""
Standard deviations by which the greatest of 10,000 numbers is expected above their mean, if they are distributed
normally: by G. Blom's approximation (Statistical estimates and transformed beta-variables, 1958) the quantile of
(10,000 - 3/8) / (10,000 + 1/4), 3.84.
"""

FAR_CONFIDENCE = 0.999
"""Confidence that a rival is far behind, on the one side."""

FAR = 3
"""
Multiple of what `LUCK` is by Student's distribution for so few variants, by which a rival has to be far behind.  `LUCK`
itself is no bar of four: by 7.7 standard errors of theirs one of 400 is better that is no better.
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


def lowerBound(values: Sequence[float], confidence: float = CONFIDENCE) -> float:
    """Lower end of the interval for the mean, with a confidence on its side; of one value that value."""
    if len(values) < 2:
        return values[0] if values else 0.0
    error = statistics.stdev(values) / math.sqrt(len(values))
    return statistics.fmean(values) - studentQuantile(confidence, len(values) - 1) * error


def gains(ours: Sequence[int], theirs: Sequence[int]) -> list[float]:
    """By window, how much less we score than they do, as a share of the higher score: from -1 to 1."""
    return [(b - a) / max(abs(a), abs(b), 1) for a, b in zip(ours, theirs, strict=True)]


def isSignificantlyBetter(scenario: IScenario, wasm: bytes, rival: bytes, windows: int = WINDOWS) -> bool:
    """
    Worker thread.  Whether a module is better than its rival on validation, and not by luck.

    @param scenario: as the module meets it; one without C{measureWindows} can't tell; there the sum decides.
    @raise ComponentError: a module fails.
    """
    scores = ValidationScores(scenario, windows)
    if not scores.hasWindows:
        return True
    ours, theirs = (scores.windows(module, scores.looks[-1]) for module in (wasm, rival))
    return isBeaten(ours, theirs)


def isBeaten(ours: Scores, theirs: Scores) -> bool:
    """Whether the gain over a rival is no luck, on all variants."""
    luck, error = _overVariants(ours, theirs)
    return lowerBound(_overTime(ours, theirs)) > 0 and luck > LUCK * error


def isFarBehind(ours: Scores, theirs: Scores) -> bool:
    """
    Whether a rival is beaten by so much on some of the variants that all of them could hardly say anything else.

    @param ours: of a look that `Look.hasSpread`.
    """
    least = min(map(len, ours))
    bound = FAR * studentQuantile(statistics.NormalDist().cdf(LUCK), least - 1)
    luck, error = _overVariants(ours, theirs)
    return lowerBound(_overTime(ours, theirs), FAR_CONFIDENCE) > 0 and luck > bound * error


def isBehind(ours: Scores, theirs: Scores) -> bool:
    """Whether we are worse than a rival on some of the variants, by more than the standard error."""
    gain, error = _overVariants(ours, theirs)
    return gain < -error


def _overTime(ours: Scores, theirs: Scores) -> list[float]:
    """Gain in each window of each part, of the sums over its variants."""
    sums = ([[sum(column) for column in zip(*part, strict=False)] for part in scores] for scores in (ours, theirs))
    return [gain for part in zip(*sums, strict=True) for gain in gains(*part)]


def _overVariants(ours: Scores, theirs: Scores) -> tuple[float, float]:
    """Sum over the parts of the mean gain on their variants, and its standard error."""
    gain = square = 0.0
    for part in zip(ours, theirs, strict=True):
        byVariant = gains(*([sum(windows) for windows in scores] for scores in part))
        gain += statistics.fmean(byVariant)
        square += statistics.variance(byVariant) / len(byVariant) if len(byVariant) > 1 else 0.0
    return gain, math.sqrt(square)
