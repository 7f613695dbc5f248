"""Statistics of a session's training part, and that part itself, for who writes a policy by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernelnet.workbench.graphics.patterns import correlationRatio, lastCommits
from kernelnet.workbench.graphics.trace import Trace
from kernelnet.workbench.trace import Numbers

__all__ = ["trainColumns", "trainStatistics"]

_QUANTILES = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1)
_COMMONEST = 5


def trainStatistics(trace: Trace) -> dict[str, Any]:
    """Work, what foretells it, and what of it is about which surfaces."""
    end = trace.ends["train"]
    work, damage = trace.work[:end].astype(np.float64), trace.damage[:end]
    logs = np.log(work + 1)
    numbers, counts = np.unique(damage, return_counts=True)
    commonest = numbers[np.argsort(-counts, kind="stable")[:_COMMONEST]]
    late = lastCommits(trace)[:end]
    return {
        "frames": end,
        "period_us": trace.period,
        "work_us": _quantiles(work),
        "surfaces": len(np.unique(trace.surface[: trace.first[end]])),
        "sets_of_surfaces": len(numbers),
        # of the logarithm of work: 1 would be foreseen exactly, 0 as badly as by the mean of all
        "variance_foreseen_by": {
            "the set of surfaces": round(correlationRatio(logs, damage), 4),
            "the frame before": _foreseen(logs),
        },
        "work_us_of_the_commonest_sets": {
            f"{int((damage == number).sum())} frames": _quantiles(work[damage == number]) for number in commonest
        },
        "surfaces_a_frame": _quantiles(np.diff(trace.first)[:end]),
        "refreshes_between_frames": _quantiles(trace.refreshes[:end]),
        "share_of_frames_with_a_commit_after_the_vblank": round(float((late > 0).mean()), 4),
        "last_commit_us_of_these": _quantiles(late[late > 0]),
    }


def trainColumns(trace: Trace) -> dict[str, Numbers]:
    """Columns of the training part, by frame; times in microseconds."""
    end = trace.ends["train"]
    columns = {name: getattr(trace, name)[:end] for name in ("work", "refreshes", "damage")}
    many = np.diff(trace.first)[:end].astype(np.uint32)
    return {**columns, "surfaces": many, "last_commit": lastCommits(trace)[:end].astype(np.uint32)}


def _quantiles(values: Any) -> dict[str, float]:
    return {f"{q:g}": round(float(np.quantile(values, q)), 1) for q in _QUANTILES} if len(values) else {}


def _foreseen(values: Any) -> float:
    whole = float(((values - values.mean()) ** 2).sum())
    return round(1 - float(((values[1:] - values[:-1]) ** 2).sum()) / whole, 4) if whole else 0.0
