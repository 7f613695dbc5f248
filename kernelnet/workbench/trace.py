"""
The common part of all benches' traces: a name, a digest, three parts in time, and columns of dense numbers.

A bench's own trace adds its columns.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from kernelnet.workbench.account import Account
from kernelnet.workbench.splits import SPLITS

__all__ = ["BaseTrace", "Numbers", "SplitTrace", "VariableTrace", "dense"]

Numbers = npt.NDArray[np.uint32]
"""A column: one number for each event."""


class SplitTrace(Protocol):
    """Facts about a trace that machines and scenarios need; `BaseTrace` has them."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def digest(self) -> str:
        """Hex SHA-256 of what is measured."""

    def windows(self, upTo: str) -> list[tuple[str, int, int]]:
        """C{(split, from, to)} for each split up to and with C{upTo}."""


class VariableTrace(SplitTrace, Protocol):
    """One that has variants: what claims are measured on; see `kernelnet.workbench.variants`."""

    def seedFor(self, change: str, module: bytes) -> bytes:
        """See `BaseTrace.seedFor`."""

    def variant(self, seed: bytes) -> SplitTrace:
        """
        The trace without a part of it; which, follows from the seed.

        What is left of a split is the same split of the variant.

        @param seed: 32 bytes; the variant's digest is its hexadecimal digits, so that keys are the variant's own, too.
        """


@dataclass(frozen=True, eq=False)
class BaseTrace:
    """
    @ivar name: for people.
    @ivar digest: hex SHA-256 of what is measured, whatever file it was read from.
    @ivar ends: by split, the event before which it ends.
    @ivar account: how its file was read.
    """

    name: str
    digest: str
    ends: dict[str, int]
    account: Account = field(default_factory=Account, kw_only=True)

    def windows(self, upTo: str) -> list[tuple[str, int, int]]:
        """C{(split, from, to)} for each split up to and with C{upTo}; raises C{ValueError} for an unknown one."""
        result, start = [], 0
        for split in SPLITS[: SPLITS.index(upTo) + 1]:
            result.append((split, start, self.ends[split]))
            start = self.ends[split]
        return result

    def learnAndCheck(self) -> tuple[slice, slice]:
        """Where patterns are learned and where they are checked: the end of train and validation, equally long."""
        trainEnd, validationEnd = self.ends["train"], self.ends["validation"]
        window = min(trainEnd, validationEnd - trainEnd)
        return slice(trainEnd - window, trainEnd), slice(trainEnd, trainEnd + window)

    def seedFor(self, change: str, module: bytes) -> bytes:
        """
        Seed of a change of this trace, which nobody knows before the module is done.

        @param module: its digest.
        """
        return hashlib.sha256(change.encode("ascii") + module + bytes.fromhex(self.digest)).digest()


def dense(ids: npt.NDArray[Any]) -> tuple[Numbers, int]:
    """
    Numbers from 0 in the order of first appearance.

    @return: the column, and how many different ones there are.
    """
    distinct, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
    number = np.empty(len(distinct), np.uint32)
    number[np.argsort(first, kind="stable")] = np.arange(len(distinct), dtype=np.uint32)
    return np.ascontiguousarray(number[inverse], dtype="<u4"), len(distinct)
