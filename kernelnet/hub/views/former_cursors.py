"""Cursors of the knowledge base's pages that hubs gave out until version 1.1."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from kernelnet.hub.storage.statements.components import ComponentKey, StoredComponent
from kernelnet.hub.storage.statements.patterns import StoredPattern
from kernelnet.hub.storage.transaction import Reader

__all__ = ["PatternKey", "itemsAfter", "parse"]


class PatternKey(NamedTuple):
    confidence: float
    seq: int


_FORMER = re.compile(r"c:(-?\d{1,18}):(-?[\d.e+-]{1,30}):(\d{1,18})|p:([\d.e+-]{1,30}):(\d{1,18})", re.ASCII)


def itemsAfter(reader: Reader, key: ComponentKey | PatternKey) -> Iterator[tuple[str, StoredComponent | StoredPattern]]:
    """All components after the key, then all patterns, in the order that the cursor is of."""
    if isinstance(key, ComponentKey):
        for item in reader.components.after(key):
            yield f"c:{item.rank}:{item.level!r}:{item.seq}", item
    for pattern in reader.patterns.after(key if isinstance(key, PatternKey) else None):
        yield f"p:{pattern.confidence!r}:{pattern.seq}", pattern


def parse(after: str | None) -> ComponentKey | PatternKey | None:
    """The key after which to go on; C{None}: it is no such cursor."""
    match = _FORMER.fullmatch(after or "")
    try:
        if match and match[1]:
            return ComponentKey(int(match[1]), float(match[2]), int(match[3]))
        if match:
            return PatternKey(float(match[4]), int(match[5]))
    except ValueError:
        pass
    return None
