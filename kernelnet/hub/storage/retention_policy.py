"""The policy by which the log is kept: the age and the size of ``--retain`` and ``--retain-hard``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kernelnet.duration import UNITS
from kernelnet.hub.storage.statements.log import MarksQueries
from kernelnet.hub.storage.transaction import Reader
from kernelnet.size import parseSize

__all__ = ["RetentionLimit", "RetentionPolicy"]


@dataclass(frozen=True)
class RetentionLimit:
    """
    @ivar seconds: rows older than this are over it; C{None}: age doesn't matter.
    @ivar bytes: what makes the messages in the log more than this is over it.
    """

    seconds: float | None = None
    bytes: int | None = None

    @classmethod
    def parse(cls, text: str) -> RetentionLimit:
        """
        C{30d}, C{10GB} or C{30d,10GB}.

        @raise ValueError: it is something else.
        """
        seconds = size = None
        for part in text.split(","):
            age = re.fullmatch(r"\s*([0-9]{1,6})([smhdw])\s*", part, re.ASCII)
            if age is not None and seconds is None and int(age[1]) > 0:
                seconds = float(int(age[1]) * UNITS[age[2]])
            elif age is None and size is None and re.search(r"[1-9]", part):
                size = parseSize(part)
            else:
                raise ValueError(f"an age, a size or both, such as 30d,10GB, not {text!r}")
        return cls(seconds, size)

    def reached(self, marks: MarksQueries, now: float) -> int:
        """Up to which row the log is over this limit; 0: it isn't."""
        upTo = 0
        if self.seconds is not None:
            upTo = marks.reachedAt(now - self.seconds)
        if self.bytes is not None:
            last = marks.last()
            total = last.bytes if last is not None else 0
            if total > self.bytes:
                upTo = max(upTo, marks.firstOver(total - self.bytes))
        return upTo


@dataclass(frozen=True)
class RetentionPolicy:
    """
    @ivar soft: what it is over waits for its readers.
    @ivar hard: what it is over goes.
    """

    soft: RetentionLimit | None = None
    hard: RetentionLimit | None = None

    def removable(self, reader: Reader, now: float) -> int:
        """Up to which row the log may be removed now."""
        upTo = 0
        if self.soft is not None:
            # What every known version 2 AI has dealt with; one that can't come back does not count.
            read = reader.ais.leastRead()
            upTo = self.soft.reached(reader.marks, now)
            upTo = upTo if read is None else min(upTo, read)
        if self.hard is not None:
            upTo = max(upTo, self.hard.reached(reader.marks, now))
        return upTo
