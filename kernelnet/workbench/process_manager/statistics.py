"""Statistics of a log's training part, and that part itself, for who writes a scheduler by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernelnet.workbench.process_manager.trace import Trace
from kernelnet.workbench.trace import Numbers

__all__ = ["trainColumns", "trainStatistics"]

_QUANTILES = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1)


def trainStatistics(trace: Trace) -> dict[str, Any]:
    """Run times and gaps, how much of the work is in the longest tasks, and how well a key's past tells its future."""
    end = trace.ends["train"]
    run, key, group = trace.run[:end].astype(np.float64), trace.key[:end], trace.group[:end]
    longest = np.sort(run)[::-1]
    said = trace.estimate[:end] > 0
    return {
        "tasks": end,
        "keys": len(np.unique(key)),
        "groups": len(np.unique(group)),
        "run_us": _quantiles(run),
        "arrival_gap_us": _quantiles(np.diff(trace.arrival[:end].astype(np.float64))),
        "share_of_work_in_the_longest_tasks": {
            f"{share:.0%} of tasks": round(float(longest[: max(1, int(share * end))].sum() / run.sum()), 4)
            for share in (0.01, 0.05, 0.2)
        },
        "share_of_tasks_with_an_estimate": round(float(said.mean()), 4),
        # of the logarithm of a run time: 1 would be foreseen exactly, 0 as badly as by the mean of all
        "variance_foreseen_by": {
            "the last run of its key": _foreseen(run, key),
            "the last run of its group": _foreseen(run, group),
        },
        "share_of_tasks_whose_key_is_new": round(len(np.unique(key)) / max(1, end), 4),
    }


def trainColumns(trace: Trace) -> dict[str, Numbers]:
    """Columns of the training part, in the order of arrival; times in microseconds, as they were recorded."""
    end = trace.ends["train"]
    return {name: getattr(trace, name)[:end] for name in ("arrival", "run", "estimate", "key", "group")}


def _quantiles(values: Any) -> dict[str, float]:
    return {f"{q:g}": round(float(np.quantile(values, q)), 1) for q in _QUANTILES} if len(values) else {}


def _foreseen(run: Any, key: Any) -> float:
    logs = np.log(run + 1)
    order = np.argsort(key, kind="stable")
    same = key[order[1:]] == key[order[:-1]]
    now, last = logs[order[1:]][same], logs[order[:-1]][same]
    whole = float(((now - now.mean()) ** 2).sum()) if len(now) else 0.0
    return round(1 - float(((now - last) ** 2).sum()) / whole, 4) if whole else 0.0
