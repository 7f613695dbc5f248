"""Patterns, components and reports in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator

from kernelnet.artifacts import Verdict
from kernelnet.hub.storage.log_pages import Event
from kernelnet.hub.storage.memory.tables import ComponentRow, PatternRow, ReportRow, Tables
from kernelnet.hub.storage.statements.knowledge import (
    ComponentKey,
    NewComponent,
    NewPattern,
    NewReport,
    StoredComponent,
    StoredPattern,
    StoredReport,
)

__all__ = ["MemoryComponents", "MemoryPatterns", "MemoryReports"]

_SORTS: dict[str, Callable[[StoredComponent | ComponentKey], tuple[float, ...]]] = {
    "level": lambda one: (one.level, one.seq),
    "confirmed": lambda one: (one.rank, one.level, one.seq),
    "newest": lambda one: (one.seq,),
}
_best = _SORTS["confirmed"]

_STATES: dict[str, Callable[[StoredComponent], bool]] = {
    "confirmed": lambda one: one.confirmed > 0 and one.refuted == 0,
    "refuted": lambda one: one.refuted > 0 and one.confirmed == 0,
    "disputed": lambda one: one.confirmed > 0 and one.refuted > 0,
    "unmeasured": lambda one: one.confirmed == 0 and one.refuted == 0,
}


class MemoryPatterns:
    """`kernelnet.hub.storage.statements.knowledge.Patterns`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def put(self, event: Event, pattern: NewPattern) -> None:
        self._tables.patterns[pattern.author, pattern.id] = PatternRow(event.seq, pattern)

    def after(self, key: tuple[float, int] | None) -> Iterator[StoredPattern]:
        return iter([row for row in self._bestFirst() if key is None or (row.confidence, row.seq) < key])

    def best(self, type: str | None, limit: int, maxBytes: int) -> list[StoredPattern]:
        return [row for row in self._bestFirst(type) if len(row.body) <= maxBytes][:limit]

    def types(self, limit: int) -> list[str]:
        return sorted({row.new.type for row in self._tables.patterns.values()})[:limit]

    def count(self) -> int:
        return len(self._tables.patterns)

    def _bestFirst(self, type: str | None = None) -> list[StoredPattern]:
        rows = [
            StoredPattern(new.author, _real(new.confidence), seq, new.timestamp, new.body)
            for seq, new in self._tables.patterns.values()
            if type in (None, new.type)
        ]
        return sorted(rows, key=lambda row: (row.confidence, row.seq), reverse=True)


