"""
Regularities of a trace, learned on train, each with a confidence measured on validation.

Both windows have the same length: train's is its end, as many requests as validation has.  The numbers are those
of each window alone (a block's first request in the window counts as its first), so that they can be compared.

A share s learned on train, found to be t on validation, has the confidence C{min(s, t) / max(s, t)}: 1 if it holds
exactly, 0 if the regularity is gone.

- C{one_hit_share}: share of the blocks requested exactly once.  Data: C{share}, C{window}.
- C{loop}: the commonest time between two requests of a block, where at least 5 % of all
  requests come within 2 % of it.  Data: C{length} (requests), C{share}.
- C{reuse_distance}: peaks of the histogram of LRU stack distances, in eighths of an octave smoothed to a quarter, at
  most three, each with at least 5 % of the requests within half an octave.  Data: C{distance} (blocks),
  C{relative} (to the capacity), C{share}.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kernelnet.message import Pattern
from kernelnet.workbench.file_system.machine import stackDistances
from kernelnet.workbench.file_system.trace import Trace

__all__ = ["learnPatterns"]

MIN_SHARE = 0.05
MODES = 3
_LOOP_TOLERANCE = 0.02
_BINS_PER_OCTAVE = 8

Numbers = npt.NDArray[Any]


def learnPatterns(trace: Trace, capacity: int) -> list[Pattern]:
    """
    @param capacity: slots of the cache, to which C{reuse_distance} relates its distances.
    @return: those found, most confident first; none at all is possible but for C{one_hit_share}.
    """
    trainEnd, validationEnd = trace.ends["train"], trace.ends["validation"]
    window = min(trainEnd, validationEnd - trainEnd)
    learn, check = trace.blocks[trainEnd - window : trainEnd], trace.blocks[trainEnd:validationEnd]
    found = [_oneHitShare(learn, check), *_loop(learn, check), *_reuseDistances(learn, check, capacity)]
    patterns = [
        Pattern(
            id=f"file_system-{kind}-{trace.digest[:12]}" + (f"-{data['distance']}" if "distance" in data else ""),
            type=kind,
            confidence=round(confidence, 6),
            data={**data, "window": window, "trace": trace.name},
            specialization="file_system",
        )
        for kind, data, confidence in found
    ]
    return sorted(patterns, key=lambda pattern: (-pattern.confidence, pattern.id))


Found = tuple[str, dict[str, Any], float]


def _confidence(learned: float, checked: float) -> float:
    greater = max(learned, checked)
    return min(learned, checked) / greater if greater > 0 else 1.0


def _oneHitShare(learn: Numbers, check: Numbers) -> Found:
    shares = []
    for blocks in (learn, check):
        counts = np.bincount(blocks)
        shares.append(int(np.count_nonzero(counts == 1)) / max(1, int(np.count_nonzero(counts))))
    return "one_hit_share", {"share": round(shares[0], 6)}, _confidence(shares[0], shares[1])


def _intervals(blocks: Numbers) -> Numbers:
    """Requests between each request and the one before of the same block, for those that have one."""
    order = np.argsort(blocks, kind="stable")
    same = blocks[order[1:]] == blocks[order[:-1]]
    result: Numbers = (order[1:] - order[:-1])[same]
    return result


def _loop(learn: Numbers, check: Numbers) -> list[Found]:
    intervals = _intervals(learn)
    # A loop of a few requests is everyday locality, which every policy serves.
    intervals = intervals[intervals >= 64]
    if not len(intervals):
        return []
    logs = np.log(intervals) / np.log1p(_LOOP_TOLERANCE)
    length = int(np.median(intervals[np.rint(logs) == np.argmax(np.bincount(np.rint(logs).astype(np.int64)))]))

    def share(blocks: Numbers) -> float:
        near = np.abs(_intervals(blocks) - length) <= _LOOP_TOLERANCE * length
        return int(np.count_nonzero(near)) / max(1, len(blocks))

    learned = share(learn)
    if learned < MIN_SHARE:
        return []
    return [("loop", {"length": length, "share": round(learned, 6)}, _confidence(learned, share(check)))]


def _reuseDistances(learn: Numbers, check: Numbers, capacity: int) -> list[Found]:
    def histogram(blocks: Numbers) -> Numbers:
        distances = stackDistances(blocks)
        logs = np.log2(distances[distances != 0xFFFFFFFF].astype(np.float64) + 1) * _BINS_PER_OCTAVE
        counts = np.bincount(np.rint(logs).astype(np.int64), minlength=33 * _BINS_PER_OCTAVE)
        return counts / max(1, len(blocks))

    learned, checked = histogram(learn), histogram(check)
    half = _BINS_PER_OCTAVE // 2
    smooth = np.convolve(learned, [0.25, 0.5, 0.25], mode="same")
    found: list[Found] = []
    free = np.ones(len(smooth), bool)
    for peak in np.argsort(-smooth, kind="stable"):
        around = slice(max(0, int(peak) - half), int(peak) + half + 1)
        if len(found) == MODES or smooth[peak] == 0:
            break
        if not free[around].all() or learned[around].sum() < MIN_SHARE:
            continue
        free[around] = False
        distance = max(1, round(2 ** (float(peak) / _BINS_PER_OCTAVE) - 1))
        share = float(learned[around].sum())
        data = {"distance": distance, "relative": round(distance / capacity, 6), "share": round(share, 6)}
        found.append(("reuse_distance", data, _confidence(share, float(checked[around].sum()))))
    return found
