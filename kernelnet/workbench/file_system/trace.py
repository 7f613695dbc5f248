"""A trace, made ready: dense block numbers, its digest, and where train, validation and held-out begin."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from twisted.logger import Logger

from kernelnet.workbench.base import SPLITS, splitEnds
from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.file_system.readers import MAX_REQUESTS, readTrace, traceName

__all__ = ["Trace", "loadTrace", "makeTrace"]

MIN_REQUESTS = 100
THINNED = 1000
SHOWN = 1000

log = Logger(namespace="kernelnet.workbench")


@dataclass(frozen=True, eq=False)
class Trace:
    """
    @ivar name: for people.
    @ivar digest: hex SHA-256 of the dense block numbers, and of which are written: whatever file they were read from.
    @ivar blocks: the requested block of each request; blocks are numbered in the order of first appearance.
    @ivar distinct: how many blocks there are.
    @ivar sampled: for people, if this is a sample of a longer one (see `sampling`); else empty.
    @ivar ends: by split, the request before which it ends.
    @ivar writes: by request, whether its block is written; C{None} if none is, or the trace does not say.
    @ivar sequential: by request, whether its block is the one behind the last request's, as they were numbered
        before; C{None} if that isn't known.  For C{kernelnet.workbench.file_system.patterns} alone.
    """

    name: str
    digest: str
    blocks: npt.NDArray[np.uint32]
    distinct: int
    ends: dict[str, int]
    writes: npt.NDArray[np.bool_] | None = None
    sequential: npt.NDArray[np.bool_] | None = None
    sampled: str = ""

    def forDriver(self) -> npt.NDArray[np.uint32]:
        """The blocks as C{driver.c} reads them, where the highest bit tells a write."""
        if self.writes is None:
            return self.blocks
        return self.blocks | (self.writes.astype("<u4") << np.uint32(31))

    def windows(self, upTo: str) -> list[tuple[str, int, int]]:
        """C{(split, from, to)} for each split up to and with C{upTo}; raises C{ValueError} for an unknown one."""
        result, start = [], 0
        for split in SPLITS[: SPLITS.index(upTo) + 1]:
            result.append((split, start, self.ends[split]))
            start = self.ends[split]
        return result

    def distinctBefore(self, end: int) -> int:
        """How many blocks the requests before C{end} are for."""
        return int(self.blocks[:end].max()) + 1 if end else 0

    def thinned(self, module: bytes) -> Trace:
        """
        The trace without one request in a thousand; which ones, nobody knows before the module is done.

        @param module: its digest.
        """
        requests = len(self.blocks)
        seed = hashlib.sha256(b"thinned" + module + bytes.fromhex(self.digest))
        drawn = hashlib.shake_128(seed.digest()).digest(8 * -(-requests // THINNED))
        left = np.ones(requests, np.bool_)
        left[np.frombuffer(drawn, "<u8") % np.uint64(requests)] = False
        blocks, writes = self.blocks[left], None if self.writes is None else self.writes[left]
        # Blocks keep their numbers: the driver needs no more than that they are below `distinct`.
        return Trace(self.name, seed.hexdigest(), blocks, self.distinct, splitEnds(len(blocks)), writes)


def loadTrace(path: Path) -> Trace:
    """
    Read a trace file.

    @raise TraceError: see `readTrace`; or it is too short or too long.
    """
    requests = readTrace(path)
    trace = makeTrace(requests.ids, path, requests.writes)
    if requests.oneIn == 1:
        return trace
    told = (
        f"{path.name} has {requests.whole} requests, of which those for one block in {requests.oneIn} are taken"
        f" (SHARDS): {len(trace.blocks)}; a cache of {SHOWN} blocks stands for one of {SHOWN * requests.oneIn}"
    )
    log.info("{told}", told=told)
    # What came next in the file isn't known: blocks between were left out.
    return replace(trace, name=f"{trace.name} (1 in {requests.oneIn})", sequential=None, sampled=told)


def makeTrace(ids: npt.NDArray[np.uint64], path: Path, writes: npt.NDArray[np.bool_] | None = None) -> Trace:
    """Make a trace of block ids; C{path} is for its name and for errors."""
    if not MIN_REQUESTS <= len(ids) <= MAX_REQUESTS:
        raise TraceError(path, None, f"it has {len(ids)} requests", f"{MIN_REQUESTS} to {MAX_REQUESTS} are needed")
    unique, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
    number = np.empty(len(unique), np.uint32)
    number[np.argsort(first)] = np.arange(len(unique), dtype=np.uint32)
    blocks = np.ascontiguousarray(number[inverse], dtype="<u4")
    digest = hashlib.sha256(b"kernelnet file_system trace 1\n" + blocks.tobytes())
    if writes is not None:
        digest.update(b"writes\n" + np.packbits(writes).tobytes())
    sequential = np.concatenate([[False], ids[1:] == ids[:-1] + np.uint64(1)])
    return Trace(traceName(path), digest.hexdigest(), blocks, len(unique), splitEnds(len(blocks)), writes, sequential)