class MemoryComponents:
    """`kernelnet.hub.storage.statements.knowledge.Components`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def put(self, event: Event, component: NewComponent) -> None:
        stored = StoredComponent(
            author=component.author,
            id=component.id,
            kind=component.kind,
            digest=component.digest,
            level=_real(component.level),
            confirmed=0,
            refuted=0,
            seq=event.seq,
            timestamp=component.timestamp,
            body=component.body,
        )
        self._tables.components[stored.author, stored.id] = ComponentRow(component.name, component.feature, stored)

    def countVerdicts(self, digest: str) -> None:
        judged = {(new.reporter, new.verdict) for _, new in self._tables.reports.values() if new.digest == digest}
        for key, (name, feature, stored) in [*self._tables.components.items()]:
            if stored.digest == digest:
                counts = Counter(verdict for reporter, verdict in judged if reporter != stored.author)
                confirmed, refuted = counts[Verdict.CONFIRMED.value], counts[Verdict.REFUTED.value]
                counted = stored._replace(confirmed=confirmed, refuted=refuted)
                self._tables.components[key] = ComponentRow(name, feature, counted)

    def after(self, key: ComponentKey | None) -> Iterator[StoredComponent]:
        rows = [row.stored for row in self._tables.components.values()]
        return iter(_sorted([one for one in rows if key is None or _best(one) < _best(key)], "confirmed"))

    def best(self, feature: str, requestor: str) -> StoredComponent | None:
        found = [
            row.stored
            for row in self._tables.components.values()
            if row.stored.kind == "component" and row.stored.author != requestor and feature in (row.feature, row.name)
        ]
        return max(found, key=_best, default=None)

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
        found = [
            row.stored
            for row in self._tables.components.values()
            if row.stored.kind == "component"
            and workbench in (None, row.feature)
            and author in (None, row.stored.author)
            and (state is None or _STATES[state](row.stored))
            and (after is None or _SORTS[sort](row.stored) < _SORTS[sort](after))
        ]
        return _sorted(found, sort)[:limit]

    def inOrder(self) -> Iterator[StoredComponent]:
        return iter(self._bySeq())

    def named(self, name: str) -> list[StoredComponent]:
        beginning = name.lower()
        return [one for one in self._bySeq() if one.id == name or (len(name) >= 6 and one.digest.startswith(beginning))]

    def at(self, seq: int) -> StoredComponent | None:
        return next((one for one in self._bySeq() if one.seq == seq), None)

    def withDigest(self, digest: str) -> StoredComponent | None:
        return next((one for one in self._bySeq() if one.digest == digest), None)

    def confirmedOnly(self, limit: int) -> Iterator[StoredComponent]:
        found = [*filter(_STATES["confirmed"], self._bySeq())]
        return iter(found[max(0, len(found) - limit) :])

    def features(self, limit: int) -> list[str]:
        rows = self._tables.components.values()
        return sorted({row.feature for row in rows if row.stored.kind == "component"})[:limit]

    def idsBeginning(self, beginning: str, limit: int) -> list[str]:
        return [one.id for one in reversed(self._bySeq()) if one.id.startswith(beginning)][:limit]

    def heldDigests(self, digests: Collection[str]) -> set[str]:
        return {one.digest for one in self._bySeq()}.intersection(digests)

    def digestsOf(self, names: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
        held = {(one.author, one.id): one.digest for one in self._bySeq()}
        return {name: held[name] for name in names if name in held}

    def countByKind(self) -> dict[str, int]:
        return dict(Counter(row.stored.kind for row in self._tables.components.values()))

    def countConfirmed(self) -> int:
        return sum(one.confirmed > 0 for one in self._bySeq())

    def _bySeq(self) -> list[StoredComponent]:
        """Those of kind C{component}."""
        rows = [row.stored for row in self._tables.components.values() if row.stored.kind == "component"]
        return sorted(rows, key=lambda one: one.seq)


class MemoryReports:
    """`kernelnet.hub.storage.statements.knowledge.Reports`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def put(self, event: Event, report: NewReport) -> None:
        self._tables.reports[report.reporter, report.componentId, report.digest] = ReportRow(event.seq, report)

    def ofComponent(self, componentId: str, limit: int, below: int) -> list[StoredReport]:
        return self._newest(lambda report: report.componentId == componentId, limit, below)

    def onDigest(self, digest: str, limit: int, below: int) -> list[StoredReport]:
        return self._newest(lambda report: report.digest == digest, limit, below)

    def verdicts(self, digest: str, author: str) -> list[tuple[str, str]]:
        return [
            (report.reporter, report.verdict)
            for report in self._bySeq()
            if report.digest == digest and report.reporter != author and report.verdict is not None
        ]

    def count(self) -> int:
        return len(self._tables.reports)

    def _newest(self, which: Callable[[NewReport], bool], limit: int, below: int) -> list[StoredReport]:
        found = [report for report in reversed(self._bySeq()) if which(report) and len(report.body) < below]
        return [StoredReport(one.reporter, one.verdict, one.timestamp, one.body) for one in found[:limit]]

    def _bySeq(self) -> list[NewReport]:
        return [row.new for row in sorted(self._tables.reports.values(), key=lambda row: row.seq)]


def _sorted(found: list[StoredComponent], sort: str) -> list[StoredComponent]:
    return sorted(found, key=_SORTS[sort], reverse=True)


def _real(value: float) -> float:
    """A number as a database keeps it: no integer, and no minus before a zero."""
    return float(value) + 0.0
