"""
Regularities of a trace, learned on train, each with a confidence measured on validation.

Both windows have the same length: train's is its end, as many requests as validation has.  C{one_hit_share} and the
kinds of `kernelnet.workbench.trace_statistics` (C{popularity}, C{transitions}, C{phase_changes}; C{burstiness} of
blocks that are requested 16 times and more) are about each window alone; the others know what was requested before it.

A share s learned on train, found to be t on validation, has the confidence C{min(s, t) / max(s, t)}: 1 if it holds
exactly, 0 if the regularity is gone.  A kind that has a share is found where that is 5 % at least.

  - C{one_hit_share}: share of the blocks requested exactly once.  Data: C{share}.
  - C{sequential_runs}: share of the requests for the block behind that of the last request (A. J. Smith, Sequentiality
    and prefetching in database systems, ACM TODS 3(3), 1978), where it is more than chance.  Data: C{share}, and
    C{length}: requests in a run of two and more, on average.
  - C{loop}: the commonest time between two requests of a block; the share is that of all requests that come within 2 %
    of it.  Data: C{length} (requests), C{relative} (to the capacity), C{share}.
  - C{reuse_distance}: peaks of the histogram of LRU stack distances (R. L. Mattson et al., Evaluation techniques for
    storage hierarchies, IBM Systems Journal 9(2), 1970), in eighths of an octave smoothed to a quarter, at most three,
    each with its share of the requests within half an octave.  Data: C{distance} (blocks), C{relative} (to the
    capacity), C{share}.

All have C{window} (requests) and C{capacity} (slots) in their data.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np

from kernelnet.artifacts import Pattern
from kernelnet.workbench import trace_statistics
from kernelnet.workbench.file_system.machine import stackDistances
from kernelnet.workbench.file_system.trace import Trace
from kernelnet.workbench.trace_statistics import INTERVALS, MIN_SHARE, Numbers, Regularity, agreement, patternsOf

__all__ = ["learnPatterns"]

MODES = 3
_LOOP_TOLERANCE = 0.02
_BINS_PER_OCTAVE = 8
_LEAST_LOOP = 64
"""A loop of a few requests is everyday locality, which every policy serves."""

_OFTEN = 16

_RELATIVE = {"loop": "length", "reuse_distance": "distance"}
"""Which number of a kind is also told in capacities."""

_KNOWN: WeakKeyDictionary[Trace, list[Regularity]] = WeakKeyDictionary()
"""Regularities found in a trace: they are the same at all capacities, and take seconds in millions of requests."""


def learnPatterns(trace: Trace, capacity: int) -> list[Pattern]:
    """
    @param capacity: slots of the cache, to which C{reuse_distance} and C{loop} relate their numbers.
    @return: those found, most confident first.
    """
    if trace not in _KNOWN:
        _KNOWN[trace] = _found(trace)
    found = []
    for kind, data, confidence in _KNOWN[trace]:
        relative = {"relative": round(data[_RELATIVE[kind]] / capacity, 6)} if kind in _RELATIVE else {}
        found.append((kind, data | relative, confidence))
    learn, _ = trace.learnAndCheck()
    return patternsOf("file_system", trace, found, {"window": learn.stop - learn.start, "capacity": capacity})


def _found(trace: Trace) -> list[Regularity]:
    windows = trace.learnAndCheck()
    learn, check = (trace.blocks[window] for window in windows)
    return [
        *_oneHitShare(learn, check),
        *_sequentialRuns(trace, *windows),
        *_loop(trace.blocks, *windows),
        *_reuseDistances(trace.blocks, *windows),
        *trace_statistics.popularity(learn, check),
        *trace_statistics.transitions(learn, check),
        *trace_statistics.phaseChanges(learn, check),
        *_burstiness(learn, check),
    ]


def _oneHitShare(learn: Numbers, check: Numbers) -> list[Regularity]:
    shares = []
    for blocks in (learn, check):
        counts = np.bincount(blocks)
        shares.append(int(np.count_nonzero(counts == 1)) / max(1, int(np.count_nonzero(counts))))
    if shares[0] < MIN_SHARE:
        return []
    return [("one_hit_share", {"share": round(shares[0], 6)}, agreement(*shares))]


def _sequentialRuns(trace: Trace, learn: slice, check: slice) -> list[Regularity]:
    if trace.sequential is None:
        return []
    continues = trace.sequential[learn]
    share, checked = (int(np.count_nonzero(trace.sequential[at])) / max(1, at.stop - at.start) for at in (learn, check))
    # Of independent requests no more can be in sequence than for the same block again.
    chance = float(((np.bincount(trace.blocks[learn]) / max(1, len(continues))) ** 2).sum())
    if share < 2 * chance + MIN_SHARE:
        return []
    runs = int(np.count_nonzero(continues & ~np.concatenate([[False], continues[:-1]])))
    data = {"share": round(share, 6), "length": round(1 + int(np.count_nonzero(continues)) / runs, 3)}
    return [("sequential_runs", data, agreement(share, checked))]


def _intervals(blocks: Numbers) -> Numbers:
    """By request, how many requests before it the last one of its block was; 0 for a block's first."""
    order = np.argsort(blocks, kind="stable")
    same = blocks[order[1:]] == blocks[order[:-1]]
    intervals = np.zeros(len(blocks), np.int64)
    intervals[order[1:][same]] = (order[1:] - order[:-1])[same]
    return intervals


