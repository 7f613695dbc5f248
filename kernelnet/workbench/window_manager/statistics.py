"""Statistics of the training part's movements, and that part itself, for who writes a predictor by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernelnet.workbench.trace import Numbers
from kernelnet.workbench.window_manager.movement import MILLI
from kernelnet.workbench.window_manager.regularities import steps
from kernelnet.workbench.window_manager.trace import TRACKED, Trace

__all__ = ["trainColumns", "trainStatistics"]

_QUANTILES = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99)


def trainStatistics(trace: Trace, ahead: int) -> dict[str, Any]:
    """
    Times between samples, speeds, and how alike successive velocities are.

    @param ahead: how far ahead frames are seen, microseconds.
    """
    end = trace.samplesBefore(trace.ends["train"])
    gaps, moves = trace.gaps[:end].astype(np.float64) / 1000, trace.moves[:end] / MILLI
    followed = trace.gaps[:end] <= TRACKED
    speed = np.sqrt((moves[followed] ** 2).sum(axis=1)) / gaps[followed]
    found = steps(trace, 0, end)
    return {
        "frames": trace.ends["train"],
        "samples": end,
        "ahead_ms": ahead / 1000,
        "gaps_ms": _quantiles(gaps[followed]),
        "age_of_the_newest_sample_ms": _quantiles(trace.frames[: trace.ends["train"], 1] / 1000),
        "speed_px_a_ms": _quantiles(speed),
        "share_of_samples_after_a_pause": round(float(1 - followed.mean()), 4),
        "smallest_movement_px": float(np.abs(moves[moves != 0]).min()) if moves.any() else 0.0,
        # 1: velocities stay as they are; 0: the last one says nothing about the next
        "share_of_a_velocity_that_is_kept": round(found.kept, 4),
        "cosine_of_turns": _quantiles(found.turns),
        "speed_over_the_one_before": _quantiles(found.ratios),
    }


def trainColumns(trace: Trace) -> dict[str, Numbers]:
    """
    Columns of the training part: by sample, microseconds since the one before, and milli-pixels right and down, each
    plus 2^31.
    """
    end = trace.samplesBefore(trace.ends["train"])
    right, down = (trace.moves[:end].astype(np.int64) + (1 << 31)).astype(np.uint32).T
    return {"elapsed_us": trace.gaps[:end], "right_plus_2_31": right, "down_plus_2_31": down}


def _quantiles(values: Any) -> dict[str, float]:
    return {f"{q:g}": round(float(np.quantile(values, q)), 4) for q in _QUANTILES} if len(values) else {}
