"""
Regularities of a session, learned on train, each with a confidence measured on validation.

Both windows have the same number of frames: train's is its end.  What was learned to be s and found on validation to
be t has the confidence C{min(s, t) / max(s, t)}: 1 if it holds exactly, 0 if the regularity is gone.

  - C{damage_work}: the share of the variance of the logarithm of work that the set of surfaces that changed explains
    (R. A. Fisher's correlation ratio, Statistical Methods for Research Workers, 1925, less what as many sets would by
    chance), where it is 5 % and more.  Data: C{share}, and C{sets}, number of sets in the window.
  - C{work_memory}: the autocorrelation of the logarithm of work at a lag of one frame (G. E. P. Box and G. M. Jenkins,
    Time Series Analysis, 1970), where it is 0.1 and more.  Data: C{correlation}.
  - C{work_spikes}: the share of frames that take four times the median and more, where there are eight.  Data:
    C{share}, C{factor}: their mean over the median.
  - C{idle_frames}: the share of frames before which vblanks went by without one, where it is 5 % and more.  Data:
    C{share}.
  - C{late_commits}: the share of frames with a commit after the vblank, where it is 5 % and more.  Data: C{share},
    C{median_us} of the last one in these.
  - C{popularity}, C{transitions}, C{phase_changes} of sets, C{burstiness} of refreshes between frames: see
    `kernelnet.workbench.trace_statistics`.
"""

from __future__ import annotations

import numpy as np

from kernelnet.artifacts import Pattern
from kernelnet.workbench import trace_statistics
from kernelnet.workbench.graphics.trace import Trace
from kernelnet.workbench.trace_statistics import MIN_SHARE, Numbers, Regularity, agreement, patternsOf

__all__ = ["correlationRatio", "lastCommits", "learnPatterns"]

MIN_CORRELATION = 0.1
SPIKE = 4
_LEAST = 8
_NOTHING = 1e-9
"""A sum of squares that is rounding alone."""

_INTERVAL = 16
"""Frames in an interval in which refreshes are counted."""


def learnPatterns(trace: Trace) -> list[Pattern]:
    """@return: those found, most confident first."""
    learn, check = trace.learnAndCheck()
    sets = trace.damage[learn], trace.damage[check]
    idle = tuple(trace.refreshes[window].astype(np.float64) - 1 for window in (learn, check))
    found = [
        *_damageWork(trace, learn, check),
        *_memory(trace, learn, check),
        *_spikes(trace, learn, check),
        *_shares("idle_frames", *(float((each > 0).mean()) for each in idle)),
        *_lateCommits(trace, learn, check),
        *_bursts(*idle),
    ]
    if trace.surfaces:
        found += [
            *trace_statistics.popularity(*sets),
            *trace_statistics.transitions(*sets),
            *trace_statistics.phaseChanges(*sets),
        ]
    return patternsOf("graphics", trace, found, {"window": learn.stop - learn.start})


def _logs(trace: Trace, window: slice) -> Numbers:
    logs: Numbers = np.log(trace.work[window].astype(np.float64) + 1)
    return logs


def correlationRatio(values: Numbers, groups: Numbers) -> float:
    """
    Share of the variance of values that their groups explain, less what is explained by chance; 0 to 1.

    Adjusted for the number of groups, as the coefficient of determination is (M. Ezekiel, 1930).
    """
    number = np.unique(groups, return_inverse=True)[1]
    count, many = len(values), int(number.max(initial=-1)) + 1
    whole = float(((values - values.mean()) ** 2).sum()) if count else 0.0
    if whole <= _NOTHING or count <= many:
        return 0.0
    means = np.bincount(number, values) / np.bincount(number)
    within = float(((values - means[number]) ** 2).sum())
    return max(0.0, 1 - within / (count - many) * (count - 1) / whole)


def _damageWork(trace: Trace, learn: slice, check: slice) -> list[Regularity]:
    learned, checked = (correlationRatio(_logs(trace, window), trace.damage[window]) for window in (learn, check))
    if learned < MIN_SHARE:
        return []
    data = {"share": round(learned, 6), "sets": len(np.unique(trace.damage[learn]))}
    return [("damage_work", data, agreement(learned, checked))]


def _memory(trace: Trace, learn: slice, check: slice) -> list[Regularity]:
    def correlation(window: slice) -> float:
        centred = _logs(trace, window)
        centred = centred - centred.mean()
        power = float((centred**2).sum())
        return float((centred[1:] * centred[:-1]).sum()) / power if power > _NOTHING else 0.0

    learned = correlation(learn)
    if learned < MIN_CORRELATION:
        return []
    return [("work_memory", {"correlation": round(learned, 6)}, agreement(learned, correlation(check)))]


def _spikes(trace: Trace, learn: slice, check: slice) -> list[Regularity]:
    work = trace.work[learn].astype(np.float64)
    median = float(np.median(work))
    high = work[work >= SPIKE * median]
    if median <= 0 or len(high) < _LEAST:
        return []
    share = len(high) / len(work)
    later = float((trace.work[check] >= SPIKE * np.median(trace.work[check])).mean())
    data = {"share": round(share, 6), "factor": round(float(high.mean()) / median, 3)}
    return [("work_spikes", data, agreement(share, later))]


def _shares(kind: str, learned: float, checked: float) -> list[Regularity]:
    return [(kind, {"share": round(learned, 6)}, agreement(learned, checked))] if learned >= MIN_SHARE else []


def _lateCommits(trace: Trace, learn: slice, check: slice) -> list[Regularity]:
    last = lastCommits(trace)
    found = _shares("late_commits", *(float((last[window] > 0).mean()) for window in (learn, check)))
    late = last[learn][last[learn] > 0]
    return [(kind, {**data, "median_us": int(np.median(late))}, sure) for kind, data, sure in found]


def lastCommits(trace: Trace) -> Numbers:
    """By frame: the microseconds after the vblank of its last commit; 0 where there is none."""
    end = trace.first[1:].astype(np.int64)
    return np.where(np.diff(trace.first) > 0, np.append(trace.at, 0)[end - 1], 0)


def _bursts(learn: Numbers, check: Numbers) -> list[Regularity]:
    """Bursts of refreshes that pass without a frame."""

    def sums(idle: Numbers) -> Numbers:
        counts: Numbers = idle[: len(idle) // _INTERVAL * _INTERVAL].reshape(-1, _INTERVAL).sum(axis=1)
        return counts

    learned, checked = sums(learn), sums(check)
    if min(len(learned), len(checked)) < 2:
        return []
    return trace_statistics.burstiness(learned, checked)
