"""Patterns as people and the API are told of them."""

from __future__ import annotations

from typing import Any

import msgspec

from kernelnet.hub.storage.transaction import Reader

__all__ = ["patternTypes", "patterns"]

MAX_PATTERN = 65536
"""Bytes of the largest pattern that is shown: no trainer keeps a larger one, and many of them would fill the memory."""


def patterns(reader: Reader, kind: str | None, limit: int) -> list[dict[str, Any]]:
    """
    Patterns, the most confident first, each as its author sent it, with C{source}, C{shared} and C{seq}.

    @param kind: of one type only.
    """
    return [
        {**msgspec.json.decode(p.body), "source": p.author, "shared": p.timestamp, "seq": p.seq}
        for p in reader.patterns.best(kind, limit, MAX_PATTERN)
    ]


def patternTypes(reader: Reader) -> list[str]:
    """The types that there are patterns of, 100 at most."""
    return reader.patterns.types(100)
