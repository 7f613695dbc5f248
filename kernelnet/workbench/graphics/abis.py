"""ABIs of this bench: the exports of its components."""

from __future__ import annotations

from pathlib import Path

from kernelnet.workbench.abi import Abi, rankAbi

__all__ = ["ABIS", "FEATURES", "HEADER"]

_HERE = Path(__file__).parent
HEADER = _HERE / "kn_graphics.h"

FEATURES = (
    *("period", "last", "mean", "dev", "peak", "rolling", "tail", "best"),
    *("usual", "spread", "high", "fitting", "seen", "sum"),
    *("changed", "fresh", "idle", "since", "late"),
)
"""See the header."""

ABIS = (
    Abi(
        "graphics/full/1",
        _HERE / "driver.c",
        {
            "kn_init": (("i32", "i32"), ()),
            "kn_vblank": (("i32",), ("f64",)),
            "kn_commit": (("i64", "i32"), ("f64",)),
            "kn_done": (("i32", "i32"), ()),
        },
        included=(_HERE / "full.h",),
    ),
    rankAbi(
        "graphics/rank/1",
        _HERE / "driver.c",
        FEATURES,
        function="kn_budget",
        included=(_HERE / "rank.h",),
        # Of the frame; what it would like to know beforehand is for how long it will be painted.
        terms={
            "fitting": "gap",
            "usual": "gap",
            "best": "gap",
            "mean": "gap",
            "last": "gap",
            "high": "gap",
            "tail": "gap",
            "idle": "age",
            "since": "life",
            "seen": "history",
            "changed": "crowd",
            "sum": "size",
        },
        known=(
            # As compositors have it: mutter's maximum, KWin's mean and deviation, gamescope's rolling maximum,
            # Chromium's percentile;
            "peak + 0.3",
            "mean + 3.0 * dev",
            "rolling + 0.5",
            "tail + 0.3",
            # what would have been best: of all frames, and of those with the same damage;
            "best",
            "fitting",
            "fitting + 0.2",
            "max(fitting, usual + 3.0 * spread)",
            "iflt(seen, 4.0, max(best, sum + 2.0 * dev), fitting)",
            "high + 0.3",
            "usual + 3.0 * spread",
        ),
    ),
)
