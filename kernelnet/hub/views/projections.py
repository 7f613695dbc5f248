"""
What all AIs know together: patterns, components and reports, stored from messages and read in pages.

"Best" is what most AIs other than the author confirmed by measuring it again, then what claims most; of equals
the newest.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import msgspec

from kernelnet.artifacts import CodeBlock, Component, Pattern, PerformanceReport, Verdict
from kernelnet.hub.storage.sqlite.transaction import Transaction
from kernelnet.message import KnowledgeBase, NetworkMessage

__all__ = [
    "PAGE_BYTES",
    "Then",
    "bestMatch",
    "counts",
    "page",
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

Then = Callable[[Transaction, int], None]
"""Writes what follows from the message with this C{seq}, in the writer's thread."""
_encode = msgspec.json.Encoder().encode


def storePattern(message: NetworkMessage, pattern: Pattern) -> Then:
    """Prepare the row of a pattern, before the message is encoded; the result writes it."""
    row = (
        message.sender_id,
        pattern.id,
        pattern.type,
        pattern.confidence,
        pattern.specialization,
        message.timestamp,
        _encodeOnce(message, "pattern"),
    )
    return partial(_put, _PATTERN, row)


def storeCode(message: NetworkMessage, code: CodeBlock) -> Then:
    """The same for a building block."""
    row = (message.sender_id, code.id, "code", code.type, code.specialization, "", 0.0, message.timestamp)
    return partial(_put, _COMPONENT, (*row, _encodeOnce(message, "code")))


def storeComponent(message: NetworkMessage, component: Component) -> Then:
    """The same for a component."""
    digest = component.digest
    row = (
        message.sender_id,
        component.id,
        "component",
        component.title,
        component.manifest.workbench if component.manifest else component.specialization,
        digest,
        component.development_level or 0.0,
        message.timestamp,
        _encodeOnce(message, "component"),
    )
    return partial(_putAndCount, _COMPONENT, row, digest)


def storeReport(message: NetworkMessage, report: PerformanceReport) -> Then:
    """The same for a report."""
    row = (
        message.sender_id,
        report.component_id,
        report.digest or "",
        report.verdict.value if report.verdict else None,
        message.timestamp,
        _encode(message.payload),
    )
    return partial(_putAndCount, _REPORT, row, report.digest)


def storeNothing(transaction: Transaction, seq: int) -> None:
    """For what is in the log only."""


