"""Requests as they are read of a trace file: which block each request is for, and whether it is written."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["PAGE", "Requests", "numberOf"]

PAGE = 4096
"""Bytes of a block, where a trace has ranges of bytes."""

_NUMBER = re.compile(rb"[0-9]{1,20}")


@dataclass(frozen=True, eq=False)
class Requests:
    """
    @ivar ids: by request, the id of its block.
    @ivar writes: by request, whether the block is written; C{None} if none is, or the trace does not say.
    @ivar whole: how many requests the file has, where that is known.
    @ivar oneIn: these are the requests for one in so many of its blocks; see `sampling`.
    """

    ids: npt.NDArray[np.uint64]
    writes: npt.NDArray[np.bool_] | None = None
    whole: int = 0
    oneIn: int = 1


def numberOf(text: bytes) -> int | None:
    """A whole number from 0 to 2^64 - 1; C{None} if the text is none."""
    if not _NUMBER.fullmatch(text):
        return None
    number = int(text)
    return number if number < 1 << 64 else None
