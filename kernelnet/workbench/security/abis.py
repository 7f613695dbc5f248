"""ABIs of this bench: the exports of its components."""

from __future__ import annotations

from pathlib import Path

from kernelnet.workbench.abi import Abi, rankAbi

__all__ = ["ABIS", "FEATURES", "HEADER"]

_HERE = Path(__file__).parent
HEADER = _HERE / "kn_security.h"

FEATURES = (
    *("length", "distinct", "run", "commonest"),
    *("unseen1", "unseen2", "unseen3", "unseen4", "unseen5", "unseen6"),
    *("rare1", "rare2", "rare3", "rare4", "rare5", "rare6"),
    *("markov1", "markov2", "markov3"),
    *("frame3", "frame6", "surge"),
    *("nearest", "shift"),
)
"""Facts that the driver knows of a sequence; kn_security.h says what each is, features.c computes them."""

ABIS = (
    Abi(
        "security/full/1",
        _HERE / "driver.c",
        {
            "kn_init": (("i32", "i32"), ()),
            "kn_learn": (("i32",), ()),
            "kn_learned": ((), ()),
            "kn_call": (("i32",), ()),
            "kn_score": ((), ("f64",)),
        },
    ),
    rankAbi(
        "security/rank/1",
        _HERE / "driver.c",
        FEATURES,
        included=(_HERE / "features.c",),
        # The others are degrees of strangeness, for which no other bench has a word.
        terms={"length": "size", "commonest": "frequency", "distinct": "crowd", "surge": "pressure"},
        known=(
            # The hand-made detectors, and pairs of them.
            *("unseen6", "frame6", "rare3", "rare6", "markov1", "markov3", "nearest", "shift"),
            *("rare3 + markov2", "markov3 + shift", "unseen6 - aq(distinct, length)"),
        ),
    ),
)
