"""Traces of reads: one line a read, with the file and the number of the block in it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kernelnet.workbench.base import splitEnds
from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.reading import nameOf, pieces, plainName, shown, wholeLines
from kernelnet.workbench.thinning import drawn
from kernelnet.workbench.trace import BaseTrace

__all__ = ["Trace", "makeTrace", "readTrace"]

MIN_READS = 100
MAX_READS = 1 << 24
MAX_BLOCK = (1 << 31) - 1
MISSING = 4

RIGHT = f"each line should be a file's name and the number of a block in it, 0 to {MAX_BLOCK}"
NUMBER = re.compile(rb"[0-9]{1,10}")


@dataclass(frozen=True, eq=False)
class Trace(BaseTrace):
    """
    See `BaseTrace`; an event is a read.

    @ivar digest: hex SHA-256 of what is measured: of the reads, whatever file they were in.
    @ivar file: by read, the number of its file, in the order of first appearance; C{block}: of the block in it.
    """

    file: Any
    block: Any
    files: int

    def variant(self, seed: bytes) -> Trace:
        """
        What a claim is measured on: of each split the reads of a quarter of the files are missing.

        Which files, follows from the module's digest: who counts reads doesn't know where in the trace he is.  Single
        reads would be no good: what is read from end to end would have gaps that no file has.
        """
        left = np.ones(len(self.file), np.bool_)
        for split, start, end in self.windows("held_out"):
            left[start:end] = drawn(seed, split, self.files, MISSING)[self.file[start:end]] > 0
            left[start] = True  # No split is empty.
        ends = {split: int(np.count_nonzero(left[:end])) for split, end in self.ends.items()}
        return Trace(self.name, seed.hex(), ends, self.file[left], self.block[left], self.files)


def readTrace(path: Path) -> Trace:
    """@raise TraceError: it can't be read, or isn't what it should be."""
    if not plainName(path).endswith(".reads"):
        right = "it should end in .reads, with .gz or .xz behind it where it is compressed"
        raise TraceError(path, None, f"no trace of reads has a name like {path.name!r}", right)
    names: dict[bytes, int] = {}
    file, block = [], []
    for data in wholeLines(path, pieces(path), RIGHT):
        for line in data.splitlines():
            fields = line.split()
            if len(fields) != 2 or not NUMBER.fullmatch(fields[1]) or int(fields[1]) > MAX_BLOCK:
                raise TraceError(path, len(file) + 1, f"{shown(line)} is no read", RIGHT)
            file.append(names.setdefault(fields[0], len(names)))
            block.append(int(fields[1]))
        if len(file) > MAX_READS:
            raise TraceError(path, None, f"more than {MAX_READS} reads", "use a part of it")
    return makeTrace(file, block, path)


def makeTrace(file: list[int], block: list[int], path: Path) -> Trace:
    """@param path: for its name, and for errors."""
    if len(file) < MIN_READS:
        raise TraceError(path, None, f"it has {len(file)} reads", f"at least {MIN_READS} are needed")
    files, blocks = np.array(file, "<u4"), np.array(block, "<u4")
    digest = hashlib.sha256(b"readahead trace 1\n" + files.tobytes() + blocks.tobytes()).hexdigest()
    return Trace(nameOf(path, (".reads",)), digest, splitEnds(len(file)), files, blocks, max(file) + 1)
