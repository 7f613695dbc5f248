"""Statistics of a link's training part, and that part itself, for who writes a sender by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernelnet.workbench.network_stack.trace import SECOND, Trace
from kernelnet.workbench.trace import Numbers

__all__ = ["trainColumns", "trainStatistics"]

_QUANTILES = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99)
_SCALES = (10, 50, 100, 500, 1000)
"""Milliseconds."""


def trainStatistics(trace: Trace, rtt: int) -> dict[str, Any]:
    """
    Rates at several scales, gaps without any opportunity, and how long a rate lasts.

    @param rtt: in milliseconds: the least round trip.
    """
    link = trace.link[: trace.ends["train"] * SECOND].astype(np.int64)
    times = np.nonzero(link)[0]
    gaps = np.diff(times)
    return {
        "seconds": trace.ends["train"],
        "opportunities": int(link.sum()),
        "mean_packets_a_ms": round(float(link.mean()), 4),
        "packets_in_a_least_round_trip": round(float(link.mean()) * rtt, 1),
        "packets_a_ms_by_scale": {f"{scale} ms": _quantiles(_sums(link, scale) / scale) for scale in _SCALES},
        "gaps_ms": {**_quantiles(gaps), "longest": int(gaps.max()) if len(gaps) else 0},
        "share_of_time_in_gaps_over_100_ms": round(float(gaps[gaps > 100].sum() / len(link)), 4),
        # 1: what comes next is as what was; 0: it has nothing to do with it
        "autocorrelation_of_the_rate": {f"{scale} ms": _autocorrelation(_sums(link, scale)) for scale in _SCALES},
    }


def trainColumns(trace: Trace) -> dict[str, Numbers]:
    """Columns of the training part: by millisecond, the packets that can be sent."""
    return {"packets": trace.link[: trace.ends["train"] * SECOND].astype(np.uint32)}


def _sums(link: Any, scale: int) -> Any:
    return link[: len(link) // scale * scale].reshape(-1, scale).sum(axis=1)


def _quantiles(values: Any) -> dict[str, float]:
    return {f"{q:g}": round(float(np.quantile(values, q)), 3) for q in _QUANTILES} if len(values) else {}


def _autocorrelation(values: Any) -> float:
    centred = values - values.mean()
    power = float((centred**2).sum())
    return round(float((centred[1:] * centred[:-1]).sum()) / power, 4) if power and len(values) > 1 else 0.0
