"""Observations in SQLite."""

from __future__ import annotations

from kernelnet.hub.storage.log_pages import Event
from kernelnet.hub.storage.sqlite.log import Execute
from kernelnet.hub.storage.statements.observations import NewObservation, ObservationBounds, StoredObservation

__all__ = ["SqliteObservations"]


class SqliteObservations:
    """`kernelnet.hub.storage.statements.observations.Observations`."""

    __slots__ = ("_execute",)

    def __init__(self, execute: Execute) -> None:
        self._execute = execute

    def put(self, event: Event, observation: NewObservation, bounds: ObservationBounds) -> None:
        o = observation
        self._execute(
            "INSERT OR REPLACE INTO observations (ai_id, component_id, digest, environment, site, conditions, seq,"
            " timestamp, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(o.reporter, o.componentId, o.digest, o.environment, o.site, o.conditions),
                *(event.seq, o.timestamp, o.body),
            ),
        )
        self._execute(
            "DELETE FROM observations WHERE rowid IN (SELECT rowid FROM observations WHERE ai_id = ? AND digest = ?"
            " ORDER BY seq DESC LIMIT -1 OFFSET ?)",
            (o.reporter, o.digest, bounds.each),
        )
        for _ in range(self.count() - bounds.total):
            self._execute(
                "DELETE FROM observations WHERE rowid = (SELECT rowid FROM observations WHERE ai_id ="
                " (SELECT ai_id FROM observations GROUP BY ai_id ORDER BY COUNT(*) DESC, ai_id LIMIT 1)"
                " ORDER BY seq LIMIT 1)"
            )

    def onDigest(self, digest: str, each: int, limit: int) -> list[StoredObservation]:
        rows = self._execute(
            "SELECT ai_id, timestamp, body FROM observations WHERE rowid IN (SELECT id FROM ("
            "SELECT rowid AS id, seq, ROW_NUMBER() OVER (PARTITION BY ai_id ORDER BY seq DESC) AS place"
            " FROM observations WHERE digest = ?) WHERE place <= ? ORDER BY seq DESC LIMIT ?) ORDER BY seq DESC",
            (digest, each, limit),
        )
        return [*map(StoredObservation._make, rows)]

    def count(self) -> int:
        (count,) = self._execute("SELECT COUNT(*) FROM observations").fetchone()
        return int(count)
