"""The log in memory: its pages, what else is asked of it, and the marks by which retention goes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import islice

import msgspec

from kernelnet.artifacts import Verdict
from kernelnet.hub.storage import log_pages
from kernelnet.hub.storage.integrity import digestOf
from kernelnet.hub.storage.log_pages import Page, fillPage
from kernelnet.hub.storage.memory.tables import LogRow, Tables
from kernelnet.hub.storage.statements.log import Confirmation, EventHeader, Mark
from kernelnet.message import MessageType

__all__ = ["MemoryLog", "MemoryMarks", "findMessage", "readPage"]


class _Judged(msgspec.Struct):
    verdict: object = None
    digest: object = None


class _Report(msgspec.Struct):
    payload: _Judged


_report = msgspec.json.Decoder(_Report)


def readPage(tables: Tables, after: int, upTo: int, aiId: str) -> Page:
    """Page that `kernelnet.hub.storage.engine.Engine.page` fires with."""
    events = (row.event for row in islice(tables.rows(after, upTo), log_pages.PAGE_ROWS))
    page = fillPage(events, aiId, after)
    if page.upTo == after:
        page.upTo = upTo  # nothing there: rows that retention removed
    return page


def findMessage(tables: Tables, sender: str, messageId: str) -> tuple[int, bytes] | None:
    """Position and digest that `kernelnet.hub.storage.transaction.Transaction.find` gives."""
    found = tables.known.get((sender, messageId))
    if found is None:
        return None
    seq, digest = found
    return seq, _digest(tables.log[seq]) if digest is None else digest


def _digest(row: LogRow) -> bytes:
    return row.digest or digestOf(row.event.line)


def _header(row: LogRow) -> EventHeader:
    return EventHeader(row.event.seq, row.event.sender, row.messageType, row.target, row.timestamp)


class MemoryLog:
    """`kernelnet.hub.storage.statements.log.LogQueries`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def headers(self, after: int, upTo: int, limit: int) -> list[EventHeader]:
        return [*map(_header, islice(self._tables.rows(after, upTo), limit))]

    def newestHeaders(self, after: int, upTo: int, limit: int) -> list[EventHeader]:
        seqs = self._tables.seqs(after, upTo)
        return [_header(self._tables.log[seq]) for seq in seqs[max(0, len(seqs) - limit) :]]

    def hasAny(self, after: int, messageTypes: Collection[str]) -> bool:
        return any(row.messageType in messageTypes for row in self._tables.rows(after, self._tables.given))

    def firstConfirmation(self) -> Confirmation | None:
        for row in self._tables.rows(0, self._tables.given):
            if row.messageType != MessageType.PERFORMANCE_REPORT.value:
                continue
            report = _report.decode(row.event.line).payload
            if report.verdict != Verdict.CONFIRMED.value:
                continue
            for component in (row.stored for row in self._tables.components.values()):
                if component.digest == report.digest and component.author != row.event.sender:
                    return Confirmation(row.timestamp, component.id, row.event.sender)
        return None


class MemoryMarks:
    """`kernelnet.hub.storage.statements.log.Marks`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def last(self) -> Mark | None:
        return max(self._tables.marks.values(), default=None)

    def reachedAt(self, at: float) -> int:
        return max((mark.seq for mark in self._tables.marks.values() if mark.at <= at), default=0)

    def firstOver(self, size: int) -> int:
        return min((mark.seq for mark in self._tables.marks.values() if mark.bytes >= size), default=0)

    def measure(self, after: int, upTo: int, limit: int) -> tuple[int | None, int]:
        rows = [*islice(self._tables.rows(after, upTo), limit)]
        return (rows[-1].event.seq if rows else None), sum(len(row.event.line) for row in rows)

    def add(self, marks: Sequence[Mark]) -> None:
        for mark in marks:
            self._tables.marks[mark.seq] = mark

    def remove(self, upTo: int, limit: int) -> int:
        going = [*islice(self._tables.rows(0, upTo), limit)]
        if not going:
            return 0
        for row in going:
            event = row.event
            self._tables.known[event.sender, row.messageId] = event.seq, _digest(row)
            del self._tables.log[event.seq]
        passed = sorted(seq for seq in self._tables.marks if seq <= going[-1].event.seq)
        for seq in passed[:-1]:
            del self._tables.marks[seq]
        return len(going)