def _loop(blocks: Numbers, learn: slice, check: slice) -> list[Regularity]:
    intervals = _intervals(blocks[: check.stop])
    learned = intervals[learn][intervals[learn] >= _LEAST_LOOP]
    if not len(learned):
        return []
    logs = np.log(learned) / np.log1p(_LOOP_TOLERANCE)
    length = int(np.median(learned[np.rint(logs) == np.argmax(np.bincount(np.rint(logs).astype(np.int64)))]))

    def share(window: slice) -> float:
        near = np.abs(intervals[window] - length) <= _LOOP_TOLERANCE * length
        return int(np.count_nonzero(near)) / max(1, len(near))

    if share(learn) < MIN_SHARE:
        return []
    data = {"length": length, "share": round(share(learn), 6)}
    return [("loop", data, agreement(share(learn), share(check)))]


def _reuseDistances(blocks: Numbers, learn: slice, check: slice) -> list[Regularity]:
    every = stackDistances(blocks[: check.stop])

    def histogram(window: slice) -> Numbers:
        distances = every[window]
        logs = np.log2(distances[distances != 0xFFFFFFFF].astype(np.float64) + 1) * _BINS_PER_OCTAVE
        counts = np.bincount(np.rint(logs).astype(np.int64), minlength=33 * _BINS_PER_OCTAVE)
        return counts / max(1, len(distances))

    learned, checked = histogram(learn), histogram(check)
    half = _BINS_PER_OCTAVE // 2
    smooth = np.convolve(learned, [0.25, 0.5, 0.25], mode="same")
    found: list[Regularity] = []
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
        data = {"distance": distance, "share": round(share, 6)}
        found.append(("reuse_distance", data, agreement(share, float(checked[around].sum()))))
    return found


def _burstiness(learn: Numbers, check: Numbers) -> list[Regularity]:
    often = np.flatnonzero(np.bincount(learn) >= _OFTEN)
    size = len(learn) // INTERVALS
    if not len(often) or not size:
        return []
    row = np.full(int(max(learn.max(), check.max(initial=0))) + 1, -1)
    row[often] = np.arange(len(often))

    def counts(blocks: Numbers) -> Numbers:
        """Of those requested often on train: a row for each, a column for each interval."""
        rows, columns = row[blocks], np.minimum(np.arange(len(blocks)) // size, INTERVALS - 1)
        cells = (rows * INTERVALS + columns)[rows >= 0]
        return np.bincount(cells, minlength=len(often) * INTERVALS).reshape(-1, INTERVALS).astype(np.float64)

    return trace_statistics.burstiness(counts(learn), counts(check))
