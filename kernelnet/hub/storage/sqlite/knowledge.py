"""Patterns, components and reports in SQLite."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from kernelnet.artifacts import Verdict
from kernelnet.hub.storage.log_pages import Event
from kernelnet.hub.storage.sqlite.log import Execute
from kernelnet.hub.storage.statements.knowledge import (
    LOOKS,
    MIN_PREFIX,
    VOICES,
    ComponentKey,
    ComponentTurn,
    NewComponent,
    NewPattern,
    NewReport,
    PatternTurn,
    StoredComponent,
    StoredPattern,
    StoredReport,
)

__all__ = ["Put", "SqliteComponents", "SqlitePatterns", "SqliteReports"]

T = TypeVar("T")

Put = Callable[[str, Sequence[Any]], object]
"""Has an INSERT of one row executed, now or later in the transaction, together with others."""

_PUT_PATTERN = (
    "INSERT OR REPLACE INTO shared_patterns (seq, ai_id, pattern_id, type, confidence, specialization, timestamp, body)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_PUT_COMPONENT = (
    "INSERT OR REPLACE INTO shared_components (seq, ai_id, component_id, kind, name, feature, digest,"
    " development_level, timestamp, body, workbench_digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_PUT_REPORT = (
    "INSERT OR REPLACE INTO performance_reports (seq, ai_id, component_id, digest, verdict, timestamp, body)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)

_PATTERN = "SELECT ai_id, confidence, seq, timestamp, body FROM shared_patterns"
_COMPONENT = (
    "SELECT ai_id, component_id, kind, digest, development_level, confirmed, refuted, seq, timestamp, body, older_rules"
    " FROM shared_components"
)
_REPORT = "SELECT ai_id, verdict, timestamp, body FROM performance_reports"

_SORTS = {
    "level": ("standing", "development_level", "seq"),
    "confirmed": ("-older_rules", "confirmed - refuted", "development_level", "seq"),
    "newest": ("-older_rules", "seq"),
}
_BEST = "standing DESC, development_level DESC, seq DESC"
_IS_OLDER = """(
    workbench_digest != '' AND EXISTS (
        SELECT 1 FROM workbench_rules w
        WHERE w.workbench = shared_components.feature AND w.digest != shared_components.workbench_digest
    )
)"""
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

    def inTurn(self, each: int, key: PatternTurn | None, limit: int) -> Iterator[tuple[PatternTurn, StoredPattern]]:
        where = "WHERE (-turn, confidence, seq) < (-?2, ?3, ?4)" if key else ""
        rows = self._execute(
            f"""
            SELECT id, turn, confidence, seq FROM (
                SELECT rowid AS id, confidence, seq, (ROW_NUMBER() OVER (
                    PARTITION BY ai_id ORDER BY confidence DESC, seq DESC
                ) - 1) / ?1 AS turn FROM shared_patterns
            ) {where} ORDER BY turn, confidence DESC, seq DESC LIMIT {int(limit)}
            """,  # noqa: S608
            (each, *(key or ())),
        ).fetchall()
        for rowid, *turn in rows:
            if row := self._execute(f"{_PATTERN} WHERE rowid = ?", (rowid,)).fetchone():
                yield PatternTurn._make(turn), StoredPattern._make(row)

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
        said = c.author, c.id, c.kind, c.name, c.feature, c.digest, c.level, c.timestamp, c.body, c.workbenchDigest
        self._put(_PUT_COMPONENT, (event.seq, *said))

    def countVerdicts(self, digest: str, author: str | None = None) -> None:
        self._execute(
            f"""
            UPDATE shared_components SET older_rules = {_IS_OLDER}, (confirmed, refuted) = (
                SELECT COUNT(*) FILTER (WHERE verdict = ?), COUNT(*) FILTER (WHERE verdict = ?)
                FROM (SELECT DISTINCT r.ai_id, r.verdict FROM performance_reports r
                      WHERE r.digest = shared_components.digest AND r.ai_id != shared_components.ai_id)
            ) WHERE digest = ? {"" if author is None else "AND ai_id = ?"}
            """,  # noqa: S608
            (Verdict.CONFIRMED.value, Verdict.REFUTED.value, digest, *([] if author is None else [author])),
        )

    def setRules(self, installed: Mapping[str, str]) -> None:
        self._execute("UPDATE workbench_rules SET installed = 0")
        for workbench, digest in installed.items():
            self._execute("INSERT OR REPLACE INTO workbench_rules VALUES (?, ?, 1)", (workbench, digest))
        self._execute(f"UPDATE shared_components SET older_rules = {_IS_OLDER} WHERE older_rules != {_IS_OLDER}")  # noqa: S608

    def followRules(self, digest: str, reporter: str, seq: int) -> None:
        found = self._execute(
            "SELECT feature, workbench_digest FROM shared_components WHERE digest = ? AND ai_id != ?"
            " AND kind = 'component' AND confirmed > 0 AND workbench_digest != '' ORDER BY seq DESC LIMIT 1",
            (digest, reporter),
        ).fetchone()
        if found is None:
            return
        workbench, rules = found
        self._execute("INSERT OR REPLACE INTO workbench_voices VALUES (?, ?, ?, ?)", (workbench, reporter, rules, seq))
        followed = self._execute(
            "INSERT INTO workbench_rules SELECT ?1, digest, 0 FROM ("
            "SELECT digest, seq FROM workbench_voices WHERE workbench = ?1 ORDER BY seq DESC LIMIT ?2)"
            " GROUP BY digest ORDER BY COUNT(*) DESC,"
            " digest IN (SELECT r.digest FROM workbench_rules r WHERE r.workbench = ?1) DESC, MAX(seq) DESC LIMIT 1"
            " ON CONFLICT (workbench) DO UPDATE SET digest = excluded.digest"
            " WHERE NOT installed AND digest != excluded.digest RETURNING workbench",
            (workbench, VOICES),
        ).fetchall()
        compare = f"SET older_rules = {_IS_OLDER} WHERE kind = 'component' AND feature = ?"
        for one in followed:
            self._execute(f"UPDATE shared_components {compare}", one)

    def rules(self) -> dict[str, str]:
        return dict(self._execute("SELECT workbench, digest FROM workbench_rules").fetchall())

    def after(self, key: ComponentKey | None) -> Iterator[StoredComponent]:
        where = " WHERE (confirmed - refuted, development_level, seq) < (?, ?, ?)" if key is not None else ""
        rows = self._execute(
            f"SELECT rowid FROM shared_components{where}"  # noqa: S608
            " ORDER BY confirmed - refuted DESC, development_level DESC, seq DESC",
            key[:3] if key is not None else (),
        ).fetchall()
        return (one for _, one in self._each((rowid, None) for (rowid,) in rows))

    def inTurn(
        self, each: int, key: ComponentTurn | None, limit: int
    ) -> Iterator[tuple[ComponentTurn, StoredComponent]]:
        where = (
            "WHERE standing < ?2 OR standing = ?2 AND (-turn, development_level, seq) < (-?3, ?4, ?5)" if key else ""
        )
        rows = self._execute(
            f"""
            SELECT id, standing, turn, development_level, seq FROM (
                SELECT rowid AS id, standing, development_level, seq, (ROW_NUMBER() OVER (
                    PARTITION BY ai_id, standing ORDER BY development_level DESC, seq DESC
                ) - 1) / ?1 AS turn FROM shared_components
            ) {where} ORDER BY standing DESC, turn, development_level DESC, seq DESC LIMIT {int(limit)}
            """,  # noqa: S608
            (each, *(key or ())),
        ).fetchall()
        return self._each((rowid, ComponentTurn._make(turn)) for rowid, *turn in rows)

    def best(self, feature: str, requestor: str) -> StoredComponent | None:
        some = [
            f"SELECT * FROM (SELECT rowid AS id, ai_id, standing, development_level, seq FROM shared_components"  # noqa: S608
            f" WHERE kind = 'component' AND {column} = ?1 ORDER BY {_BEST} LIMIT {LOOKS})"
            for column in ("feature", "name")
        ]
        # Of older rules is what has a standing below -1.
        return self._one(
            f"rowid = (SELECT id FROM ({' UNION ALL '.join(some)}) WHERE ai_id != ?2 AND standing >= -1"  # noqa: S608
            f" ORDER BY {_BEST} LIMIT 1)",
            feature,
            requestor,
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
            numbers = {
                "standing": after.standing,
                "-older_rules": -int(after.olderRules),
                "development_level": after.level,
                "confirmed - refuted": after.rank,
                "seq": after.seq,
            }
            conditions.append(f"({', '.join(columns)}) < ({', '.join('?' * len(columns))})")
            values += [numbers[column] for column in columns]
        order = ", ".join(f"{column} DESC" for column in columns)
        return self._some(f"{' AND '.join(conditions)} ORDER BY {order} LIMIT ?", *values, limit)

    def inOrder(self) -> Iterator[StoredComponent]:
        return map(_component, self._execute(f"{_COMPONENT} WHERE kind = 'component' ORDER BY seq"))

    def named(self, name: str) -> list[StoredComponent]:
        return self._some(
            "kind = 'component' AND (component_id = ?1"
            " OR (length(?1) >= ?2 AND substr(digest, 1, length(?1)) = lower(?1))) ORDER BY seq",
            name,
            MIN_PREFIX,
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
        for _, component in self._each((rowid, None) for (rowid,) in reversed(newest)):
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

    def idsWith(self, digest: str, author: str, without: str, limit: int) -> int:
        (count,) = self._execute(
            "SELECT COUNT(*) FROM (SELECT 1 FROM shared_components"
            " WHERE kind = 'component' AND digest = ? AND ai_id = ? AND component_id != ? LIMIT ?)",
            (digest, author, without, limit),
        ).fetchone()
        return int(count)

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

    def countByState(self) -> dict[str, int]:
        found = self._execute(
            "SELECT CASE WHEN confirmed > 0 AND refuted > 0 THEN 'disputed' WHEN confirmed > 0 THEN 'confirmed'"
            " WHEN refuted > 0 THEN 'refuted' ELSE 'unmeasured' END AS state, COUNT(*)"
            " FROM shared_components WHERE kind = 'component' AND NOT older_rules GROUP BY state"
        )
        return dict(found.fetchall())

    def countConfirmed(self) -> int:
        (count,) = self._execute(
            "SELECT COUNT(*) FROM shared_components WHERE kind = 'component' AND confirmed > 0"
        ).fetchone()
        return int(count)

    def _each(self, rows: Iterable[tuple[int, T]]) -> Iterator[tuple[T, StoredComponent]]:
        """The rows with these numbers that are still there: one at a time, since each may be of a megabyte."""
        for rowid, place in rows:
            if (component := self._one("rowid = ?", rowid)) is not None:
                yield place, component

    def _one(self, condition: str, *values: Any) -> StoredComponent | None:
        row = self._execute(f"{_COMPONENT} WHERE {condition}", values).fetchone()
        return _component(row) if row else None

    def _some(self, condition: str, *values: Any) -> list[StoredComponent]:
        return [*map(_component, self._execute(f"{_COMPONENT} WHERE {condition}", values))]


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

    def confirming(self, digest: str, author: str, limit: int, below: int) -> list[StoredReport]:
        rows = self._execute(
            f"{_REPORT} WHERE digest = ?1 AND seq IN ("  # noqa: S608
            "SELECT MAX(seq) FROM performance_reports"
            " WHERE digest = ?1 AND ai_id != ?2 AND verdict = ?3 AND length(body) < ?4"
            " GROUP BY ai_id ORDER BY MAX(seq) DESC LIMIT ?5) ORDER BY seq DESC",
            (digest, author, Verdict.CONFIRMED.value, below, limit),
        )
        return [*map(StoredReport._make, rows)]

    def idsOn(self, digest: str, reporter: str, without: str, limit: int) -> int:
        (count,) = self._execute(
            "SELECT COUNT(*) FROM (SELECT 1 FROM performance_reports"
            " WHERE digest = ? AND ai_id = ? AND component_id != ? LIMIT ?)",
            (digest, reporter, without, limit),
        ).fetchone()
        return int(count)

    def verdicts(self, digest: str, author: str) -> list[tuple[str, str]]:
        return self._execute(
            "SELECT ai_id, verdict FROM performance_reports WHERE digest = ? AND ai_id != ? AND verdict IS NOT NULL"
            " ORDER BY seq",
            (digest, author),
        ).fetchall()

    def lastConfirmation(self) -> str | None:
        row = self._execute(
            "SELECT timestamp FROM performance_reports WHERE verdict = ? ORDER BY seq DESC LIMIT 1",
            (Verdict.CONFIRMED.value,),
        ).fetchone()
        return row[0] if row else None

    def count(self) -> int:
        (count,) = self._execute("SELECT COUNT(*) FROM performance_reports").fetchone()
        return int(count)


def _component(row: Sequence[Any]) -> StoredComponent:
    found = StoredComponent._make(row)
    return found._replace(olderRules=bool(found.olderRules))


def _json(values: Collection[Any]) -> str:
    return msgspec.json.encode(list(values)).decode()