_PATTERN = (
    "INSERT OR REPLACE INTO shared_patterns (seq, ai_id, pattern_id, type, confidence, specialization, timestamp, body)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_COMPONENT = (
    "INSERT OR REPLACE INTO shared_components (seq, ai_id, component_id, kind, name, feature, digest,"
    " development_level, timestamp, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_REPORT = (
    "INSERT OR REPLACE INTO performance_reports (seq, ai_id, component_id, digest, verdict, timestamp, body)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)


def _encodeOnce(message: NetworkMessage, key: str) -> bytes:
    """One part of the payload as JSON, which the message's own line takes as it is."""
    body = _encode(message.payload[key])
    message.payload[key] = msgspec.Raw(body)
    return body


def _put(sql: str, row: tuple[Any, ...], transaction: Transaction, seq: int) -> None:
    transaction.put(sql, (seq, *row))


def _putAndCount(sql: str, row: tuple[Any, ...], digest: str | None, transaction: Transaction, seq: int) -> None:
    transaction.put(sql, (seq, *row))
    if digest:
        _countVerdicts(transaction, digest)


def _countVerdicts(transaction: Transaction, digest: str) -> None:
    """Count by AI what others found of the components with this digest; nobody confirms its own."""
    transaction.execute(
        """
        UPDATE shared_components SET (confirmed, refuted) = (
            SELECT COUNT(*) FILTER (WHERE verdict = ?), COUNT(*) FILTER (WHERE verdict = ?)
            FROM (SELECT DISTINCT r.ai_id, r.verdict FROM performance_reports r
                  WHERE r.digest = shared_components.digest AND r.ai_id != shared_components.ai_id)
        ) WHERE digest = ?
        """,
        (Verdict.CONFIRMED.value, Verdict.REFUTED.value, digest),
    )


def bestMatch(connection: sqlite3.Connection, feature: str, requestor: str) -> dict[str, Any] | None:
    """The best stored component for a feature, as its author shared it; not the requestor's own."""
    row = connection.execute(
        "SELECT body FROM shared_components WHERE kind = 'component' AND ai_id != ? AND (feature = ? OR name = ?)"
        " ORDER BY confirmed - refuted DESC, development_level DESC, seq DESC LIMIT 1",
        (requestor, feature, feature),
    ).fetchone()
    return msgspec.json.decode(row[0]) if row else None


def counts(connection: sqlite3.Connection) -> dict[str, Any]:
    """How much is stored, by table; sessions by state."""
    (patterns,) = connection.execute("SELECT COUNT(*) FROM shared_patterns").fetchone()
    kinds = dict(connection.execute("SELECT kind, COUNT(*) FROM shared_components GROUP BY kind"))
    (confirmed,) = connection.execute(
        "SELECT COUNT(*) FROM shared_components WHERE kind = 'component' AND confirmed > 0"
    ).fetchone()
    (reports,) = connection.execute("SELECT COUNT(*) FROM performance_reports").fetchone()
    sessions = dict(connection.execute("SELECT state, COUNT(*) FROM collaboration_sessions GROUP BY state"))
    return {
        "stored": {
            "patterns": patterns,
            "components": kinds.get("component", 0),
            "confirmed_components": confirmed,
            "code_blocks": kinds.get("code", 0),
            "performance_reports": reports,
        },
        "sessions": {
            state: sessions.get(state, 0) for state in ("offered", "active", "completed", "declined", "expired")
        },
    }


def page(
    connection: sqlite3.Connection, after: str | None, limit: int, maxBytes: int = PAGE_BYTES
) -> tuple[KnowledgeBase, str | None]:
    """
    One page of the knowledge base: components first, then patterns, each best first.

    Each item is as its author sent it, and besides says who that was: C{source}.  Building blocks stand among the
    components, with C{kind} C{"code"}.

    @param after: what an earlier page gave as cursor; C{None}, or what is no cursor: from the start.
    @param limit: at most so many items.
    @return: the page, and the cursor of the next one or C{None}.
    """
    base = KnowledgeBase([], [], {})
    size = 0
    last: str | None = None
    for count, (cursor, kind, source, componentId, body) in enumerate(_items(connection, after)):
        item = msgspec.json.decode(body)
        reports = _reports(connection, componentId) if kind == "component" else []
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


def _items(connection: sqlite3.Connection, after: str | None) -> Iterator[tuple[str, str, str, str, bytes]]:
    """
    (cursor, kind, author, id, JSON) of everything after a cursor.

    A cursor is the sort key of the last item seen, so that what is stored meanwhile shifts nothing.
    """
    table, key = _parseCursor(after)
    if table == "c":
        found = connection.execute(
            "SELECT confirmed - refuted, development_level, seq, kind, ai_id, component_id, body FROM shared_components"
            " WHERE (confirmed - refuted, development_level, seq) < (?, ?, ?)"
            " ORDER BY confirmed - refuted DESC, development_level DESC, seq DESC",
            key or (1 << 62, 1e308, 1 << 62),
        )
        for rank, level, seq, kind, source, componentId, body in found:
            yield f"c:{rank}:{level!r}:{seq}", kind, source, componentId, body
        key = None
    found = connection.execute(
        "SELECT confidence, seq, ai_id, body FROM shared_patterns WHERE (confidence, seq) < (?, ?)"
        " ORDER BY confidence DESC, seq DESC",
        key or (2.0, 1 << 62),
    )
    for confidence, seq, source, body in found:
        yield f"p:{confidence!r}:{seq}", "pattern", source, "", body


_CURSOR = re.compile(r"c:(-?\d{1,18}):(-?[\d.e+-]{1,30}):(\d{1,18})|p:([\d.e+-]{1,30}):(\d{1,18})", re.ASCII)


def _parseCursor(after: str | None) -> tuple[str, tuple[float, ...] | None]:
    match = _CURSOR.fullmatch(after or "")
    try:
        if match and match[1]:
            return "c", (int(match[1]), float(match[2]), int(match[3]))
        if match:
            return "p", (float(match[4]), int(match[5]))
    except ValueError:
        pass
    return "c", None


def _reports(connection: sqlite3.Connection, componentId: str) -> list[dict[str, Any]]:
    rows = connection.execute(
        "SELECT ai_id, timestamp, body FROM performance_reports WHERE component_id = ? AND length(body) < 16384"
        " ORDER BY seq DESC LIMIT ?",
        (componentId, _SHOWN),
    )
    # what the hub knows comes last: nobody reports in another's name
    return [{**msgspec.json.decode(body), "reporter": aiId, "timestamp": at} for aiId, at, body in rows]
