"""Offers of blobs: whose they are, which trace is said to be in them, and who is named to whoever looks for one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from msgspec import Struct

__all__ = ["MAX_FOUND", "Found", "Note", "Offer", "found"]

MAX_FOUND = 8
"""Blobs that are named for one trace."""


class Offer(Struct):
    """Whose a blob is, and which trace is said to be in it; nobody here has read it."""

    owner: str
    trace: str
    suffix: str = ""


class Note(Struct):
    """All that is known of a blob; C{used}: Unix time of its last use."""

    size: int
    used: float
    offers: dict[str, Offer]


class Found(Struct):
    """A blob in which a trace is said to be."""

    digest: str
    size: int
    author: str
    suffix: str = ""


def found(blobs: Mapping[str, Note], trace: str, by: str) -> list[Found]:
    """
    Blobs in which C{trace} is said to be, no more than `MAX_FOUND`: those of the author C{by} first.

    Owners have one each before any has a second, so that nobody hides others' by what is no such trace.
    """
    said = sorted(
        (-note.used, digest, author, offer.owner, offer.suffix)
        for digest, note in blobs.items()
        for author, offer in note.offers.items()
        if offer.trace == trace
    )
    turns: Counter[str] = Counter()
    rows = []
    for number, (_, digest, author, owner, suffix) in enumerate(said):
        rows.append((author != by, turns[owner], number, Found(digest, blobs[digest].size, author, suffix)))
        turns[owner] += 1
    return [one for *_, one in sorted(rows, key=lambda row: row[:3])[:MAX_FOUND]]
