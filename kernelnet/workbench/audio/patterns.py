"""
Regularities of a call, learned on train, each with a confidence measured on validation.

Both windows have the same length: train's is its end, as many frames as validation has.  A number a learned on
train, found to be b on validation, has the confidence C{min(a, b) / max(a, b)}: 1 if it holds exactly, 0 if the
regularity is gone.

  - C{delay_tail}: the transit that 99 % of the frames don't exceed.  Data: C{ms}, C{median_ms}.
  - C{jitter}: the mean change of transits from a frame to the next, which RFC 3550 smooths.  Data: C{ms}.
  - C{packet_loss}: the share of frames that never come, where there are any.  Data: C{share}, and C{burst}: the mean
    number of frames that are lost in a row.
  - C{delay_spike}: times at which transits rise by 20 ms and more within a tenth of a second, after a tenth without
    (Bolot, End-to-end packet delay and loss behavior in the Internet, SIGCOMM 1993, has them).  Data: C{per_minute},
    C{height_ms}, the median of the greatest transit in the half second from there.
  - C{delay_period}: the lag, 0.2 to 20 s, at which the mean transits of tenths of a second correlate most with
    themselves, where that correlation is 0.1 at least and a peak (G. E. P. Box and G. M. Jenkins, Time Series
    Analysis, 1970).  Data: C{period_ms}, C{correlation}.
  - C{burstiness}: of frames above the 95th percentile of the window of train, counted by seconds (see
    `kernelnet.workbench.trace_statistics`).  Data: C{dispersion}.
  - C{phase_changes}: the mean transit of five seconds halves or doubles from one such interval to the next, in less
    than half of them.  Data: C{changes} in the window, C{length} of a phase in frames.
"""

from __future__ import annotations

import numpy as np

from kernelnet.artifacts import Pattern
from kernelnet.workbench import trace_statistics
from kernelnet.workbench.audio.packets import LOST
from kernelnet.workbench.audio.trace import PER_SECOND, Trace
from kernelnet.workbench.trace_statistics import Numbers, Regularity, agreement, patternsOf

__all__ = ["learnPatterns"]

SPIKE = 20_000
"""Microseconds."""

_TENTH = PER_SECOND // 10
_MAX_LAG = 200
_PHASE = 5 * PER_SECOND
_HALF_SECOND = PER_SECOND // 2


def learnPatterns(trace: Trace) -> list[Pattern]:
    """
    @return: those found, most confident first.
    """
    windows = trace.learnAndCheck()
    learn, check = (trace.transits[at].astype(np.float64) for at in windows)
    found = _loss(learn, check)
    learn, check = _held(learn), _held(check)
    found += [
        _tail(learn, check),
        _jitter(learn, check),
        *_spikes(learn, check),
        *_period(learn, check),
        *_bursts(learn, check),
        *_phaseChanges(learn, check),
    ]
    return patternsOf("audio", trace, found, {"window_frames": windows[0].stop - windows[0].start})


def _held(transits: Numbers) -> Numbers:
    """Transits, for a lost frame that of the last one that came."""
    came = np.flatnonzero(transits != LOST)
    if not len(came):
        return np.zeros(len(transits))
    held: Numbers = transits[came[np.maximum(0, np.searchsorted(came, np.arange(len(transits)), "right") - 1)]]
    return held


def _loss(learn: Numbers, check: Numbers) -> list[Regularity]:
    lost = learn == LOST
    if not lost.any():
        return []
    share, checked = float(lost.mean()), float((check == LOST).mean())
    runs = int(np.count_nonzero(np.diff(lost.astype(np.int8), prepend=0) > 0))
    data = {"share": round(share, 6), "burst": round(int(lost.sum()) / runs, 3)}
    return [("packet_loss", data, agreement(share, checked))]


def _tail(learn: Numbers, check: Numbers) -> Regularity:
    learned, checked = (float(np.quantile(transits, 0.99)) for transits in (learn, check))
    data = {"ms": round(learned / 1000, 3), "median_ms": round(float(np.median(learn)) / 1000, 3)}
    return "delay_tail", data, agreement(learned, checked)


def _jitter(learn: Numbers, check: Numbers) -> Regularity:
    learned, checked = (float(np.abs(np.diff(transits)).mean()) for transits in (learn, check))
    return "jitter", {"ms": round(learned / 1000, 4)}, agreement(learned, checked)


def _spikes(learn: Numbers, check: Numbers) -> list[Regularity]:
    def begins(transits: Numbers) -> Numbers:
        """Frames at which spikes begin."""
        high = np.concatenate([np.zeros(_TENTH, bool), transits[_TENTH:] - transits[:-_TENTH] >= SPIKE])
        before = np.convolve(high, np.ones(_TENTH), "full")[: len(high)]
        return np.flatnonzero(high & (np.concatenate([[0], before[:-1]]) == 0))

    learned, checked = begins(learn), begins(check)
    if not len(learned):
        return []
    per = 60 * PER_SECOND / len(learn)
    heights = [float(learn[at : at + _HALF_SECOND].max()) for at in learned.tolist()]
    data = {"per_minute": round(len(learned) * per, 3), "height_ms": round(float(np.median(heights)) / 1000, 3)}
    return [("delay_spike", data, agreement(len(learned), len(checked)))]


def _means(transits: Numbers, frames: int) -> Numbers:
    """Mean transit of each interval."""
    means: Numbers = transits[: len(transits) // frames * frames].reshape(-1, frames).mean(axis=1)
    return means


def _period(learn: Numbers, check: Numbers) -> list[Regularity]:
    if len(learn) < 3 * _MAX_LAG * _TENTH:
        return []
    found = trace_statistics.periodicity(_means(learn, _TENTH), _means(check, _TENTH), _MAX_LAG, 100)
    return [("delay_period", *found)] if found is not None else []


def _bursts(learn: Numbers, check: Numbers) -> list[Regularity]:
    level = float(np.quantile(learn, 0.95))
    counts = [_means(transits > level, PER_SECOND) * PER_SECOND for transits in (learn, check)]
    return trace_statistics.burstiness(*counts) if len(counts[0]) > 1 and len(counts[1]) > 1 else []


def _phaseChanges(learn: Numbers, check: Numbers) -> list[Regularity]:
    def changes(transits: Numbers) -> tuple[int, int]:
        """Number of changes, and of those that there could be."""
        # Below a millisecond nobody hears what halves.
        levels = np.log2(_means(transits, _PHASE) + 1000)
        return int(np.count_nonzero(np.abs(np.diff(levels)) >= 1)), max(0, len(levels) - 1)

    (learned, of), (checked, _) = changes(learn), changes(check)
    if not 0 < learned < of / 2:
        return []
    data = {"changes": learned, "length": len(learn) // (learned + 1)}
    return [("phase_changes", data, agreement(learned, checked))]
