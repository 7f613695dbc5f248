"""
Account of how a trace file was read: what its parts were taken for, what was left out, and what is doubtful.

Readers of all benches write one as they go; C{kernelnet bench inspect} shows it, and C{bench run} its doubts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

__all__ = ["MAX_FIRST", "Account"]

MAX_FIRST = 5
"""Number of first rows that are kept as they were understood."""

_MAX_DOUBTS = 20


@dataclass
class Account:
    """
    @ivar format: of the file, for people.
    @ivar columns: by column, by its name or number: what it was taken for.
    @ivar figures: what was counted, by its name, in the order in which people want to read it.
    @ivar skipped: how many lines, events or members were left out, by the reason.
    @ivar doubts: sentences about what might be understood wrongly, and how to say what is right.
    @ivar first: the first rows, each with what it was understood as.
    """

    format: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    figures: dict[str, int | str] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)
    doubts: list[str] = field(default_factory=list)
    first: list[tuple[str, str]] = field(default_factory=list)

    def doubt(self, sentence: str) -> None:
        """Note a doubt, once."""
        if sentence not in self.doubts and len(self.doubts) < _MAX_DOUBTS:
            self.doubts.append(sentence)
