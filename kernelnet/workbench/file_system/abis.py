"""ABIs of this bench: the exports of its components."""

from __future__ import annotations

from pathlib import Path

from kernelnet.workbench.abi import PARAMETERS, Abi, Signature, rankAbi

__all__ = ["ABIS", "HEADER", "SIZED_ABIS"]

_HERE = Path(__file__).parent
HEADER = _HERE / "kn_file_system.h"

_FULL: dict[str, Signature] = {
    "kn_init": (("i32",), ()),
    "kn_hit": (("i32",), ()),
    "kn_victim": (("i64",), ("i32",)),
    "kn_insert": (("i32", "i64"), ()),
}
_SIZES: dict[str, Signature] = {"kn_bytes": (("i64",), ()), "kn_size": (("i32",), ())}
_FORGET: dict[str, Signature] = {"kn_forget": (("i32",), ())}
_FEATURES = ("age", "life", "freq", "gap", "gap2", "hist", "ghostgap", "pressure")

# LRU is the round robin of page caches, LFU its least attained service, and FIFO is FCFS.
_TERMS = {
    "age": "age",
    "life": "life",
    "freq": "frequency",
    "gap": "gap",
    "gap2": "gap",
    "hist": "history",
    "pressure": "pressure",
}

ABIS = (
    Abi(
        "file_system/full/2",
        _HERE / "driver.c",
        _FULL,
        # All but parameters are for other caches: this driver doesn't call them.
        optional={**PARAMETERS, **_FORGET, **_SIZES},
    ),
    rankAbi(
        "file_system/rank/1",
        _HERE / "driver.c",
        _FEATURES,
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
        terms=_TERMS,
    ),
)

SIZED_ABIS = (
    Abi(
        "file_system/full_sized/1",
        _HERE / "sized.c",
        {**_FULL, **_SIZES},
        optional={**PARAMETERS, **_FORGET},
    ),
    rankAbi(
        "file_system/rank_sized/1",
        _HERE / "sized.c",
        (*_FEATURES, "size"),
        function="kn_rank_sized",
        included=(_HERE / "rank.h",),
        optional={"kn_rank": (("f64",) * 8, ("f64",))},
        known=(
            "-age",
            "-age * size",
            "(freq + hist) / size",
            "aq(freq + hist, age * size)",
            "lg(freq + hist) - lg(age) - lg(size)",
            "-max(age, gap) * size",
        ),
        terms={**_TERMS, "size": "size"},
    ),
)
"""Of caches of objects of different sizes; see `kernelnet.workbench.file_system.object_cache`."""
