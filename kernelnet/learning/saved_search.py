"""
A search in a file, with all that it takes to go on with it: what it was, and what it has measured.

The file is JSON in xz, and holds numbers and C text only: whoever reads one runs nothing of what is in it but in the
sandbox.  It lies beside the C file that the search wrote.
"""

from __future__ import annotations

import lzma
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from kernelnet.learning.search_results import MAX_WINDOWS, Windows, windowsIn

__all__ = ["MAX_BYTES", "NotASearch", "SavedSearch", "decode", "encode", "searchFile"]

MAX_BYTES = 256 << 20
"""Of a file's contents: several times those of the largest number of results."""

_FORMAT = "kernelnet search 1"

_Seed = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
_Objective = Annotated[str, Meta(pattern="^(score|fuel)$")]
_Evaluations = Annotated[int, Meta(ge=0, le=1 << 40)]
_Tasks = Annotated[list[tuple[str, dict[str, int]]], Meta(min_length=1)]
_Measured = Annotated[Windows, Meta(min_length=1)]


class NotASearch(ValueError):
    """A file is none that a search wrote; says why."""


class SavedSearch(Struct, forbid_unknown_fields=True):
    """
    @ivar tasks: paths of the traces, with their settings.
    @ivar trace_digest: of the scenario that these make.
    @ivar parent: C source that the search began with; empty: none.
    @ivar seconds, evaluations: that it has had so far; C{timed}: whether it was seconds that it was given.
    @ivar costs: see `kernelnet.generators.evolution.portfolio`.
    @ivar results: see `kernelnet.learning.search_results.SearchResults.known`.
    """

    workbench: str
    workbench_digest: str
    trace_digest: str
    tasks: _Tasks
    generator: str
    seed: _Seed
    objective: _Objective
    parent: str
    parent_name: str
    timed: bool
    seconds: float
    evaluations: _Evaluations
    costs: list[float]
    results: dict[str, _Measured | None]
    format: str = _FORMAT


def searchFile(out: Path) -> Path:
    """File beside what a search writes."""
    return out.with_name(f"{out.name}.search")


def encode(search: SavedSearch) -> bytes:
    """Contents of a file."""
    return lzma.compress(msgspec.json.encode(search), preset=1)


def decode(data: bytes) -> SavedSearch:
    """@raise NotASearch: these are not the contents of such a file."""
    try:
        decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=128 << 20)
        text = decompressor.decompress(data, max_length=MAX_BYTES)
        if not decompressor.eof:
            raise NotASearch("it is cut off, or too large")
        found = msgspec.json.decode(text, type=SavedSearch)
    except lzma.LZMAError:
        raise NotASearch("it is not compressed by xz") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise NotASearch(str(error)) from None
    if found.format != _FORMAT:
        raise NotASearch(f"it is of another version, {found.format[:40]!r} instead of {_FORMAT!r}")
    if windowsIn(found.results.values()) > MAX_WINDOWS:
        raise NotASearch(f"it has results of more than {MAX_WINDOWS} windows")
    return found
