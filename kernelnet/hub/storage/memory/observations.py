"""Observations in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from kernelnet.hub.storage.log_pages import Event
from kernelnet.hub.storage.memory.tables import ObservationKey, ObservationRow, Tables
from kernelnet.hub.storage.statements.observations import (
    NewObservation,
    ObservationBounds,
    ReadObservation,
    StoredObservation,
)

__all__ = ["MemoryObservations"]


class MemoryObservations:
    """`kernelnet.hub.storage.statements.observations.Observations`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def put(self, event: Event, observation: NewObservation, bounds: ObservationBounds) -> None:
        rows, new = self._tables.observations, observation
        key = (new.reporter, new.componentId, new.digest, new.environment, new.site, new.conditions)
        rows[key] = ObservationRow(event.seq, new)
        mine = self._bySeq(lambda one: (one.reporter, one.digest) == (new.reporter, new.digest))
        for old in mine[: max(0, len(mine) - bounds.each)]:
            del rows[old]
        while len(rows) > bounds.total:
            voices = {key: self._tables.voice(row.new.reporter) for key, row in rows.items()}
            counts = Counter(voices.values())
            greedy = min(counts, key=lambda voice: (-counts[voice], voice.encode()))
            del rows[min((row.seq, key) for key, row in rows.items() if voices[key] == greedy)[1]]

    def onDigest(self, digest: str, each: int, limit: int) -> list[StoredObservation]:
        counts: Counter[str] = Counter()
        found = []
        for key in reversed(self._bySeq(lambda one: one.digest == digest)):
            one = self._tables.observations[key].new
            counts[one.reporter] += 1
            if counts[one.reporter] <= each:
                found.append(StoredObservation(one.reporter, one.timestamp, one.body))
        return found[:limit]

    def inEnvironment(self, environment: str, limit: int) -> list[ReadObservation]:
        newest = reversed(self._bySeq(lambda one: one.environment == environment))
        found = [self._tables.observations[key].new for key in newest]
        return [ReadObservation(one.reporter, one.digest, one.body) for one in found[:limit]]

    def count(self) -> int:
        return len(self._tables.observations)

    def _bySeq(self, which: Callable[[NewObservation], bool]) -> list[ObservationKey]:
        found = [(row.seq, key) for key, row in self._tables.observations.items() if which(row.new)]
        return [key for _, key in sorted(found)]
