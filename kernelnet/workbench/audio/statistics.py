"""Statistics of a call's training part, and that part itself, for who writes a policy by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernelnet.workbench.audio.packets import LOST
from kernelnet.workbench.audio.trace import PER_SECOND, Trace
from kernelnet.workbench.trace import Numbers

__all__ = ["trainColumns", "trainStatistics"]

_QUANTILES = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999)
_LAGS = (1, 5, 25, 50, 250)
_LEVELS = (20, 60, 120, 250)
"""Milliseconds."""


def trainStatistics(trace: Trace) -> dict[str, Any]:
    """Transits, how they change from frame to frame, how long high ones last, and what is lost; milliseconds."""
    transits = trace.transits[: trace.ends["train"]]
    came = transits[transits != LOST] / 1000
    return {
        "seconds": len(transits) // PER_SECOND,
        "frames": len(transits),
        "lost_permille": round(1000 * float((transits == LOST).mean()), 3),
        "transit_ms": {**_quantiles(came), "longest": float(came.max()) if len(came) else 0.0},
        "change_from_frame_to_frame_ms": _quantiles(np.abs(np.diff(came))),
        # 1: what comes next is as what was; 0: it has nothing to do with it
        "autocorrelation_of_transits": {f"{lag * 20} ms": _autocorrelation(came, lag) for lag in _LAGS},
        "times_above": {f"{level} ms": _above(came, level) for level in _LEVELS},
    }


def trainColumns(trace: Trace) -> dict[str, Numbers]:
    """Columns of the training part: by frame, its transit in microseconds and 1; 0 where it was lost."""
    return {"transit_plus_1": (trace.transits[: trace.ends["train"]] + 1).astype(np.uint32)}


def _quantiles(values: Any) -> dict[str, float]:
    return {f"{q:g}": round(float(np.quantile(values, q)), 3) for q in _QUANTILES} if len(values) else {}


def _autocorrelation(values: Any, lag: int) -> float:
    if len(values) <= lag:
        return 0.0
    centred = values - values.mean()
    power = float((centred**2).sum())
    return round(float((centred[lag:] * centred[:-lag]).sum()) / power, 4) if power else 0.0


def _above(came: Any, level: int) -> dict[str, float]:
    """Share of frames above a transit; and of the runs of such frames how many there are, and how long they last."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], came > level, [False]]).astype(np.int8)))
    lengths = edges[1::2] - edges[::2]
    found = {"share": round(float((came > level).mean()), 5), "times": len(lengths)} if len(came) else {}
    return (
        {**found, "median_frames": float(np.median(lengths)), "longest_frames": int(lengths.max())}
        if len(lengths)
        else found
    )
