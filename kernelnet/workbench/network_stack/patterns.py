"""
Regularities of a link, learned on train, each with a confidence measured on validation.

Both windows have the same length: train's is its end, as many seconds as validation has.  A number a learned on
train, found to be b on validation, has the confidence C{min(a, b) / max(a, b)}: 1 if it holds exactly, 0 if the
regularity is gone.

- C{link_rate}: what the link delivers.  Data: C{packets_per_second}.
- C{link_variation}: how much that varies: the standard deviation over its mean of what it delivers in a tenth of a
  second.  Data: C{variation}.
- C{link_outage}: the share of time in gaps of a fifth of a second and more, in which nothing is delivered, where there
  are any.  Data: C{share}, C{longest_ms}.
- C{link_period}: the lag, 20 ms to 5 s, at which deliveries in hundredths of a second correlate most with themselves,
  where that correlation is 0.1 at least and a peak.  Data: C{period_ms}, C{correlation}.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kernelnet.message import Pattern
from kernelnet.workbench.network_stack.trace import SECOND, Trace

__all__ = ["learnPatterns"]

OUTAGE = 200
MIN_CORRELATION = 0.1
_BIN = 10
_MAX_LAG = 500

Numbers = npt.NDArray[Any]
Found = tuple[str, dict[str, Any], float]


def learnPatterns(trace: Trace) -> list[Pattern]:
    """
    @return: those found, most confident first.
    """
    trainEnd, validationEnd = trace.ends["train"], trace.ends["validation"]
    window = min(trainEnd, validationEnd - trainEnd)
    learn = trace.link[(trainEnd - window) * SECOND : trainEnd * SECOND].astype(np.float64)
    check = trace.link[trainEnd * SECOND : validationEnd * SECOND].astype(np.float64)
    found = [_rate(learn, check), *_variation(learn, check), *_outage(learn, check), *_period(learn, check)]
    patterns = [
        Pattern(
            id=f"network_stack-{kind}-{trace.digest[:12]}",
            type=kind,
            confidence=round(confidence, 6),
            data={**data, "window_seconds": window, "trace": trace.name},
            specialization="network_stack",
        )
        for kind, data, confidence in found
    ]
    return sorted(patterns, key=lambda pattern: (-pattern.confidence, pattern.id))


def _confidence(learned: float, checked: float) -> float:
    greater = max(learned, checked)
    return max(0.0, min(learned, checked)) / greater if greater > 0 else 1.0


def _rate(learn: Numbers, check: Numbers) -> Found:
    learned, checked = (float(link.mean() * SECOND) for link in (learn, check))
    return "link_rate", {"packets_per_second": round(learned, 3)}, _confidence(learned, checked)


def _variation(learn: Numbers, check: Numbers) -> list[Found]:
    def variation(link: Numbers) -> float:
        rates = link.reshape(-1, 100).sum(axis=1)
        return float(rates.std() / rates.mean()) if rates.any() else 0.0

    learned = variation(learn)
    if not learned:
        return []
    return [("link_variation", {"variation": round(learned, 6)}, _confidence(learned, variation(check)))]


def _outage(learn: Numbers, check: Numbers) -> list[Found]:
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
    return [("link_outage", data, _confidence(share, checked))]


def _period(learn: Numbers, check: Numbers) -> list[Found]:
    def correlations(link: Numbers) -> Numbers:
        """The autocorrelation by lag in hundredths of a second."""
        counts = link.reshape(-1, _BIN).sum(axis=1)
        # What is slower than the longest lag is no period of it.
        slow = np.convolve(counts, np.ones(_MAX_LAG) / _MAX_LAG, mode="valid")
        counts = counts[_MAX_LAG // 2 :][: len(slow)] - slow
        power = np.abs(np.fft.rfft(counts, 2 * len(counts))) ** 2
        whole = np.fft.irfft(power)[: _MAX_LAG + 1]
        return whole / whole[0] if whole[0] > 0 else np.zeros(len(whole))

    if len(learn) < 2 * _MAX_LAG * _BIN:
        return []
    learned, checked = correlations(learn), correlations(check)
    middle = learned[2:-1]
    peaks = (middle >= learned[1:-2]) & (middle > learned[3:]) & (middle >= MIN_CORRELATION)
    if not peaks.any():
        return []
    lag = 2 + int(np.argmax(np.where(peaks, middle, -1.0)))
    data = {"period_ms": lag * _BIN, "correlation": round(float(learned[lag]), 6)}
    return [("link_period", data, _confidence(float(learned[lag]), float(checked[lag])))]
