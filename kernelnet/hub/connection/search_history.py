"""
History of searches, as trainers tell it by heartbeats: in memory only, and bounded whoever tells how much.

What is told is a stranger's word: it is shown, and decides nothing.
"""

from __future__ import annotations

import math
from array import array
from collections import OrderedDict
from collections.abc import Callable, Container

from msgspec import Struct

from kernelnet.artifacts import ModelCosts, SearchProgress

__all__ = ["MAX_SAMPLES", "MAX_SEARCHES", "MAX_TASKS", "REMEMBERED", "Sample", "SearchHistory", "SearchSeries"]

MAX_SAMPLES = 512
"""Number of samples of one AI on one task: when they are as many, every other goes, so the later come half as often."""
MAX_TASKS = 32
"""Number of tasks that are kept of one AI: for another, that which it has told nothing of for longest goes."""
MAX_SEARCHES = 2048
"""The same for all AIs together: 40 MB of samples and descriptions."""
REMEMBERED = 3600.0
"""Seconds after its last report in which an AI may leave without its reports being forgotten."""
_INTERVAL = 1.0
"""Seconds between two reports of an AI that are taken; what comes earlier is dropped."""
_MAX_SETTINGS = 32

Sample = tuple[float, int, float | None, float | None]
"""Unix seconds, evaluations, best level on train and on validation."""

_Key = tuple[str, str, tuple[tuple[str, int], ...]]


class SearchSeries(Struct):
    """
    Samples of one AI on one task.

    @ivar last: the newest report; C{at}: its Unix time.
    """

    aiId: str
    last: SearchProgress
    at: float
    _values: array[float] = array("d")
    _every: int = 1
    _skipped: int = 0

    def samples(self, limit: int = MAX_SAMPLES) -> list[Sample]:
        """Samples evenly chosen, C{limit} at most: the first and the newest among them."""
        rows = [self._row(start) for start in range(0, len(self._values), 4)]
        newest = (self.at, self.last.evaluations, self.last.train, self.last.validation)
        if rows[-1] != newest:
            rows.append(newest)
        if len(rows) <= limit:
            return rows
        if limit == 1:
            return rows[-1:]
        return [rows[round(i * (len(rows) - 1) / (limit - 1))] for i in range(limit)]

    def _row(self, start: int) -> Sample:
        at, evaluations, train, validation = self._values[start : start + 4]
        return at, int(evaluations), _orNone(train), _orNone(validation)

    def add(self, progress: SearchProgress, now: float) -> int:
        """@return: by how many evaluations it went on."""
        before = self.last.evaluations if self._values else 0
        self.last, self.at = progress, now
        gone = _more(before, progress.evaluations)
        self._skipped += 1
        if not self._values or self._skipped >= self._every:
            self._skipped = 0
            self._values.extend((now, progress.evaluations, _number(progress.train), _number(progress.validation)))
            if len(self._values) >= 4 * MAX_SAMPLES:
                self._thin()
        return gone

    def _thin(self) -> None:
        kept = array("d")
        for start in range(0, len(self._values), 8):
            kept.extend(self._values[start : start + 4])
        self._values = kept
        # The newest went: the next stands one old step behind it.
        self._skipped = self._every
        self._every *= 2


class SearchHistory:
    """
    @param here: ids of the AIs that are connected.
    @param wallClock: Unix seconds.
    @ivar evaluations: number of those that all AIs told of since the start; C{rounds}: the same of searches.
    """

    def __init__(self, here: Container[str], wallClock: Callable[[], float]) -> None:
        self._here = here
        self._wallClock = wallClock
        # By when something was told last: the first is the oldest.
        self._series: OrderedDict[tuple[str, _Key], SearchSeries] = OrderedDict()
        self._ofAi: dict[str, OrderedDict[_Key, SearchSeries]] = {}
        self.evaluations = 0
        self.rounds = 0

    def __repr__(self) -> str:
        return f"<SearchHistory {len(self._series)} searches of {len(self._ofAi)} AIs>"

    def told(self, aiId: str, progress: SearchProgress) -> bool:
        """
        An AI tells how its search goes.

        @return: whether it is kept: not if it tells too often, or of a task with too many settings.
        """
        now, task = self._wallClock(), progress.task
        if len(task.settings) > _MAX_SETTINGS:
            return False
        last = self.lastOf(aiId)
        # A clock that was set back holds nobody up.
        if last is not None and 0 <= now - last.at < _INTERVAL:
            return False
        key = (task.workbench, task.trace_digest, tuple(sorted(task.settings.items())))
        mine = self._ofAi.setdefault(aiId, OrderedDict())
        series = mine.get(key)
        if series is None:
            series = SearchSeries(aiId, progress, now, array("d"))
            mine[key] = self._series[aiId, key] = series
        mine.move_to_end(key)
        self._series.move_to_end((aiId, key))
        self.rounds += _more(last.last.rounds if last is not None else 0, progress.rounds)
        self.evaluations += series.add(progress, now)
        if len(mine) > MAX_TASKS:
            self._drop(aiId, next(iter(mine)))
        if len(self._series) > MAX_SEARCHES:
            self._drop(*next(iter(self._series)))
        return True

    def lastOf(self, aiId: str) -> SearchSeries | None:
        """The search that an AI told of last."""
        mine = self._ofAi.get(aiId)
        return mine[next(reversed(mine))] if mine else None

    def costs(self) -> ModelCosts:
        """Sum of what the AIs that are remembered told last of their language models; USD of those who know them."""
        told = [series.last.costs for aiId in self._ofAi if (series := self.lastOf(aiId)) is not None]
        known = [costs for costs in told if costs is not None]
        return ModelCosts(
            sum(costs.calls for costs in known),
            sum(costs.accepted for costs in known),
            sum(costs.tokens for costs in known),
            math.fsum(costs.usd for costs in known if costs.usd is not None),
        )

    def newest(self, limit: int, traceDigest: str | None = None) -> list[SearchSeries]:
        """
        The searches that were told of last, the newest first.

        @param traceDigest: those on this trace only.
        """
        found = (s for s in reversed(self._series.values()) if traceDigest in (None, s.last.task.trace_digest))
        return [series for series, _ in zip(found, range(limit), strict=False)]

    def sweep(self) -> None:
        """Forget those who left long ago."""
        now = self._wallClock()
        for aiId, mine in list(self._ofAi.items()):
            if aiId not in self._here and now - mine[next(reversed(mine))].at >= REMEMBERED:
                for key in list(mine):
                    self._drop(aiId, key)

    def _drop(self, aiId: str, key: _Key) -> None:
        del self._series[aiId, key]
        mine = self._ofAi[aiId]
        del mine[key]
        if not mine:
            del self._ofAi[aiId]


def _more(before: int, now: int) -> int:
    """By how many a count went on; one that is lower than before is that of a trainer which has started anew."""
    return now - before if now >= before else now


def _number(level: float | None) -> float:
    return math.nan if level is None else level


def _orNone(value: float) -> float | None:
    return None if math.isnan(value) else value
