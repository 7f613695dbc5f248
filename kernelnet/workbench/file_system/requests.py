"""Requests as they are read of a trace file: which block each request is for, and whether it is written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from kernelnet.workbench.account import Account

__all__ = ["MAX_SIZE", "PAGE", "Requests", "bounded", "expanded", "numberOf", "numbersOf"]

PAGE = 4096
"""Bytes of a block, where a trace has ranges of bytes."""

MAX_SIZE = (1 << 32) - 1
"""Bytes of an object: what is larger counts as that much."""

_ONCE = 1 << 20
_NUMBER = re.compile(rb"[0-9]{1,20}")


@dataclass(frozen=True, eq=False)
class Requests:
    """
    @ivar ids: by request, the id of its block.
    @ivar writes: by request, whether the block is written; C{None} if none is, or the trace does not say.
    @ivar sizes: by request, the bytes of its object, 1 to C{MAX_SIZE}; C{None} where blocks are of one size, or a
        request does not tell it.
    @ivar whole: how many requests the file has, where that is known.
    @ivar oneIn: these are the requests for one in so many of its blocks; see `sampling`.
    @ivar account: how the file was read.
    """

    ids: npt.NDArray[np.uint64]
    writes: npt.NDArray[np.bool_] | None = None
    whole: int = 0
    oneIn: int = 1
    account: Account = field(default_factory=Account)
    sizes: npt.NDArray[np.uint32] | None = None


def bounded(sizes: npt.NDArray[np.uint64], account: Account) -> npt.NDArray[np.uint32]:
    """
    Sizes as they count, 1 to C{MAX_SIZE}.

    @param account: its figures tell of how many requests the size was another.
    """
    for name, other in (("sizes of 0, which count as 1", sizes == 0), ("sizes above 4 GiB, cut", sizes > MAX_SIZE)):
        if count := int(np.count_nonzero(other)):
            account.figures[name] = int(account.figures.get(name, 0)) + count
    return np.clip(sizes, 1, MAX_SIZE).astype(np.uint32)


def numberOf(text: bytes) -> int | None:
    """A whole number from 0 to 2^64 - 1; C{None} if the text is none."""
    if not _NUMBER.fullmatch(text):
        return None
    number = int(text)
    return number if number < 1 << 64 else None


def numbersOf(cells: Sequence[str]) -> npt.NDArray[np.uint64] | None:
    """The cells as numbers from 0 to 2^64 - 1; C{None} if any is none."""
    text = "".join(cells)
    if not (text.isascii() and text.isdigit()):
        cells = [cell.strip() for cell in cells]
        text = "".join(cells)
    if not (text.isascii() and text.isdigit() and all(cells)) or max(map(len, cells)) > 19:
        values = [numberOf(cell.encode("latin-1", errors="replace")) for cell in cells]
        return None if None in values else np.array(values, np.uint64)
    return np.array(list(map(int, cells)), np.uint64)


def expanded(
    ids: npt.NDArray[np.uint64],
    many: npt.NDArray[np.int64],
    writes: npt.NDArray[np.bool_] | None,
    *,
    isRange: bool,
    sizes: npt.NDArray[np.uint32] | None = None,
) -> Iterator[Requests]:
    """Rows that stand for several requests, in bounded pieces: for the pages from the id on, or for the id again."""
    if (many == 1).all():
        yield Requests(ids, writes, sizes=sizes)
        return
    ends = np.cumsum(many)
    start = 0
    while start < len(ids):
        before = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + _ONCE, "right")))
        counts = many[start:stop]
        found = np.repeat(ids[start:stop], counts)
        if isRange:
            within = np.arange(len(found)) - np.repeat(ends[start:stop] - counts - before, counts)
            found = found + within.astype(np.uint64)
        yield Requests(
            found,
            None if writes is None else np.repeat(writes[start:stop], counts),
            sizes=None if sizes is None else np.repeat(sizes[start:stop], counts),
        )
        start = stop
