"""Observations."""

from __future__ import annotations

from kernelnet.hub.storage.log_pages import Event
from kernelnet.hub.storage.sql.execution import Execute, upsert
from kernelnet.hub.storage.statements.observations import (
    NewObservation,
    ObservationBounds,
    ReadObservation,
    StoredObservation,
)

__all__ = ["SqlObservations"]

_KEY = ("ai_id", "component_id", "digest", "environment", "site", "conditions")
_PUT = upsert("observations", len(_KEY), *_KEY, "seq", "timestamp", "body")

_COUNTED = (
    "SELECT n.ai_id, COALESCE('owner ' || o.owner, n.ai_id) AS voice, n.number FROM (SELECT ai_id, COUNT(*) AS number"
    " FROM observations GROUP BY ai_id) AS n LEFT JOIN owners o ON o.ai_id = n.ai_id"
)
"""Number of the observations of each AI, with the voice that it speaks with."""
_DROP = (
    f"WITH counted AS ({_COUNTED}) DELETE FROM observations WHERE (ai_id, digest, seq) IN"  # noqa: S608
    " (SELECT ai_id, digest, seq FROM observations WHERE ai_id IN (SELECT ai_id FROM counted WHERE voice ="
    " (SELECT voice FROM counted GROUP BY voice ORDER BY SUM(number) DESC, voice LIMIT 1)) ORDER BY seq LIMIT 1)"
)
"""Drops the oldest of whoever has most, all AIs of an owner together."""


class SqlObservations:
    """`kernelnet.hub.storage.statements.observations.Observations`."""

    __slots__ = ("_execute",)

    def __init__(self, execute: Execute) -> None:
        self._execute = execute

    def put(self, event: Event, observation: NewObservation, bounds: ObservationBounds) -> None:
        o = observation
        self._execute(
            _PUT,
            (
                *(o.reporter, o.componentId, o.digest, o.environment, o.site, o.conditions),
                *(event.seq, o.timestamp, o.body),
            ),
        )
        self._execute(
            "DELETE FROM observations WHERE ai_id = ?1 AND digest = ?2 AND seq NOT IN (SELECT seq FROM observations"
            " WHERE ai_id = ?1 AND digest = ?2 ORDER BY seq DESC LIMIT ?3)",
            (o.reporter, o.digest, bounds.each),
        )
        for _ in range(self.count() - bounds.total):
            self._execute(_DROP)

    def onDigest(self, digest: str, each: int, limit: int) -> list[StoredObservation]:
        rows = self._execute(
            "SELECT ai_id, timestamp, body FROM observations WHERE digest = ?1 AND seq IN (SELECT seq FROM ("
            "SELECT seq, ROW_NUMBER() OVER (PARTITION BY ai_id ORDER BY seq DESC) AS place"
            " FROM observations WHERE digest = ?1) AS placed WHERE place <= ?2 ORDER BY seq DESC LIMIT ?3)"
            " ORDER BY seq DESC",
            (digest, each, limit),
        )
        return [*map(StoredObservation._make, rows)]

    def inEnvironment(self, environment: str, limit: int) -> list[ReadObservation]:
        rows = self._execute(
            "SELECT ai_id, digest, body FROM observations WHERE environment = ?1 ORDER BY seq DESC LIMIT ?2",
            (environment, limit),
        )
        return [*map(ReadObservation._make, rows)]

    def count(self) -> int:
        (count,) = self._execute("SELECT COUNT(*) FROM observations").fetchone()
        return int(count)
