"""
Regularities that traces of several benches may have, and how they become patterns.

Each is learned on the end of train and looked for on validation; both windows have the same length.  What was learned
to be a and found on validation to be b has the confidence C{min(a, b) / max(a, b)}: 1 if it holds exactly, 0 if the
regularity is gone.

Events here are symbols, whole numbers from 0: blocks, kinds of tasks, system calls.

  - C{popularity}: a few symbols are most of all events: the r-th most frequent comes in proportion to 1 / r^exponent
    (G. K. Zipf, Human Behavior and the Principle of Least Effort, 1949; of requests L. Breslau et al., Web caching and
    Zipf-like distributions, INFOCOM 1999).  The exponent is that of greatest likelihood, among symbols that are seen
    eight times and more (A. Clauset, C. R. Shalizi and M. E. J. Newman, Power-law distributions in empirical data, SIAM
    Review 51(4), 2009).  Ranks are those of another part of the trace than counts: ranks of the same counts fall by
    chance too.
  - C{transitions}: what comes next is what came after the last event when that was seen before (D. Joseph and D.
    Grunwald, Prefetching using Markov predictors, ISCA 1997; the predictor that remembers one successor).
  - C{phase_changes}: which symbols are frequent changes at once, and is the same between (P. J. Denning and K. C. Kahn,
    A study of program locality and lifetime functions, SOSP 1975).  In 32 intervals that are as long, a change is where
    Morisita's overlap of two neighbours is below a half (M. Morisita, Measuring of interspecific association and
    similarity between communities, 1959; it is 1 for two samples of the same distribution, however small they are).
  - C{burstiness}: the index of dispersion of counts: 1 if events come independently, more if they come in bursts
    (D. R. Cox and P. A. W. Lewis, The Statistical Analysis of Series of Events, 1966).
  - C{periodicity}: the lag at which a series correlates most with itself, where that is a peak (G. E. P. Box and G. M.
    Jenkins, Time Series Analysis, 1970).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from kernelnet.artifacts import Pattern

__all__ = [
    "Numbers",
    "Regularity",
    "agreement",
    "burstiness",
    "patternsOf",
    "periodicity",
    "phaseChanges",
    "popularity",
    "transitions",
]

MIN_SHARE = 0.05
MIN_EXPONENT = 0.2
INTERVALS = 32
"""In which phases are looked for, and bursts of single symbols."""

_SEEN = 8
_SYMBOLS = 16
"""Minimum number of symbols that are seen often enough for a popularity."""

MIN_CORRELATION = 0.1

_HALF = 0.5
_STEEPEST = 4.0
_SIGMAS = 4.0

Numbers = npt.NDArray[Any]
Regularity = tuple[str, dict[str, Any], float]
"""Kind, data and confidence."""


def agreement(learned: float, checked: float) -> float:
    """The confidence in a number; what is negative counts as nothing."""
    learned, checked = max(0.0, learned), max(0.0, checked)
    greater = max(learned, checked)
    return min(learned, checked) / greater if greater > 0 else 1.0


def patternsOf(bench: str, trace: Any, found: Iterable[Regularity], common: Mapping[str, Any]) -> list[Pattern]:
    """
    Make patterns of what was found.

    @param trace: has a C{name} and a C{digest}; both go into the data, by which others know what it is about.
    @param common: goes into the data of each.
    @return: most confident first.  Of several of a kind C{distance} or C{feature} goes into the id.
    """
    patterns = [
        Pattern(
            id="-".join(
                [bench, kind, trace.digest[:12], *(str(data[k]) for k in ("distance", "feature") if k in data)]
            ),
            type=kind,
            confidence=round(confidence, 6),
            data={**data, **common, "trace": trace.name, "trace_digest": trace.digest},
            specialization=bench,
        )
        for kind, data, confidence in found
    ]
    return sorted(patterns, key=lambda pattern: (-pattern.confidence, pattern.id))


def periodicity(learn: Numbers, check: Numbers, maxLag: int, unit: int) -> tuple[dict[str, Any], float] | None:
    """
    Data C{period_ms}, C{correlation}, and the confidence; C{None}: there is no peak of `MIN_CORRELATION` at least.

    @param learn: values at even intervals, twice as many as C{maxLag} at least; C{check}: as well.
    @param maxLag: the longest lag that is looked at, in intervals.
    @param unit: milliseconds of an interval.
    """
    learned, checked = _correlations(learn, maxLag), _correlations(check, maxLag)
    middle = learned[2:-1]
    peaks = (middle >= learned[1:-2]) & (middle > learned[3:]) & (middle >= MIN_CORRELATION)
    if not peaks.any():
        return None
    lag = 2 + int(np.argmax(np.where(peaks, middle, -1.0)))
    data = {"period_ms": lag * unit, "correlation": round(float(learned[lag]), 6)}
    return data, agreement(float(learned[lag]), float(checked[lag]))


def _correlations(series: Numbers, maxLag: int) -> Numbers:
    """Autocorrelation by lag."""
    # What is slower than the longest lag is no period of it.
    slow = np.convolve(series, np.ones(maxLag) / maxLag, mode="valid")
    series = series[maxLag // 2 :][: len(slow)] - slow
    power = np.abs(np.fft.rfft(series, 2 * len(series))) ** 2
    whole = np.fft.irfft(power)[: maxLag + 1]
    return whole / whole[0] if whole[0] > 0 else np.zeros(len(whole))


def popularity(learn: Numbers, check: Numbers) -> list[Regularity]:
    """C{popularity}; data: C{exponent}."""
    half = len(learn) // 2
    learned = _exponent(learn[:half], learn[half:])
    if learned is None or learned < MIN_EXPONENT:
        return []
    return [("popularity", {"exponent": round(learned, 6)}, agreement(learned, _exponent(learn, check) or 0.0))]


def _exponent(ranked: Numbers, counted: Numbers) -> float | None:
    """
    The exponent that is most likely, by bisection; C{None} where too few symbols are seen often enough.

    @param ranked: gives the ranks; C{counted}: the counts.
    """
    seen = np.bincount(ranked)
    symbols = np.argsort(-seen, kind="stable")[: int(np.count_nonzero(seen >= _SEEN))]
    if len(symbols) < _SYMBOLS:
        return None
    counts = np.bincount(counted, minlength=len(seen))[symbols].astype(np.float64)
    if counts.sum() < _SEEN * _SYMBOLS:
        return None
    logs = np.log(np.arange(1, len(symbols) + 1))
    mean = float(counts @ logs / counts.sum())
    low, high = 0.0, _STEEPEST
    for _ in range(40):
        middle = (low + high) / 2
        weights = np.exp(-middle * logs)
        # The steeper, the less is the mean of the ranks' logarithms.
        low, high = (middle, high) if float(weights @ logs / weights.sum()) > mean else (low, middle)
    return low


def transitions(learn: Numbers, check: Numbers) -> list[Regularity]:
    """
    C{transitions}, where they are foreseen more often than by chance; data: C{share} of the events that are, and
    C{chance}: what it would be if they came independently.
    """

    def foreseen(symbols: Numbers) -> float:
        if len(symbols) < 3:
            return 0.0
        order = np.argsort(symbols[:-1], kind="stable")
        again = symbols[order[1:]] == symbols[order[:-1]]
        # Of two neighbours in this order the second is the next time that the same symbol came.
        hits = again & (symbols[order[1:] + 1] == symbols[order[:-1] + 1])
        return int(np.count_nonzero(hits)) / len(symbols)

    share = foreseen(learn)
    chance = float(((np.bincount(learn) / max(1, len(learn))) ** 2).sum())
    if share < 2 * chance + MIN_SHARE:
        return []
    return [("transitions", {"share": round(share, 6), "chance": round(chance, 6)}, agreement(share, foreseen(check)))]


def phaseChanges(learn: Numbers, check: Numbers) -> list[Regularity]:
    """C{phase_changes}; data: C{changes} in the window, and C{length} of a phase in events."""
    learned, checked = _changes(learn), _changes(check)
    if not learned:
        return []
    data = {"changes": learned, "length": len(learn) // (learned + 1)}
    return [("phase_changes", data, agreement(learned, checked or 0))]


def _changes(symbols: Numbers) -> int | None:
    """Number of times that what is frequent changes; C{None} where that is never the same for long."""
    overlaps = []
    size = len(symbols) // INTERVALS
    if size < _SEEN:
        return None
    dense = np.unique(symbols, return_inverse=True)[1]
    before: Numbers | None = None
    for at in range(INTERVALS):
        counts = np.bincount(dense[at * size : (at + 1) * size], minlength=int(dense.max()) + 1).astype(np.float64)
        if before is not None:
            # The chance that two events of a sample are the same symbol.
            same = sum(float(each @ np.maximum(each - 1, 0)) / (size * (size - 1)) for each in (before, counts))
            if same > 0:
                overlaps.append(2 * float(before @ counts) / (same * size * size))
        before = counts
    if len(overlaps) < INTERVALS // 2 or float(np.median(overlaps)) < _HALF:
        return None
    changes = sum(1 for overlap in overlaps if overlap < _HALF)
    return changes if changes <= len(overlaps) // 4 else None


def burstiness(learn: Numbers, check: Numbers) -> list[Regularity]:
    """
    C{burstiness}, where it is more than chance makes of so many counts; data: C{dispersion}.

    @param learn: numbers of events in intervals, in time; or a row of them for each of several symbols.
    """

    def dispersion(counts: Numbers) -> float:
        means = counts.mean(axis=-1)
        return float((counts.var(axis=-1) / np.maximum(means, 1e-9)).mean())

    learned = dispersion(learn)
    # The deviation of an index of so many counts that are Poisson's.
    if learned <= 1 + _SIGMAS * math.sqrt(2 / (learn.shape[-1] - 1)):
        return []
    return [("burstiness", {"dispersion": round(learned, 6)}, agreement(learned, dispersion(check)))]
