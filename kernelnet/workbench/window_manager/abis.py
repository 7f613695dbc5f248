"""ABIs of this bench: the exports of its components."""

from __future__ import annotations

from pathlib import Path

from kernelnet.workbench.abi import Abi, rankAbi

__all__ = ["ABIS", "HEADER"]

_HERE = Path(__file__).parent
HEADER = _HERE / "kn_window_manager.h"

ABIS = (
    Abi(
        "window_manager/full/1",
        _HERE / "driver.c",
        {
            "kn_init": ((), ()),
            "kn_sample": (("i32", "f64", "f64"), ()),
            "kn_x": (("i32", "i32"), ("f64",)),
            "kn_y": (("i32", "i32"), ("f64",)),
        },
        included=(_HERE / "full.h",),
    ),
    rankAbi(
        "window_manager/rank/1",
        _HERE / "driver.c",
        (
            *("v1", "v2", "v3", "v4", "mean", "fit", "ahead", "age", "gap", "before"),
            *("speed", "slower", "pace", "turn", "kept"),
        ),
        function="kn_move",
        included=(_HERE / "rank.h",),
        # Of the pointer: how old its newest sample is, how fast it is, and when the place is wanted.
        terms={"age": "age", "ahead": "gap", "gap": "life", "speed": "frequency", "pace": "history"},
        known=(
            # Dead reckoning by the last two samples, and damped; by the straight line through four; by the last 50 ms;
            "v1 * ahead",
            "0.75 * v1 * ahead",
            "fit * ahead",
            "mean * ahead",
            # Android's resampling; with half of the change of velocity; and with the share of it that was kept lately.
            "v1 * min(ahead, min(8.0, 0.5 * gap))",
            "ahead * (v1 + 0.5 * (v1 - v2))",
            "ahead * v1 * min(1.0, kept)",
            "ahead * (0.6 * v1 + 0.3 * v2)",
        ),
    ),
)
