"""The log's rows without their content, and the marks by which retention goes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol

__all__ = ["Confirmation", "EventHeader", "LogQueries", "Mark", "Marks", "MarksQueries"]


class EventHeader(NamedTuple):
    """
    A logged message without its content.

    @ivar target: as the author gave it; C{None}: all others.
    """

    seq: int
    sender: str
    messageType: str
    target: str | None
    timestamp: str


class Confirmation(NamedTuple):
    """That C{reporter} confirmed the component C{componentId} of another AI."""

    timestamp: str
    componentId: str
    reporter: str


class LogQueries(Protocol):
    """The log as it is looked at; its readers get it by C{Engine.page}."""

    def headers(self, after: int, upTo: int, limit: int) -> list[EventHeader]:
        """The first C{limit} rows with C{after < seq <= upTo}, by seq."""

    def newestHeaders(self, after: int, upTo: int, limit: int) -> list[EventHeader]:
        """The last C{limit} rows with C{after < seq <= upTo}, by seq (ascending, too)."""

    def hasAny(self, after: int, messageTypes: Collection[str]) -> bool:
        """Whether a row of one of these types has C{seq > after}."""

    def firstConfirmation(self) -> Confirmation | None:
        """
        The first row (by seq) that is a C{performance_report} with the verdict C{confirmed} in its payload, whose
        C{digest} there is that of a stored component of another AI than its sender; of several such components any.
        """


class Mark(NamedTuple):
    """At the time C{at} the log had reached C{seq}, and C{bytes} of messages had gone into it since counting began."""

    seq: int
    at: float
    bytes: int


class MarksQueries(Protocol):
    """The marks, of which seq, time and bytes never fall from one to the next."""

    def last(self) -> Mark | None:
        """The mark with the highest seq."""

    def reachedAt(self, at: float) -> int:
        """The highest seq of a mark that was set at that time or earlier; 0: none was."""

    def firstOver(self, size: int) -> int:
        """The lowest seq of a mark with at least so many bytes; 0: there is none."""

    def measure(self, after: int, upTo: int, limit: int) -> tuple[int | None, int]:
        """
        Of the first C{limit} rows of the log with C{after < seq <= upTo}: the last one's seq (C{None}: there are none)
        and the bytes of all their bodies.
        """


class Marks(MarksQueries, Protocol):
    """Marks set, and the log's beginning removed by them."""

    def add(self, marks: Sequence[Mark]) -> None:
        """Set these; one with a seq that is there takes its place."""

    def remove(self, upTo: int, limit: int) -> int:
        """
        Remove the log's first rows: at most C{limit}, none with a seq above C{upTo}.  Their sender, message id, seq and
        digest stay known to `kernelnet.hub.storage.transaction.Transaction.find` for ever, and no later row gets one of
        their numbers.  Of the marks up to the last row that goes only the highest stays.

        @return: how many rows went.
        """
