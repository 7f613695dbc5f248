"""Patterns, components and reports in SQLite."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import msgspec

from kernelnet.artifacts import Verdict
from kernelnet.hub.storage.log_pages import Event
from kernelnet.hub.storage.sqlite.log import Execute
from kernelnet.hub.storage.statements.knowledge import (
    ComponentKey,
    NewComponent,
    NewPattern,
    NewReport,
    StoredComponent,
    StoredPattern,
    StoredReport,
)

__all__ = ["Put", "SqliteComponents", "SqlitePatterns", "SqliteReports"]

Put = Callable[[str, Sequence[Any]], object]
"""Has an INSERT of one row executed, now or later in the transaction, together with others."""

_PUT_PATTERN = (
    "INSERT OR REPLACE INTO shared_patterns (seq, ai_id, pattern_id, type, confidence, specialization, timestamp, body)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_PUT_COMPONENT = (
    "INSERT OR REPLACE INTO shared_components (seq, ai_id, component_id, kind, name, feature, digest,"
    " development_level, timestamp, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_PUT_REPORT = (
    "INSERT OR REPLACE INTO performance_reports (seq, ai_id, component_id, digest, verdict, timestamp, body)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)

_PATTERN = "SELECT ai_id, confidence, seq, timestamp, body FROM shared_patterns"
_COMPONENT = (
    "SELECT ai_id, component_id, kind, digest, development_level, confirmed, refuted, seq, timestamp, body"
    " FROM shared_components"
)
_REPORT = "SELECT ai_id, verdict, timestamp, body FROM performance_reports"

_BEST = "confirmed - refuted DESC, development_level DESC, seq DESC"
_SORTS = {
    "level": ("development_level", "seq"),
    "confirmed": ("confirmed - refuted", "development_level", "seq"),
    "newest": ("seq",),
}
_STATES = {
    "confirmed": "confirmed > 0 AND refuted = 0",
    "refuted": "refuted > 0 AND confirmed = 0",
    "disputed": "confirmed > 0 AND refuted > 0",
    "unmeasured": "confirmed = 0 AND refuted = 0",
}


class SqlitePatterns:
    """`kernelnet.hub.storage.statements.knowledge.Patterns`."""

    __slots__ = ("_execute", "_put")

    def __init__(self, execute: Execute, put: Put) -> None:
        self._execute = execute
        self._put = put

    def put(self, event: Event, pattern: NewPattern) -> None:
        p = pattern
        self._put(
            _PUT_PATTERN, (event.seq, p.author, p.id, p.type, p.confidence, p.specialization, p.timestamp, p.body)
        )

    def after(self, key: tuple[float, int] | None) -> Iterator[StoredPattern]:
        where = " WHERE (confidence, seq) < (?, ?)" if key is not None else ""
        return map(
            StoredPattern._make, self._execute(f"{_PATTERN}{where} ORDER BY confidence DESC, seq DESC", key or ())
        )

    def best(self, type: str | None, limit: int, maxBytes: int) -> list[StoredPattern]:
        rows = self._execute(
            f"{_PATTERN} WHERE (?1 IS NULL OR type = ?1) AND length(body) <= ?3"
            " ORDER BY confidence DESC, seq DESC LIMIT ?2",
            (type, limit, maxBytes),
        )
        return [*map(StoredPattern._make, rows)]

    def types(self, limit: int) -> list[str]:
        rows = self._execute("SELECT DISTINCT type FROM shared_patterns ORDER BY type LIMIT ?", (limit,))
        return [kind for (kind,) in rows]

    def count(self) -> int:
        (count,) = self._execute("SELECT COUNT(*) FROM shared_patterns").fetchone()
        return int(count)


class SqliteComponents:
    """`kernelnet.hub.storage.statements.knowledge.Components`."""

    __slots__ = ("_execute", "_put")

    def __init__(self, execute: Execute, put: Put) -> None:
        self._execute = execute
        self._put = put

    def put(self, event: Event, component: NewComponent) -> None:
        c = component
        self._put(
            _PUT_COMPONENT,
            (event.seq, c.author, c.id, c.kind, c.name, c.feature, c.digest, c.level, c.timestamp, c.body),
        )

    def countVerdicts(self, digest: str) -> None:
        self._execute(
            """
            UPDATE shared_components SET (confirmed, refuted) = (
                SELECT COUNT(*) FILTER (WHERE verdict = ?), COUNT(*) FILTER (WHERE verdict = ?)
                FROM (SELECT DISTINCT r.ai_id, r.verdict FROM performance_reports r
                      WHERE r.digest = shared_components.digest AND r.ai_id != shared_components.ai_id)
            ) WHERE digest = ?
            """,
            (Verdict.CONFIRMED.value, Verdict.REFUTED.value, digest),
        )

    def after(self, key: ComponentKey | None) -> Iterator[StoredComponent]:
        where = " WHERE (confirmed - refuted, development_level, seq) < (?, ?, ?)" if key is not None else ""
        return map(StoredComponent._make, self._execute(f"{_COMPONENT}{where} ORDER BY {_BEST}", key or ()))

    def best(self, feature: str, requestor: str) -> StoredComponent | None:
        return self._one(
            f"kind = 'component' AND ai_id != ? AND (feature = ? OR name = ?) ORDER BY {_BEST} LIMIT 1",
            requestor,
            feature,
            feature,
        )

    def listed(
        self,
        *,
        workbench: str | None,
        author: str | None,
        state: str | None,
        sort: str,
        limit: int,
        after: ComponentKey | None,
    ) -> list[StoredComponent]:
        conditions: list[str] = ["kind = 'component'"]
        values: list[Any] = []
        if workbench is not None:
            conditions.append("feature = ?")
            values.append(workbench)
        if author is not None:
            conditions.append("ai_id = ?")
            values.append(author)
        if state is not None:
            conditions.append(_STATES[state])
        columns = _SORTS[sort]
        if after is not None:
            numbers = {"development_level": after.level, "confirmed - refuted": after.rank, "seq": after.seq}
            conditions.append(f"({', '.join(columns)}) < ({', '.join('?' * len(columns))})")
            values += [numbers[column] for column in columns]
        order = ", ".join(f"{column} DESC" for column in columns)
        return self._some(f"{' AND '.join(conditions)} ORDER BY {order} LIMIT ?", *values, limit)

    def inOrder(self) -> Iterator[StoredComponent]:
        return map(StoredComponent._make, self._execute(f"{_COMPONENT} WHERE kind = 'component' ORDER BY seq"))

    def named(self, name: str) -> list[StoredComponent]:
        return self._some(
            "kind = 'component' AND (component_id = ?1"
            " OR (length(?1) >= 6 AND substr(digest, 1, length(?1)) = lower(?1))) ORDER BY seq",
            name,
        )

    def at(self, seq: int) -> StoredComponent | None:
        return self._one("kind = 'component' AND seq = ?", seq)

    def withDigest(self, digest: str) -> StoredComponent | None:
        return self._one("kind = 'component' AND digest = ? ORDER BY seq LIMIT 1", digest)

    def confirmedOnly(self, limit: int) -> Iterator[StoredComponent]:
        newest = self._execute(
            "SELECT rowid FROM shared_components"
            " WHERE kind = 'component' AND confirmed > 0 AND refuted = 0 ORDER BY seq DESC LIMIT ?",
            (limit,),
        ).fetchall()
        # One at a time, since each may be of a megabyte.
        for (rowid,) in reversed(newest):
            if (component := self._one("rowid = ?", rowid)) is not None:
                yield component

    def features(self, limit: int) -> list[str]:
        rows = self._execute(
            "SELECT DISTINCT feature FROM shared_components WHERE kind = 'component' ORDER BY feature LIMIT ?", (limit,)
        )
        return [str(name) for (name,) in rows]

    def idsBeginning(self, beginning: str, limit: int) -> list[str]:
        rows = self._execute(
            "SELECT component_id FROM shared_components WHERE kind = 'component'"
            " AND substr(component_id, 1, length(?1)) = ?1 ORDER BY seq DESC LIMIT ?2",
            (beginning, limit),
        )
        return [componentId for (componentId,) in rows]

    def heldDigests(self, digests: Collection[str]) -> set[str]:
        rows = self._execute(
            "SELECT digest FROM shared_components WHERE kind = 'component'"
            " AND digest IN (SELECT value FROM json_each(?))",
            (_json(digests),),
        )
        return {digest for (digest,) in rows}

    def digestsOf(self, names: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
        rows = self._execute(
            "SELECT ai_id, component_id, digest FROM shared_components WHERE kind = 'component'"
            " AND (ai_id, component_id)"
            " IN (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?))",
            (_json(names),),
        )
        return {(aiId, componentId): digest for aiId, componentId, digest in rows}

    def countByKind(self) -> dict[str, int]:
        return dict(self._execute("SELECT kind, COUNT(*) FROM shared_components GROUP BY kind").fetchall())

    def countConfirmed(self) -> int:
        (count,) = self._execute(
            "SELECT COUNT(*) FROM shared_components WHERE kind = 'component' AND confirmed > 0"
        ).fetchone()
        return int(count)

    def _one(self, condition: str, *values: Any) -> StoredComponent | None:
        row = self._execute(f"{_COMPONENT} WHERE {condition}", values).fetchone()
        return StoredComponent._make(row) if row else None

    def _some(self, condition: str, *values: Any) -> list[StoredComponent]:
        return [*map(StoredComponent._make, self._execute(f"{_COMPONENT} WHERE {condition}", values))]


class SqliteReports:
    """`kernelnet.hub.storage.statements.knowledge.Reports`."""

    __slots__ = ("_execute", "_put")

    def __init__(self, execute: Execute, put: Put) -> None:
        self._execute = execute
        self._put = put

    def put(self, event: Event, report: NewReport) -> None:
        r = report
        self._put(_PUT_REPORT, (event.seq, r.reporter, r.componentId, r.digest, r.verdict, r.timestamp, r.body))

    def ofComponent(self, componentId: str, limit: int, below: int) -> list[StoredReport]:
        sql = f"{_REPORT} WHERE component_id = ? AND length(body) < ? ORDER BY seq DESC LIMIT ?"
        return [*map(StoredReport._make, self._execute(sql, (componentId, below, limit)))]

    def onDigest(self, digest: str, limit: int, below: int) -> list[StoredReport]:
        sql = f"{_REPORT} WHERE digest = ? AND length(body) < ? ORDER BY seq DESC LIMIT ?"
        return [*map(StoredReport._make, self._execute(sql, (digest, below, limit)))]

    def verdicts(self, digest: str, author: str) -> list[tuple[str, str]]:
        return self._execute(
            "SELECT ai_id, verdict FROM performance_reports WHERE digest = ? AND ai_id != ? AND verdict IS NOT NULL"
            " ORDER BY seq",
            (digest, author),
        ).fetchall()

    def count(self) -> int:
        (count,) = self._execute("SELECT COUNT(*) FROM performance_reports").fetchone()
        return int(count)


def _json(values: Collection[Any]) -> str:
    return msgspec.json.encode(list(values)).decode()
