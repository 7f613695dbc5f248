"""Patterns that were shared, the newest version of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from msgspec import Struct

from kernelnet.hub.storage.log_pages import Event

__all__ = [
    "NewPattern",
    "PatternTurn",
    "Patterns",
    "PatternsQueries",
    "StoredPattern",
]


class NewPattern(Struct, frozen=True, gc=False):
    """A pattern that is shared by C{author}; C{body}: all of it as JSON."""

    author: str
    id: str
    type: str
    confidence: float
    specialization: str
    timestamp: str
    body: bytes


class StoredPattern(NamedTuple):
    """The newest version of an author's pattern; C{seq}: of the message it came with."""

    author: str
    confidence: float
    seq: int
    timestamp: str
    body: bytes


class PatternTurn(NamedTuple):
    """The place of a pattern where authors take turns (`PatternsQueries.inTurn`)."""

    turn: int
    confidence: float
    seq: int


class PatternsQueries(Protocol):
    """Questions about patterns.  "Best first" is by confidence, then by seq, both descending."""

    def after(self, key: tuple[float, int] | None) -> Iterator[StoredPattern]:
        """All, best first; C{key}: only those with a lower (confidence, seq)."""

    def inTurn(self, each: int, key: PatternTurn | None, limit: int) -> Iterator[tuple[PatternTurn, StoredPattern]]:
        """
        The first C{limit} where voices (`Owners`) take turns: each has its best C{each} in turn 0, the next in turn 1,
        and so on; within a turn best first.

        @param key: only those that stand behind it.
        """

    def best(self, type: str | None, limit: int, maxBytes: int) -> list[StoredPattern]:
        """
        The C{limit} best whose body is of C{maxBytes} at most.

        @param type: of this type only; C{None}: of all.
        """

    def types(self, limit: int) -> list[str]:
        """The types there are patterns of, each once, by id; the first C{limit}."""

    def count(self) -> int:
        """The number of them."""


class Patterns(PatternsQueries, Protocol):
    """Changes to patterns."""

    def put(self, event: Event, pattern: NewPattern) -> None:
        """
        Store what came with C{event}, in the place of what the same author had under the same id.

        It may be written later in the transaction, together with others.
        """
