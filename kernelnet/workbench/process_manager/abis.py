"""ABIs of this bench: the exports of its components."""

from __future__ import annotations

from pathlib import Path

from kernelnet.workbench.abi import PARAMETERS, Abi, rankAbi

__all__ = ["ABIS", "HEADER"]

_HERE = Path(__file__).parent
HEADER = _HERE / "kn_process_manager.h"

_DRIVER = _HERE / "driver.c"
_INCLUDED = (_HERE / "rank.c", _HERE / "srpt.c")

FEATURES = (
    *("wait", "attained", "idle", "estimate", "mean", "last", "count"),
    *("residual", "gittins", "usual", "siblings", "pressure"),
)
"""See the header."""

KNOWN = (
    "attained",
    "residual",
    "gittins",
    "usual",
    "gittins + usual",
    # Who runs goes on unless another is clearly better: a switch costs.
    "iflt(0, idle, gittins, 0.7 * gittins)",
    "iflt(0, estimate, residual * estimate, gittins)",
    "estimate",
    "max(attained, mean)",
    "attained * residual",
    "aq(gittins, 1 + wait)",
)

TERMS = {
    "wait": "life",
    "attained": "frequency",
    "idle": "age",
    "gittins": "gap",
    "usual": "gap",
    "residual": "gap",
    "last": "gap",
    "mean": "gap",
    "count": "history",
    "estimate": "size",
    "siblings": "crowd",
    "pressure": "pressure",
}

ABIS = (
    Abi(
        "process_manager/full/2",
        _DRIVER,
        {
            "kn_init": (("i32", "i32", "i64"), ()),
            "kn_arrive": (("i32", "i64", "i64", "i64", "i64"), ()),
            "kn_pick": (("i64",), ("i32",)),
            "kn_ran": (("i32", "i64", "i64"), ()),
            "kn_done": (("i32", "i64", "i64"), ()),
        },
        included=_INCLUDED,
        optional={**PARAMETERS, "kn_forget": (("i32", "i64"), ())},
    ),
    rankAbi("process_manager/rank/1", _DRIVER, FEATURES, known=KNOWN, included=_INCLUDED, terms=TERMS),
)
