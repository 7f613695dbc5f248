"""
Statistics of a trace's training part, and that part itself, for who writes a policy by hand.

C{reuse_by_count} and C{reuse_by_last_gap} have the shares of requests whose block comes again within so many requests,
as multiples of the capacity: by how often it was requested before, and by the time since its last request.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kernelnet.workbench.file_system.trace import Trace
from kernelnet.workbench.trace import Numbers

__all__ = ["trainColumns", "trainStatistics"]

HORIZONS = (0.25, 0.5, 1, 2, 4, 8)
"""Times that are asked about, in capacities."""

_COUNTS = ((1, 1), (2, 2), (3, 4), (5, 8), (9, 32), (33, 1 << 40))
_NEVER = np.iinfo(np.int64).max


def trainStatistics(trace: Trace, capacity: int) -> dict[str, Any]:
    """See the module."""
    blocks = trace.blocks[: trace.ends["train"]]
    requests = len(blocks)
    before, after, count = _history(blocks)
    first = before == _NEVER
    counts = np.bincount(blocks)
    counts = np.sort(counts[counts > 0])[::-1]
    return {
        "requests": requests,
        "distinct_blocks": len(counts),
        "capacity": capacity,
        "share_of_requests_for_new_blocks": _round(first.mean()),
        "share_of_blocks_requested_once": _round((counts == 1).mean()),
        "share_of_requests_for_the_most_requested_blocks": {
            f"{share:g} capacities of blocks": _round(counts[: max(1, int(share * capacity))].sum() / requests)
            for share in (0.25, 1, 4)
        },
        "reuse_by_count": [
            _row(f"requested {_span(low, high)}", (count >= low) & (count <= high), after, capacity)
            for low, high in _COUNTS
        ],
        "reuse_by_last_gap": [
            _row("requested for the first time", first, after, capacity),
            *(
                _row(
                    f"last request {low:g} to {high:g} capacities ago",
                    ~first & (before >= low * capacity) & (before < high * capacity),
                    after,
                    capacity,
                )
                for low, high in zip((0, *HORIZONS), (*HORIZONS, 1e6), strict=True)
            ),
        ],
    }


def trainColumns(trace: Trace) -> dict[str, Numbers]:
    """Columns of the training part: blocks, numbered in the order of first appearance, and which are written."""
    end = trace.ends["train"]
    written = {} if trace.writes is None else {"written": trace.writes[:end].astype(np.uint32)}
    return {"block": trace.blocks[:end], **written}


def _history(blocks: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Of each request: requests since the last one for its block, until the next one, and how many it is with this."""
    order = np.argsort(blocks, kind="stable")
    same = blocks[order[1:]] == blocks[order[:-1]]
    before, after = (np.full(len(blocks), _NEVER, np.int64) for _ in range(2))
    gap = (order[1:] - order[:-1])[same]
    before[order[1:][same]] = gap
    after[order[:-1][same]] = gap
    starts = np.concatenate([[0], np.nonzero(~same)[0] + 1])
    count = np.empty(len(blocks), np.int64)
    count[order] = np.arange(len(blocks)) - np.repeat(starts, np.diff([*starts, len(blocks)])) + 1
    return before, after, count  # type: ignore[return-value]


def _row(what: str, chosen: Any, after: Any, capacity: int) -> dict[str, Any]:
    requests = int(np.count_nonzero(chosen))
    row: dict[str, Any] = {"group": what, "share_of_requests": _round(requests / max(1, len(after)))}
    if requests:
        found = after[chosen]
        row["again_within_capacities"] = {
            f"{each:g}": _round(np.count_nonzero(found <= each * capacity) / requests) for each in HORIZONS
        }
    return row


def _span(low: int, high: int) -> str:
    return f"{low} times" if low == high else f"{low} to {high} times" if high < 1 << 40 else f"{low} times and more"


def _round(number: Any) -> float:
    return round(float(number), 4)
