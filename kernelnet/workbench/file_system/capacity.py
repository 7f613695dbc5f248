"""Sizes of a cache: in blocks, or as a share of the blocks that a trace has."""

from __future__ import annotations

import re

from kernelnet.workbench.errors import WorkbenchError

__all__ = [
    "DEFAULT_SHARE",
    "MAX_CAPACITY",
    "MIN_CAPACITY",
    "NO_SIZES",
    "SHARES",
    "atMost",
    "blocksOf",
    "bytesInWords",
    "bytesOf",
    "shareOf",
]

MIN_CAPACITY = 16
"""Of those that are chosen by default: with fewer slots, luck decides."""

MAX_CAPACITY = 1 << 22
"""The largest at which every baseline does with the memory that a policy may have."""

SHARES = ("0.1%", "1%", "10%")
"""Of the distinct blocks: what is trained at by default."""

DEFAULT_SHARE = "10%"

NO_SIZES = "its requests tell no sizes of objects, or one for all, so bytes should be 0: all blocks are of one size"

_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,9})?) ?%")
_BLOCKS = re.compile(r"[0-9]{1,30}")


def atMost(distinct: int) -> int:
    """The largest that a trace of so many blocks may have: with more slots a policy would never choose."""
    return min(MAX_CAPACITY, max(MIN_CAPACITY, distinct))


def shareOf(distinct: int, share: str) -> int:
    """
    @param share: such as C{"10%"} or C{"0.1%"}.
    @return: so many of the blocks, rounded down; may be 0.
    @raise WorkbenchError: it isn't a share, or more than 100 %.
    """
    match = _SHARE.fullmatch(share.strip())
    if match is None:
        raise WorkbenchError(f"{share!r} is no share of the trace's blocks; it should be like 10% or 0.1%")
    whole, _, fraction = match[1].partition(".")
    part, of = int(whole + fraction), 10 ** (2 + len(fraction))
    if part > of:
        raise WorkbenchError(f"{share} is more than all of the trace's blocks")
    # In whole numbers: the capacity is part of what is claimed, and must be the same everywhere.
    return distinct * part // int(of)


def blocksOf(distinct: int, capacity: str) -> int:
    """
    Blocks that a user means by C{"10%"} (of the distinct blocks, at least one) or C{"1000"} (blocks).

    @raise WorkbenchError: it is neither, or no capacity for a trace of so many blocks.
    """
    text = capacity.strip()
    if text.endswith("%"):
        blocks = max(1, shareOf(distinct, text))
    elif _BLOCKS.fullmatch(text):
        blocks = int(text)
    else:
        raise WorkbenchError(f"{capacity!r} is no capacity; it should be blocks, like 1000, or a share, like 10%")
    if not 1 <= blocks <= atMost(distinct):
        raise WorkbenchError(f"capacity is {blocks}; it should be 1 to {atMost(distinct)} blocks")
    return blocks


def bytesOf(footprint: int, capacity: str) -> int:
    """
    Bytes that a user means by C{"10%"} (of the bytes of all objects, at least one) or C{"1000"} (bytes).

    @raise WorkbenchError: it is neither.
    """
    text = capacity.strip()
    if text.endswith("%"):
        return max(1, shareOf(footprint, text))
    if not _BLOCKS.fullmatch(text):
        raise WorkbenchError(f"{capacity!r} is no capacity; it should be bytes, like 1000000, or a share, like 10%")
    return int(text)


def bytesInWords(number: int) -> str:
    """Bytes for people, like C{12.3 MiB}."""
    size, units = float(number), ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]
    while size >= 1024 and len(units) > 1:
        size /= 1024
        units.pop(0)
    return f"{number} B" if units[0] == "B" else f"{size:.3g} {units[0]}"
