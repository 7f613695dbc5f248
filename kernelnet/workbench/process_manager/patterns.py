"""
Regularities of a log, learned on train, each with a confidence measured on validation.

Both windows have the same number of tasks: train's is its end.  What was learned to be s and found on validation to
be t has the confidence C{min(s, t) / max(s, t)}: 1 if it holds exactly, 0 if the regularity is gone.

- C{heavy_tail}: the index of the sizes' tail, by the largest tenth (B. M. Hill, A simple general approach to inference
  about the tail of a distribution, Annals of Statistics 3(5), 1975).  Below 2 the variance is infinite, and favouring
  who has run little pays.  Data: C{alpha}.
- C{burstiness}: the index of dispersion of the number of arrivals in intervals in which sixteen are expected: 1 if
  they come independently, more if they come in bursts (D. R. Cox and P. A. W. Lewis, The Statistical Analysis of
  Series of Events, 1966).  Data: C{dispersion}, C{interval_us}.
- C{period}: the lag at which the number of arrivals in such intervals is most correlated with itself, where the
  correlation is 0.2 or more, and three times what chance makes of so many intervals.  Data: C{period_us},
  C{correlation}.
- C{repeated_size}: the share of the tasks whose size is within a factor of two of that of the last task of their key.
  Data: C{share}, and C{past}, the share that has such a last task at all.

Times are as recorded, before arrivals are scaled to a load.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from kernelnet.message import Pattern
from kernelnet.workbench.process_manager.trace import Trace

__all__ = ["learnPatterns"]

MIN_CORRELATION = 0.2
_PER_INTERVAL = 16
_TAIL = 0.1
_LEAST = 16
"""Of tail sizes and of intervals: with fewer nothing is said."""

Numbers = npt.NDArray[Any]
Found = tuple[str, dict[str, Any], float]


def learnPatterns(trace: Trace) -> list[Pattern]:
    """@return: those found, most confident first; none at all is possible but for C{repeated_size}."""
    trainEnd, validationEnd = trace.ends["train"], trace.ends["validation"]
    window = min(trainEnd, validationEnd - trainEnd)
    learn, check = slice(trainEnd - window, trainEnd), slice(trainEnd, trainEnd + window)
    found = [_repeated(trace, learn, check), *_heavyTail(trace, learn, check), *_arrivals(trace, learn, check)]
    patterns = [
        Pattern(
            id=f"process_manager-{kind}-{trace.digest[:12]}",
            type=kind,
            confidence=round(confidence, 6),
            data={**data, "window": window, "trace": trace.name},
            specialization="process_manager",
        )
        for kind, data, confidence in found
    ]
    return sorted(patterns, key=lambda pattern: (-pattern.confidence, pattern.id))


def _confidence(learned: float, checked: float) -> float:
    """Negative correlations count as none."""
    learned, checked = max(0.0, learned), max(0.0, checked)
    greater = max(learned, checked)
    return min(learned, checked) / greater if greater > 0 else 1.0


def _repeated(trace: Trace, learn: slice, check: slice) -> Found:
    def shares(window: slice) -> tuple[float, float]:
        keys, sizes = trace.key[window], trace.run[window].astype(np.float64)
        order = np.argsort(keys, kind="stable")
        same = keys[order[1:]] == keys[order[:-1]]
        ratio = (sizes[order[1:]] / sizes[order[:-1]])[same]
        near = np.count_nonzero((ratio >= 0.5) & (ratio <= 2))
        return int(near) / max(1, len(keys)), int(np.count_nonzero(same)) / max(1, len(keys))

    (share, past), (checked, _) = shares(learn), shares(check)
    return "repeated_size", {"share": round(share, 6), "past": round(past, 6)}, _confidence(share, checked)


def _hill(sizes: Numbers) -> float | None:
    ordered = np.sort(sizes.astype(np.float64))
    tail = int(len(ordered) * _TAIL)
    if tail < _LEAST:
        return None
    mean = float(np.log(ordered[-tail:] / ordered[-tail - 1]).mean())
    return 1 / mean if mean > 0 else None


def _heavyTail(trace: Trace, learn: slice, check: slice) -> list[Found]:
    learned, checked = _hill(trace.run[learn]), _hill(trace.run[check])
    if learned is None or checked is None:
        return []
    return [("heavy_tail", {"alpha": round(learned, 6)}, _confidence(learned, checked))]


def _arrivals(trace: Trace, learn: slice, check: slice) -> list[Found]:
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
    dispersion, later = (float(c.var() / c.mean()) for c in (learned, checked))
    data = {"dispersion": round(dispersion, 6), "interval_us": interval}
    found: list[Found] = [("burstiness", data, _confidence(dispersion, later))]
    before = _correlation(learned)
    # What is nearer than the first lag that isn't correlated is the same burst.
    first = int(np.argmax(before[1:] < 0)) + 1 if (before[1:] < 0).any() else len(before)
    if first < len(before):
        lag = first + int(np.argmax(before[first:]))
        after = _correlation(checked)
        value = float(after[lag]) if lag < len(after) else 0.0
        if before[lag] >= max(MIN_CORRELATION, 3 / math.sqrt(len(learned))):
            data = {"period_us": lag * interval, "correlation": round(float(before[lag]), 6)}
            found.append(("period", data, _confidence(float(before[lag]), value)))
    return found


def _correlation(counts: Numbers) -> Numbers:
    """With itself, at lags from 0 to half its length, by Fourier transforms."""
    deviation = counts - counts.mean()
    spectrum = np.fft.rfft(deviation, 2 * len(counts))
    product = np.fft.irfft(spectrum * spectrum.conj())[: len(counts) // 2]
    result: Numbers = product / product[0] if len(product) and product[0] > 0 else product
    return result
