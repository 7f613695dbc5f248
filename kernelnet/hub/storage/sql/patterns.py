"""Patterns."""

from __future__ import annotations

from collections.abc import Iterator

from kernelnet.hub.storage.log_pages import Event
from kernelnet.hub.storage.sql.execution import Execute, Put, upsert
from kernelnet.hub.storage.sql.owners import OWNER
from kernelnet.hub.storage.statements.patterns import NewPattern, PatternTurn, StoredPattern

__all__ = ["SqlPatterns"]

_PUT_PATTERN = upsert(
    *("shared_patterns", 2, "ai_id", "pattern_id", "seq", "type", "confidence", "specialization", "timestamp", "body"),
    owner=OWNER,
)
_PATTERN = "SELECT ai_id, confidence, seq, timestamp, body FROM shared_patterns"


class SqlPatterns:
    """`kernelnet.hub.storage.statements.patterns.Patterns`."""

    __slots__ = ("_execute", "_put")

    def __init__(self, execute: Execute, put: Put) -> None:
        self._execute = execute
        self._put = put

    def put(self, event: Event, pattern: NewPattern) -> None:
        p = pattern
        self._put(
            _PUT_PATTERN,
            (p.author, p.id, event.seq, p.type, p.confidence, p.specialization, p.timestamp, p.body, p.author),
        )

    def after(self, key: tuple[float, int] | None) -> Iterator[StoredPattern]:
        where = " WHERE (confidence, seq) < (?, ?)" if key is not None else ""
        return map(
            StoredPattern._make, self._execute(f"{_PATTERN}{where} ORDER BY confidence DESC, seq DESC", key or ())
        )

    def inTurn(self, each: int, key: PatternTurn | None, limit: int) -> Iterator[tuple[PatternTurn, StoredPattern]]:
        where = "WHERE (-turn, confidence, seq) < (-?2, ?3, ?4)" if key else ""
        rows = self._execute(
            f"""
            SELECT ai_id, pattern_id, turn, confidence, seq FROM (
                SELECT ai_id, pattern_id, confidence, seq, (ROW_NUMBER() OVER (
                    PARTITION BY voice ORDER BY confidence DESC, seq DESC
                ) - 1) / ?1 AS turn FROM shared_patterns
            ) AS turns {where} ORDER BY turn, confidence DESC, seq DESC LIMIT {int(limit)}
            """,  # noqa: S608
            (each, *(key or ())),
        ).fetchall()
        for author, id_, *turn in rows:
            if row := self._execute(f"{_PATTERN} WHERE ai_id = ? AND pattern_id = ?", (author, id_)).fetchone():
                yield PatternTurn._make(turn), StoredPattern._make(row)

    def best(self, type: str | None, limit: int, maxBytes: int) -> list[StoredPattern]:
        rows = self._execute(
            f"{_PATTERN} WHERE (type = ?1 OR ?1 IS NULL) AND length(body) <= ?3"
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
