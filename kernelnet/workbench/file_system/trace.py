"""A trace, made ready: dense block numbers, its digest, and where train, validation and held-out begin."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from twisted.logger import Logger

from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.file_system.readers import MAX_TRACE_REQUESTS, readTrace, traceName
from kernelnet.workbench.splits import splitEnds
from kernelnet.workbench.trace import BaseTrace, Numbers, dense

__all__ = ["Trace", "loadTrace", "makeTrace"]

MIN_REQUESTS = 100
SHOWN = 1000
HARDLY_ANY = 0.95
"""Share of requests that are for new blocks, above which there is nothing to learn."""

log = Logger(namespace="kernelnet.workbench")


@dataclass(frozen=True, eq=False)
class Trace(BaseTrace):
    """
    See `BaseTrace`; an event is a request, the digest is of the dense block numbers, of which are written,
    and of the sizes.

    @ivar blocks: the requested block of each request; blocks are numbered in the order of first appearance.
    @ivar distinct: how many blocks there are.
    @ivar writes: by request, whether its block is written; C{None} if none is, or the trace does not say.
    @ivar sizes: by request, its object's bytes; C{None} if all blocks are of one size, or the trace does not say.
    @ivar sequential: by request, whether its block is the one behind the last request's, as they were numbered
        before; C{None} if that isn't known.  For C{kernelnet.workbench.file_system.patterns} alone.
    """

    blocks: Numbers
    distinct: int
    writes: npt.NDArray[np.bool_] | None = None
    sequential: npt.NDArray[np.bool_] | None = None
    sizes: Numbers | None = None

    def forDriver(self) -> Numbers:
        """The blocks as C{driver.c} reads them, where the highest bit tells a write."""
        if self.writes is None:
            return self.blocks
        return self.blocks | (self.writes.astype("<u4") << np.uint32(31))

    @property
    def footprint(self) -> int:
        """Bytes of all objects, each as it comes first; 0 where sizes aren't known."""
        if self.sizes is None:
            return 0
        _, first = np.unique(self.blocks, return_index=True)
        return int(self.sizes[first].sum(dtype=np.int64))

    def distinctBefore(self, end: int) -> int:
        """Number of blocks that the requests before C{end} are for."""
        return int(self.blocks[:end].max()) + 1 if end else 0

    def variant(self, seed: bytes) -> Trace:
        """See `VariableTrace.variant`."""
        events, ends, turns = self.varied(seed)
        blocks, writes = self.blocks[events], None if self.writes is None else self.writes[events]
        # Blocks keep their numbers: the driver needs no more than that they are below `distinct`.
        sizes = None if self.sizes is None else self.sizes[events]
        return Trace(self.name, seed.hex(), ends, blocks, self.distinct, writes, sizes=sizes, turns=turns)


def loadTrace(path: Path) -> Trace:
    """
    Read a trace file.

    @raise TraceError: see `readTrace`; or it is too short or too long.
    """
    requests = readTrace(path)
    account = requests.account
    trace = replace(makeTrace(requests.ids, path, requests.writes, requests.sizes), account=account)
    written = {} if trace.writes is None else {"writes": int(trace.writes.sum())}
    account.figures = {"requests": requests.whole, "blocks": trace.distinct, **written, **account.figures}
    if trace.sizes is not None:
        account.figures["bytes of all objects"] = trace.footprint
        account.figures["sizes"] = f"{int(trace.sizes.min())} to {int(trace.sizes.max())} bytes"
        if changed := changedSizes(trace):
            account.figures["requests with another size than the object's last"] = changed
    if trace.distinct > HARDLY_ANY * len(trace.blocks):
        account.doubt(f"hardly any block is requested again: {len(trace.blocks)} requests for {trace.distinct} blocks")
    if requests.oneIn == 1:
        return trace
    told = (
        f"{path.name} has {requests.whole} requests, of which those for one block in {requests.oneIn} are taken"
        f" (SHARDS): {len(trace.blocks)}; a cache of {SHOWN} blocks stands for one of {SHOWN * requests.oneIn}"
    )
    log.info("{told}", told=told)
    account.doubts.insert(0, told)
    # What came next in the file isn't known: blocks between were left out.
    return replace(trace, name=f"{trace.name} (1 in {requests.oneIn})", sequential=None)


def changedSizes(trace: Trace) -> int:
    """Number of requests that tell another size than the request before for the same object."""
    if trace.sizes is None:
        return 0
    order = np.argsort(trace.blocks, kind="stable")
    same = trace.blocks[order[1:]] == trace.blocks[order[:-1]]
    return int(np.count_nonzero(same & (trace.sizes[order[1:]] != trace.sizes[order[:-1]])))


def makeTrace(
    ids: npt.NDArray[np.uint64],
    path: Path,
    writes: npt.NDArray[np.bool_] | None = None,
    sizes: npt.NDArray[np.uint32] | None = None,
) -> Trace:
    """Make a trace of block ids, by request; C{path} is for its name and for errors."""
    if not MIN_REQUESTS <= len(ids) <= MAX_TRACE_REQUESTS:
        raise TraceError(
            path, None, f"it has {len(ids)} requests", f"{MIN_REQUESTS} to {MAX_TRACE_REQUESTS} are needed"
        )
    blocks, distinct = dense(ids)
    digest = hashlib.sha256(b"kernelnet file_system trace 1\n" + blocks.tobytes())
    if writes is not None:
        digest.update(b"writes\n" + np.packbits(writes).tobytes())
    if sizes is not None and len(sizes) and (sizes == sizes[0]).all():
        sizes = None  # blocks of one size, whatever they are called
    if sizes is not None:
        sizes = np.ascontiguousarray(sizes, "<u4")
        digest.update(b"sizes\n" + sizes.tobytes())
    sequential = np.concatenate([[False], ids[1:] == ids[:-1] + np.uint64(1)])
    return Trace(
        traceName(path), digest.hexdigest(), splitEnds(len(blocks)), blocks, distinct, writes, sequential, sizes
    )
