"""
The knowledge of all AIs together: patterns, components and reports, stored from messages and read in pages.

"Best" is what most AIs other than the author confirmed by measuring it again, then what claims most; of equals
the newest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import msgspec

from kernelnet.artifacts import CodeBlock, Component, Pattern, PerformanceReport
from kernelnet.hub.storage.log_pages import Event
from kernelnet.hub.storage.statements.knowledge import ComponentKey, NewComponent, NewPattern, NewReport, StoredReport
from kernelnet.hub.storage.statements.sessions import SESSION_STATES
from kernelnet.hub.storage.transaction import Reader, Transaction
from kernelnet.message import KnowledgeBase, NetworkMessage

__all__ = [
    "MAX_REPORT",
    "PAGE_BYTES",
    "Then",
    "bestMatch",
    "counts",
    "describeReport",
    "page",
    "reportsOf",
    "storeCode",
    "storeComponent",
    "storeNothing",
    "storePattern",
    "storeReport",
]

PAGE_BYTES = 128 * 1024
"""The JSON of one page's items; what else a ``training_sync`` holds takes at most as much again."""
_SHOWN = 5
"""Reports shown with each component."""
MAX_REPORT = 16384
"""Bytes from which on a report is not shown."""

Then = Callable[[Transaction, Event], None]
"""Writes what follows from the message that was appended as this event, in the engine's thread."""
_encode = msgspec.json.Encoder().encode


def storePattern(message: NetworkMessage, pattern: Pattern) -> Then:
    """Prepare the row of a pattern, before the message is encoded; the result writes it."""
    row = NewPattern(
        message.sender_id,
        pattern.id,
        pattern.type,
        pattern.confidence,
        pattern.specialization,
        message.timestamp,
        _encodeOnce(message, "pattern"),
    )
    return partial(_putPattern, row)


def storeCode(message: NetworkMessage, code: CodeBlock) -> Then:
    """The same for a building block."""
    row = NewComponent(
        message.sender_id,
        code.id,
        "code",
        code.type,
        code.specialization,
        "",
        0.0,
        message.timestamp,
        _encodeOnce(message, "code"),
    )
    return partial(_putComponent, row)


def storeComponent(message: NetworkMessage, component: Component) -> Then:
    """The same for a component."""
    row = NewComponent(
        message.sender_id,
        component.id,
        "component",
        component.title,
        component.manifest.workbench if component.manifest else component.specialization,
        component.digest,
        component.development_level or 0.0,
        message.timestamp,
        _encodeOnce(message, "component"),
    )
    return partial(_putComponent, row)


def storeReport(message: NetworkMessage, report: PerformanceReport) -> Then:
    """The same for a report."""
    row = NewReport(
        message.sender_id,
        report.component_id,
        report.digest or "",
        report.verdict.value if report.verdict else None,
        message.timestamp,
        _encode(message.payload),
    )
    return partial(_putReport, row)


def storeNothing(transaction: Transaction, event: Event) -> None:
    """For what is in the log only."""


def _encodeOnce(message: NetworkMessage, key: str) -> bytes:
    """One part of the payload as JSON, which the message's own line takes as it is."""
    body = _encode(message.payload[key])
    message.payload[key] = msgspec.Raw(body)
    return body


def _putPattern(row: NewPattern, transaction: Transaction, event: Event) -> None:
    transaction.patterns.put(event, row)


def _putComponent(row: NewComponent, transaction: Transaction, event: Event) -> None:
    transaction.components.put(event, row)
    if row.digest:
        transaction.components.countVerdicts(row.digest)


def _putReport(row: NewReport, transaction: Transaction, event: Event) -> None:
    transaction.reports.put(event, row)
    if row.digest:
        transaction.components.countVerdicts(row.digest)


def bestMatch(reader: Reader, feature: str, requestor: str) -> dict[str, Any] | None:
    """The best stored component for a feature, as its author shared it; not the requestor's own."""
    best = reader.components.best(feature, requestor)
    return msgspec.json.decode(best.body) if best else None


