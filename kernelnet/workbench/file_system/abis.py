"""ABIs of this bench: the exports of its components."""

from __future__ import annotations

from pathlib import Path

from kernelnet.workbench.abi import PARAMETERS, Abi, rankAbi

__all__ = ["ABIS", "HEADER"]

_HERE = Path(__file__).parent
HEADER = _HERE / "kn_file_system.h"

ABIS = (
    Abi(
        "file_system/full/2",
        _HERE / "driver.c",
        {
            "kn_init": (("i32",), ()),
            "kn_hit": (("i32",), ()),
            "kn_victim": (("i64",), ("i32",)),
            "kn_insert": (("i32", "i64"), ()),
        },
        # All but parameters are reserved: no driver calls them yet.
        optional={
            **PARAMETERS,
            "kn_forget": (("i32",), ()),
            "kn_bytes": (("i64",), ()),
            "kn_size": (("i32",), ()),
        },
    ),
    rankAbi(
        "file_system/rank/1",
        _HERE / "driver.c",
        ("age", "life", "freq", "gap", "gap2", "hist", "ghostgap", "pressure"),
        included=(_HERE / "rank.h",),
        optional={"kn_rank_sized": (("f64",) * 9, ("f64",))},
        known=(
            "-age",
            "-life",
            "freq + hist",
            "aq(freq + hist, age)",
            "-max(age, gap)",
            "lg(freq + hist) - lg(age)",
        ),
        # LRU is the round robin of page caches, LFU its least attained service, and FIFO is FCFS.
        terms={
            "age": "age",
            "life": "life",
            "freq": "frequency",
            "gap": "gap",
            "gap2": "gap",
            "hist": "history",
            "pressure": "pressure",
        },
    ),
)
