"""
Regularities of a log, learned on train, each with a confidence measured on validation.

Both windows have the same number of tasks: train's is its end.  What was learned to be s and found on validation to
be t has the confidence C{min(s, t) / max(s, t)}: 1 if it holds exactly, 0 if the regularity is gone.

  - C{heavy_tail}: the index of the sizes' tail, by the largest tenth (B. M. Hill, A simple general approach to
    inference about the tail of a distribution, Annals of Statistics 3(5), 1975), where it is below 2: the variance is
    infinite, and favouring who has run little pays.  Data: C{alpha}.
  - C{burstiness}: of the number of arrivals in intervals in which sixteen are expected (see
    `kernelnet.workbench.trace_statistics`).  Data: C{dispersion}, C{interval_us}.
  - C{period}: the lag at which the number of arrivals in such intervals is most correlated with itself, where the
    correlation is 0.2 or more, and three times what chance makes of so many intervals (G. E. P. Box and G. M. Jenkins,
    Time Series Analysis, 1970).  Data: C{period_us}, C{correlation}.
  - C{repeated_size}: the share of the tasks whose size is within a factor of two of that of the last task of their key,
    where that is 5 % and more often than for two tasks that have nothing in common (D. Tsafrir, Y. Etsion and D. G.
    Feitelson, Backfilling using system-generated predictions rather than user runtime estimates, IEEE TPDS 18(6),
    2007). Data: C{share}, and C{past}, the share that has such a last task at all.
  - C{popularity}, C{transitions}, C{phase_changes} of keys: see `kernelnet.workbench.trace_statistics`.

Times are as recorded, before arrivals are scaled to a load.
"""

from __future__ import annotations

import math

import numpy as np

from kernelnet.artifacts import Pattern
from kernelnet.workbench import trace_statistics
from kernelnet.workbench.process_manager.trace import Trace
from kernelnet.workbench.trace_statistics import MIN_SHARE, Numbers, Regularity, agreement, patternsOf

__all__ = ["learnPatterns"]

MIN_CORRELATION = 0.2
_PER_INTERVAL = 16
_TAIL = 0.1
_INFINITE = 2.0
_MORE = 1.25
"""Ratio to what chance makes from which on it is more than chance."""

_LEAST = 16
"""Of tail sizes and of intervals: with fewer nothing is said."""


def learnPatterns(trace: Trace) -> list[Pattern]:
    """@return: those found, most confident first."""
    learn, check = trace.learnAndCheck()
    keys = trace.key[learn], trace.key[check]
    found = [
        *_repeated(trace, learn, check),
        *_heavyTail(trace, learn, check),
        *_arrivals(trace, learn, check),
        *trace_statistics.popularity(*keys),
        *trace_statistics.transitions(*keys),
        *trace_statistics.phaseChanges(*keys),
    ]
    return patternsOf("process_manager", trace, found, {"window": learn.stop - learn.start})


def _repeated(trace: Trace, learn: slice, check: slice) -> list[Regularity]:
    def alike(one: Numbers, other: Numbers) -> float:
        """The share of pairs within a factor of two."""
        ratio = one / other
        return float(np.count_nonzero((ratio >= 0.5) & (ratio <= 2))) / max(1, len(ratio))

    def shares(window: slice) -> tuple[float, float]:
        """Of all tasks those that have a last one, and of these those that are like it."""
        keys, sizes = trace.key[window], trace.run[window].astype(np.float64)
        order = np.argsort(keys, kind="stable")
        same = keys[order[1:]] == keys[order[:-1]]
        past = int(np.count_nonzero(same)) / max(1, len(keys))
        return past, alike(sizes[order[1:]][same], sizes[order[:-1]][same])

    (past, like), (pastLater, likeLater) = shares(learn), shares(check)
    sizes = trace.run[learn].astype(np.float64)
    chance = alike(sizes[: len(sizes) // 2], sizes[-(len(sizes) // 2) :])
    if past * like < MIN_SHARE or like <= _MORE * chance < _MORE:
        return []
    data = {"share": round(past * like, 6), "past": round(past, 6)}
    return [("repeated_size", data, agreement(past * like, pastLater * likeLater))]


def _hill(sizes: Numbers) -> float | None:
    ordered = np.sort(sizes.astype(np.float64))
    tail = int(len(ordered) * _TAIL)
    if tail < _LEAST:
        return None
    mean = float(np.log(ordered[-tail:] / ordered[-tail - 1]).mean())
    return 1 / mean if mean > 0 else None


def _heavyTail(trace: Trace, learn: slice, check: slice) -> list[Regularity]:
    learned, checked = _hill(trace.run[learn]), _hill(trace.run[check])
    if learned is None or checked is None or learned >= _INFINITE:
        return []
    return [("heavy_tail", {"alpha": round(learned, 6)}, agreement(learned, checked))]


def _arrivals(trace: Trace, learn: slice, check: slice) -> list[Regularity]:
    times = trace.arrival[learn].astype(np.int64)
    interval = int(times[-1] - times[0]) * _PER_INTERVAL // len(times) if len(times) else 0
    if not interval:
        return []

    def counts(window: slice) -> Numbers:
        arrivals = trace.arrival[window].astype(np.int64)
        number = (arrivals - arrivals[0]) // interval
        # A pause that is a million intervals long would take a number for each.
        number = number[number < 64 * len(number)]
        return np.bincount(number).astype(np.float64)

    learned, checked = counts(learn), counts(check)
    if min(len(learned), len(checked)) < _LEAST:
        return []
    found = [
        (kind, {**data, "interval_us": interval}, confidence)
        for kind, data, confidence in trace_statistics.burstiness(learned, checked)
    ]
    before = _correlation(learned)
    # What is nearer than the first lag that isn't correlated is the same burst.
    first = int(np.argmax(before[1:] < 0)) + 1 if (before[1:] < 0).any() else len(before)
    if first < len(before):
        lag = first + int(np.argmax(before[first:]))
        after = _correlation(checked)
        value = float(after[lag]) if lag < len(after) else 0.0
        if before[lag] >= max(MIN_CORRELATION, 3 / math.sqrt(len(learned))):
            data = {"period_us": lag * interval, "correlation": round(float(before[lag]), 6)}
            found.append(("period", data, agreement(float(before[lag]), value)))
    return found


def _correlation(counts: Numbers) -> Numbers:
    """With itself, at lags from 0 to half its length, by Fourier transforms."""
    deviation = counts - counts.mean()
    spectrum = np.fft.rfft(deviation, 2 * len(counts))
    product = np.fft.irfft(spectrum * spectrum.conj())[: len(counts) // 2]
    result: Numbers = product / product[0] if len(product) and product[0] > 0 else product
    return result
