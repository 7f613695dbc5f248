"""ABIs of this bench: the exports of its components."""

from __future__ import annotations

from pathlib import Path

from kernelnet.workbench.abi import Abi, rankAbi

__all__ = ["ABIS", "HEADER"]

_HERE = Path(__file__).parent
HEADER = _HERE / "kn_audio.h"

ABIS = (
    Abi(
        "audio/full/1",
        _HERE / "driver.c",
        {
            "kn_init": (("i32",) * 5, ()),
            "kn_arrive": (("i32", "i32"), ()),
            "kn_target": (("i32",), ("f64",)),
        },
        included=(_HERE / "full.h", _HERE / "cost.h"),
    ),
    rankAbi(
        "audio/rank/1",
        _HERE / "driver.c",
        ("last", "mean", "dev", "q95", "q99", "peak", "trend", "sincelate", "fill", "current"),
        function="kn_delay",
        included=(_HERE / "rank.h", _HERE / "cost.h"),
        # Of the next frame; what it would like to know beforehand is its transit.
        terms={
            "sincelate": "age",
            "q99": "gap",
            "q95": "gap",
            "last": "gap",
            "mean": "gap",
            "current": "size",
            "trend": "pressure",
            "fill": "crowd",
        },
        known=(
            # Ramjee's and Jacobson's mean and four deviations; quantiles, as Concord's and NetEq's;
            "mean + 4.0 * dev",
            "q95",
            "q99 + 10.0",
            # what stays above all that came lately, and the same only where that isn't far;
            "peak + 10.0",
            "max(q95, peak) + 5.0",
            "max(q99, last + 2.0 * max(trend, 0.0)) + 5.0",
            # one that falls slowly, and only where it is worth its price; and one that flees when nothing is left.
            "iflt(current, q99 + 10.0, q99 + 10.0, iflt(current, q99 + 40.0, current, current - 2.0))",
            "iflt(fill, 1.0, current + 20.0, max(q99, peak))",
        ),
    ),
)