def counts(reader: Reader) -> dict[str, Any]:
    """The number of all that is stored, by table; of sessions by state."""
    kinds, sessions = reader.components.countByKind(), reader.sessions.countByState()
    return {
        "stored": {
            "patterns": reader.patterns.count(),
            "components": kinds.get("component", 0),
            "confirmed_components": reader.components.countConfirmed(),
            "code_blocks": kinds.get("code", 0),
            "performance_reports": reader.reports.count(),
        },
        "sessions": {state: sessions.get(state, 0) for state in SESSION_STATES},
    }


def page(reader: Reader, after: str | None, limit: int, maxBytes: int = PAGE_BYTES) -> tuple[KnowledgeBase, str | None]:
    """
    One page of the knowledge base: components first, then patterns, each best first.

    Each item is as its author sent it, and besides says who that was: C{source}.  Building blocks stand among the
    components, with C{kind} C{"code"}.

    @param after: what an earlier page gave as cursor; C{None}, or what is no cursor: from the start.
    @param limit: the maximum number of items.
    @return: the page, and the cursor of the next one or C{None}.
    """
    base = KnowledgeBase([], [], {})
    size = 0
    last: str | None = None
    for count, (cursor, kind, source, componentId, body) in enumerate(_items(reader, after)):
        item = msgspec.json.decode(body)
        reports = reportsOf(reader, componentId) if kind == "component" else []
        cost = len(body) + len(source) + 32 + len(msgspec.json.encode(reports))
        if cost > maxBytes:
            # Larger than any page: it is named, so that nobody takes it for missing.
            item = {key: value for key, value in item.items() if key in ("id", "specialization")} | {"too_large": True}
            reports, cost = [], 600
        if count == limit or size + cost > maxBytes:
            return base, last
        size += cost
        last = cursor
        item["source"] = source
        if kind == "code":
            item["kind"] = kind
        if kind == "pattern":
            base.patterns.append(item)
        else:
            base.components.append(item)
            if reports:
                base.benchmarks[componentId] = reports
    return base, None


def _items(reader: Reader, after: str | None) -> Iterator[tuple[str, str, str, str, bytes]]:
    """
    (cursor, kind, author, id, JSON) of everything after a cursor.

    A cursor is the sort key of the last item seen, so that what is stored meanwhile shifts nothing.
    """
    key = _parseCursor(after)
    if not isinstance(key, _PatternKey):
        for item in reader.components.after(key):
            yield f"c:{item.rank}:{item.level!r}:{item.seq}", item.kind, item.author, item.id, item.body
        key = None
    for pattern in reader.patterns.after(key):
        yield f"p:{pattern.confidence!r}:{pattern.seq}", "pattern", pattern.author, "", pattern.body


class _PatternKey(NamedTuple):
    confidence: float
    seq: int


_CURSOR = re.compile(r"c:(-?\d{1,18}):(-?[\d.e+-]{1,30}):(\d{1,18})|p:([\d.e+-]{1,30}):(\d{1,18})", re.ASCII)


def _parseCursor(after: str | None) -> ComponentKey | _PatternKey | None:
    """The key after which to go on; C{None}: from the start."""
    match = _CURSOR.fullmatch(after or "")
    try:
        if match and match[1]:
            return ComponentKey(int(match[1]), float(match[2]), int(match[3]))
        if match:
            return _PatternKey(float(match[4]), int(match[5]))
    except ValueError:
        pass
    return None


def reportsOf(reader: Reader, componentId: str) -> list[dict[str, Any]]:
    """The newest reports on components of this id, as `describeReport` gives them."""
    return [*map(describeReport, reader.reports.ofComponent(componentId, _SHOWN, MAX_REPORT))]


def describeReport(report: StoredReport) -> dict[str, Any]:
    """A report as it was sent, with C{reporter} and C{timestamp}."""
    # what the hub knows comes last: nobody reports in another's name
    return {**msgspec.json.decode(report.body), "reporter": report.reporter, "timestamp": report.timestamp}
