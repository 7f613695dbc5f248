"""Statistics of a data set's training part, and that part itself, for who writes a detector by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernelnet.workbench.security.trace import Trace
from kernelnet.workbench.trace import Numbers

__all__ = ["trainColumns", "trainStatistics"]

_WINDOWS = (1, 2, 3, 6)


def trainStatistics(trace: Trace) -> dict[str, Any]:
    """Lengths, and how much of normal sequences and of attacks was seen, in so many calls in a row, while learning."""
    learned, normals, end = trace.learned, trace.normals["train"], trace.ends["train"]
    kinds = {
        "learned": range(learned),
        "normal": range(learned, learned + normals),
        "attacks": range(learned + normals, learned + end),
    }
    rows = []
    for length in _WINDOWS:
        known = set().union(*(_grams(trace, at, length) for at in kinds["learned"])) if learned else set()
        shares = {name: _unseen(trace, kinds[name], length, known) for name in ("normal", "attacks")}
        rows.append({"calls_in_a_row": length, "different_while_learning": len(known), "share_unseen": shares})
    return {
        "sequences": {name: len(which) for name, which in kinds.items()},
        "different_calls": trace.distinct,
        "calls_in_a_sequence": {name: _lengths(trace, which) for name, which in kinds.items()},
        "unseen_while_learning": rows,
    }


def trainColumns(trace: Trace) -> dict[str, Numbers]:
    """Columns of the training part, a call each: number of its sequence, its kind: 0 learned, 1 normal, 2 attack."""
    end = trace.learned + trace.ends["train"]
    starts = trace.starts.astype(np.int64)
    lengths = starts[1 : end + 1] - starts[:end]
    kind = np.concatenate([np.zeros(trace.learned), np.ones(trace.normals["train"])])
    kind = np.concatenate([kind, np.full(end - len(kind), 2)]).astype(np.uint32)
    return {
        "sequence": np.repeat(np.arange(end, dtype=np.uint32), lengths),
        "kind": np.repeat(kind, lengths),
        "call": trace.calls[: int(trace.starts[end])],
    }


def _grams(trace: Trace, at: int, length: int) -> set[tuple[int, ...]]:
    calls = trace.calls[int(trace.starts[at]) : int(trace.starts[at + 1])].tolist()
    return set(zip(*(calls[shift:] for shift in range(length)), strict=False))


def _unseen(trace: Trace, which: range, length: int, known: set[tuple[int, ...]]) -> float:
    found = [_grams(trace, at, length) for at in which]
    total = sum(map(len, found))
    return round(sum(len(each - known) for each in found) / total, 4) if total else 0.0


def _lengths(trace: Trace, which: range) -> dict[str, float]:
    lengths = np.diff(trace.starts.astype(np.int64))[which.start : which.stop]
    return {f"{q:g}": float(np.quantile(lengths, q)) for q in (0, 0.25, 0.5, 0.75, 1)} if len(lengths) else {}
