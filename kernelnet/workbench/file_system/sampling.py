"""
Spatial hash sampling of very long traces: SHARDS (C. A. Waldspurger, N. Park, A. Garthwaite and I. Ahmad, Efficient MRC
construction with SHARDS, FAST 2015).

Of a trace of more than `BOUND` requests those are taken whose block's id has a hash below a threshold, so of a block
all requests or none: one block in 2, 4, 8 and so on, as many as are needed.  Which ones depends on the file alone, not
on how it is read.  Where one block in C{n} is taken, a cache of some blocks stands for one of C{n} times as many on the
whole, and has about its miss ratio: nearer the more blocks are taken, and the less the most popular of them weigh.  The
paper's correction for these is for the curve of LRU alone; here all policies meet the same sample.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kernelnet.workbench.account import Account
from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.file_system.requests import Requests

__all__ = ["BOUND", "sample"]

BOUND = 20_000_000
"""Requests: with more, a search would measure some candidates a minute."""

MOST_HALVINGS = 16


def sample(path: Path, parts: Iterable[Requests], account: Account | None = None) -> Requests:
    """
    All of a trace, or a sample of it if it is longer than `BOUND`.

    @param path: for errors; C{account}: goes with the requests.
    @raise TraceError: even of one block in 2^16 there are too many requests.
    """
    tooFew = TraceError(path, None, f"more than {BOUND} requests for very few blocks", "use a part of it")
    kept: list[Requests] = []
    halvings = taken = whole = 0
    for part in parts:
        whole += len(part.ids)
        kept.append(_taken(part, halvings))
        taken += len(kept[-1].ids)
        while taken > BOUND:
            if halvings == MOST_HALVINGS:
                raise tooFew
            halvings += 1
            kept = [_taken(each, halvings) for each in kept]
            taken = sum(len(each.ids) for each in kept)
    if halvings and not taken:
        raise tooFew
    ids = np.concatenate([np.empty(0, np.uint64), *(each.ids for each in kept)])
    written = np.concatenate([np.empty(0, np.bool_), *(each.writes for each in kept if each.writes is not None)])
    # Sizes that not all requests tell are no sizes.
    sizes = [each.sizes for each in kept if each.sizes is not None]
    known = np.concatenate(sizes) if ids.size and sum(map(len, sizes)) == len(ids) else None
    return Requests(ids, written if written.any() else None, whole, 1 << halvings, account or Account(), known)


def _taken(part: Requests, halvings: int) -> Requests:
    if not halvings:
        return part
    left = _hashed(part.ids) >> np.uint64(64 - halvings) == 0
    return Requests(
        part.ids[left],
        None if part.writes is None else part.writes[left],
        sizes=None if part.sizes is None else part.sizes[left],
    )


def _hashed(ids: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """SplitMix64 (G. L. Steele, D. Lea and C. H. Flood, OOPSLA 2014): ids that lie together have nothing in common."""
    x = ids + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
