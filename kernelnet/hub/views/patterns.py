"""Patterns as people and the API are told of them."""

from __future__ import annotations

from typing import Any

import msgspec

from kernelnet.hub.storage.statements.patterns import StoredPattern
from kernelnet.hub.storage.transaction import Reader

__all__ = ["distinctPatterns", "patternTypes", "patterns"]

MAX_PATTERN = 65536
"""Bytes of the largest pattern that is shown: no trainer keeps a larger one, and many of them would fill the memory."""


def patterns(reader: Reader, kind: str | None, limit: int) -> list[dict[str, Any]]:
    """
    Patterns, the most confident first, each as its author sent it, with C{source}, C{shared} and C{seq}.

    @param kind: of one type only.
    """
    return [*map(_described, reader.patterns.best(kind, limit, MAX_PATTERN))]


def _described(stored: StoredPattern) -> dict[str, Any]:
    return {
        **msgspec.json.decode(stored.body),
        "source": stored.author,
        "shared": stored.timestamp,
        "seq": stored.seq,
    }


class _Told(msgspec.Struct):
    """The part of a pattern by which two are the same; its data as it was sent."""

    id: str
    type: str
    data: msgspec.Raw = msgspec.Raw(b"null")


def distinctPatterns(reader: Reader, kind: str | None, limit: int) -> list[dict[str, Any]]:
    """
    The same, each once, whoever else said it: as its most confident author sent it, with C{said_by}, the number of AIs
    that shared one of the same id, type and data.
    """
    found: dict[tuple[str, str, bytes], dict[str, Any]] = {}
    for stored in reader.patterns.after(None):
        if len(stored.body) > MAX_PATTERN:
            continue
        told = msgspec.json.decode(stored.body, type=_Told)
        if kind is not None and told.type != kind:
            continue
        key = told.id, told.type, bytes(told.data)
        if key in found:
            found[key]["said_by"] += 1
        elif len(found) < limit:
            found[key] = {**_described(stored), "said_by": 1}
    return list(found.values())


def patternTypes(reader: Reader) -> list[str]:
    """The types that there are patterns of, 100 at most."""
    return reader.patterns.types(100)
