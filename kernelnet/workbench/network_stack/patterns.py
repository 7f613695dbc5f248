"""
Regularities of a link, learned on train, each with a confidence measured on validation.

Both windows have the same length: train's is its end, as many seconds as validation has.  A number a learned on
train, found to be b on validation, has the confidence C{min(a, b) / max(a, b)}: 1 if it holds exactly, 0 if the
regularity is gone.

  - C{link_rate}: what the link delivers.  Data: C{packets_per_second}.
  - C{link_variation}: how much that varies: the standard deviation over its mean of what it delivers in a tenth of a
    second.  Data: C{variation}.
  - C{link_outage}: the share of time in gaps of a fifth of a second and more, in which nothing is delivered, where
    there are any.  Data: C{share}, C{longest_ms}.
  - C{link_period}: the lag, 20 ms to 5 s, at which deliveries in hundredths of a second correlate most with themselves,
    where that correlation is 0.1 at least and a peak (G. E. P. Box and G. M. Jenkins, Time Series Analysis, 1970).
    Data: C{period_ms}, C{correlation}.
  - C{burstiness}: of what is delivered in tenths of a second (see `kernelnet.workbench.trace_statistics`).  Data:
    C{dispersion}.
  - C{phase_changes}: the rate of two seconds halves or doubles from one such interval to the next, in less than half of
    them.  Data: C{changes} in the window, C{length} of a phase in seconds.
"""

from __future__ import annotations

import numpy as np

from kernelnet.artifacts import Pattern
from kernelnet.workbench import trace_statistics
from kernelnet.workbench.network_stack.trace import SECOND, Trace
from kernelnet.workbench.trace_statistics import Numbers, Regularity, agreement, patternsOf

__all__ = ["learnPatterns"]

OUTAGE = 200
_BIN = 10
_MAX_LAG = 500
_TENTH = 100
_PHASE = 2 * SECOND


def learnPatterns(trace: Trace) -> list[Pattern]:
    """
    @return: those found, most confident first.
    """
    windows = trace.learnAndCheck()
    learn, check = (trace.link[at.start * SECOND : at.stop * SECOND].astype(np.float64) for at in windows)
    found = [
        _rate(learn, check),
        *_variation(learn, check),
        *_outage(learn, check),
        *_period(learn, check),
        *trace_statistics.burstiness(_sums(learn, _TENTH), _sums(check, _TENTH)),
        *_phaseChanges(learn, check),
    ]
    return patternsOf("network_stack", trace, found, {"window_seconds": windows[0].stop - windows[0].start})


def _sums(link: Numbers, milliseconds: int) -> Numbers:
    """Packets delivered in each interval."""
    sums: Numbers = link[: len(link) // milliseconds * milliseconds].reshape(-1, milliseconds).sum(axis=1)
    return sums


def _rate(learn: Numbers, check: Numbers) -> Regularity:
    learned, checked = (float(link.mean() * SECOND) for link in (learn, check))
    return "link_rate", {"packets_per_second": round(learned, 3)}, agreement(learned, checked)


def _variation(learn: Numbers, check: Numbers) -> list[Regularity]:
    def variation(link: Numbers) -> float:
        rates = _sums(link, _TENTH)
        return float(rates.std() / rates.mean()) if rates.any() else 0.0

    learned = variation(learn)
    if not learned:
        return []
    return [("link_variation", {"variation": round(learned, 6)}, agreement(learned, variation(check)))]


def _outage(learn: Numbers, check: Numbers) -> list[Regularity]:
    def gaps(link: Numbers) -> Numbers:
        """The lengths of the long gaps."""
        at = np.concatenate([[-1], np.flatnonzero(link), [len(link)]])
        lengths = np.diff(at) - 1
        return lengths[lengths >= OUTAGE]

    learned = gaps(learn)
    if not len(learned):
        return []
    share, checked = int(learned.sum()) / len(learn), int(gaps(check).sum()) / len(check)
    data = {"share": round(share, 6), "longest_ms": int(learned.max())}
    return [("link_outage", data, agreement(share, checked))]


def _period(learn: Numbers, check: Numbers) -> list[Regularity]:
    if len(learn) < 2 * _MAX_LAG * _BIN:
        return []
    found = trace_statistics.periodicity(_sums(learn, _BIN), _sums(check, _BIN), _MAX_LAG, _BIN)
    return [("link_period", *found)] if found is not None else []


def _phaseChanges(learn: Numbers, check: Numbers) -> list[Regularity]:
    def changes(link: Numbers) -> tuple[int, int]:
        """Number of changes, and of those that there could be."""
        levels = np.log2(_sums(link, _PHASE) + 1)
        return int(np.count_nonzero(np.abs(np.diff(levels)) >= 1)), max(0, len(levels) - 1)

    (learned, of), (checked, _) = changes(learn), changes(check)
    if not 0 < learned < of / 2:
        return []
    data = {"changes": learned, "length": round(len(learn) / SECOND / (learned + 1), 3)}
    return [("phase_changes", data, agreement(learned, checked))]
