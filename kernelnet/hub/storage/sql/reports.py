"""Reports."""

from __future__ import annotations

from kernelnet.artifacts import Verdict
from kernelnet.hub.storage.log_pages import Event
from kernelnet.hub.storage.sql.execution import Execute, Put, upsert
from kernelnet.hub.storage.sql.owners import OWNER, VOICE
from kernelnet.hub.storage.statements.reports import NewReport, StoredReport

__all__ = ["SqlReports"]

_PUT_REPORT = upsert(
    *("performance_reports", 3, "ai_id", "component_id", "digest", "verdict", "timestamp", "body", "seq"),
    owner=OWNER,
)
_REPORT = "SELECT ai_id, verdict, timestamp, body FROM performance_reports"


class SqlReports:
    """`kernelnet.hub.storage.statements.reports.Reports`."""

    __slots__ = ("_execute", "_put")

    def __init__(self, execute: Execute, put: Put) -> None:
        self._execute = execute
        self._put = put

    def put(self, event: Event, report: NewReport) -> None:
        r = report
        said = r.reporter, r.componentId, r.digest, r.verdict, r.timestamp, r.body
        self._put(_PUT_REPORT, (*said, event.seq, r.reporter))

    def ofComponent(self, componentId: str, limit: int, below: int) -> list[StoredReport]:
        sql = f"{_REPORT} WHERE component_id = ? AND length(body) < ? ORDER BY seq DESC LIMIT ?"
        return [*map(StoredReport._make, self._execute(sql, (componentId, below, limit)))]

    def onDigest(self, digest: str, limit: int, below: int) -> list[StoredReport]:
        sql = f"{_REPORT} WHERE digest = ? AND length(body) < ? ORDER BY seq DESC LIMIT ?"
        return [*map(StoredReport._make, self._execute(sql, (digest, below, limit)))]

    def confirming(self, digest: str, author: str, limit: int, below: int) -> list[StoredReport]:
        rows = self._execute(
            f"{_REPORT} WHERE digest = ? AND seq IN ("  # noqa: S608
            "SELECT MAX(seq) FROM performance_reports"
            f" WHERE digest = ? AND voice != {VOICE} AND verdict = ? AND length(body) < ?"
            " GROUP BY voice ORDER BY MAX(seq) DESC LIMIT ?) ORDER BY seq DESC",
            (digest, digest, author, author, Verdict.CONFIRMED.value, below, limit),
        )
        return [*map(StoredReport._make, rows)]

    def idsOn(self, digest: str, reporter: str, without: str, limit: int) -> int:
        (count,) = self._execute(
            "SELECT COUNT(*) FROM (SELECT 1 FROM performance_reports"
            " WHERE digest = ? AND ai_id = ? AND component_id != ? LIMIT ?) AS others",
            (digest, reporter, without, limit),
        ).fetchone()
        return int(count)

    def verdicts(self, digest: str, author: str) -> list[tuple[str, str, str | None]]:
        return self._execute(
            "SELECT ai_id, verdict, owner FROM performance_reports"  # noqa: S608
            f" WHERE digest = ? AND voice != {VOICE} AND verdict IS NOT NULL ORDER BY seq",
            (digest, author, author),
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
