"""Patterns, components and reports in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping

from kernelnet.artifacts import Verdict
from kernelnet.hub.storage.log_pages import Event
from kernelnet.hub.storage.memory.tables import ComponentRow, PatternRow, ReportRow, RulesRow, Tables, VoiceRow
from kernelnet.hub.storage.statements.components import (
    LOOKS,
    MIN_PREFIX,
    VOICES,
    ComponentKey,
    ComponentTurn,
    NewComponent,
    StoredComponent,
)
from kernelnet.hub.storage.statements.patterns import NewPattern, PatternTurn, StoredPattern
from kernelnet.hub.storage.statements.reports import NewReport, StoredReport

__all__ = ["MemoryComponents", "MemoryPatterns", "MemoryReports"]

_SORTS: dict[str, Callable[[StoredComponent | ComponentKey], tuple[float, ...]]] = {
    "level": lambda one: (one.standing, one.level, one.seq),
    "confirmed": lambda one: (not one.olderRules, one.rank, one.level, one.seq),
    "newest": lambda one: (not one.olderRules, one.seq),
}
_best = _SORTS["level"]

_STATES: dict[str, Callable[[StoredComponent], bool]] = {
    "confirmed": lambda one: one.confirmed > 0 and one.refuted == 0,
    "refuted": lambda one: one.refuted > 0 and one.confirmed == 0,
    "disputed": lambda one: one.confirmed > 0 and one.refuted > 0,
    "unmeasured": lambda one: one.confirmed == 0 and one.refuted == 0,
}


class MemoryPatterns:
    """`kernelnet.hub.storage.statements.patterns.Patterns`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def put(self, event: Event, pattern: NewPattern) -> None:
        self._tables.patterns[pattern.author, pattern.id] = PatternRow(event.seq, pattern)

    def after(self, key: tuple[float, int] | None) -> Iterator[StoredPattern]:
        return iter([row for row in self._bestFirst() if key is None or (row.confidence, row.seq) < key])

    def inTurn(self, each: int, key: PatternTurn | None, limit: int) -> Iterator[tuple[PatternTurn, StoredPattern]]:
        counts: Counter[str] = Counter()
        found = []
        for row in self._bestFirst():
            voice = self._tables.voice(row.author)
            found.append((PatternTurn(counts[voice] // each, row.confidence, row.seq), row))
            counts[voice] += 1
        found.sort(key=lambda one: one[0].turn)
        behind = [one for one in found if key is None or _inTurn(one[0]) > _inTurn(key)]
        return iter(behind[:limit])

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
    """`kernelnet.hub.storage.statements.components.Components`."""

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
        self._tables.components[stored.author, stored.id] = ComponentRow(
            component.name, component.feature, stored, component.workbenchDigest
        )

    def countVerdicts(self, digest: str, name: tuple[str, str] | None = None) -> None:
        voice = self._tables.voice
        reports = [row.new for row in self._tables.reports.values() if row.new.digest == digest]
        judged = {(voice(report.reporter), report.verdict) for report in reports}
        for key, row in [*self._tables.components.items()]:
            if row.stored.digest == digest and name in (None, key):
                own = voice(row.stored.author)
                counts = Counter(verdict for reporter, verdict in judged if reporter != own)
                confirmed, refuted = counts[Verdict.CONFIRMED.value], counts[Verdict.REFUTED.value]
                counted = row.stored._replace(confirmed=confirmed, refuted=refuted, olderRules=self._isOlder(row))
                self._tables.components[key] = row._replace(stored=counted)

    def setRules(self, installed: Mapping[str, str]) -> None:
        rules = self._tables.rules
        for workbench in [*rules]:
            rules[workbench] = RulesRow(rules[workbench].digest, False)
        for workbench, digest in installed.items():
            rules[workbench] = RulesRow(digest, True)
        self._compareRules(None)

    def followRules(self, digest: str, reporter: str, seq: int) -> None:
        found = [
            row
            for row in self._tables.components.values()
            if row.stored.kind == "component"
            and row.stored.digest == digest
            and self._tables.voice(row.stored.author) != self._tables.voice(reporter)
            and row.stored.confirmed > 0
            and row.workbenchDigest
        ]
        newest = max(found, key=lambda row: row.stored.seq, default=None)
        if newest is None:
            return
        self._tables.voices[newest.feature, reporter] = VoiceRow(newest.workbenchDigest, seq)
        self.voted(newest.feature)

    def voted(self, feature: str) -> None:
        """Put those rules of a workbench in force that most of the newest voices are for, unless it is installed."""
        inForce = self._tables.rules.get(feature)
        if inForce is not None and inForce.installed:
            return
        rows = sorted(self._tables.voices.items(), key=lambda one: one[1].seq)
        voices = {self._tables.voice(aiId): row for (of, aiId), row in rows if of == feature}  # of each the newest
        newest = sorted(voices.values(), key=lambda row: -row.seq)[:VOICES]
        # Of as many it gives the first: the newest.
        counts = Counter(row.digest for row in newest)
        rules = max(counts, key=lambda one: (counts[one], inForce is not None and one == inForce.digest))
        self._tables.rules[feature] = RulesRow(rules, False)
        self._compareRules(feature)

    def rules(self) -> dict[str, str]:
        return {workbench: row.digest for workbench, row in self._tables.rules.items()}

    def _compareRules(self, feature: str | None) -> None:
        for key, row in [*self._tables.components.items()]:
            if feature is None or (row.feature == feature and row.stored.kind == "component"):
                stored = row.stored._replace(olderRules=self._isOlder(row))
                self._tables.components[key] = row._replace(stored=stored)

    def _isOlder(self, row: ComponentRow) -> bool:
        inForce = self._tables.rules.get(row.feature)
        return row.workbenchDigest != "" and inForce is not None and inForce.digest != row.workbenchDigest

    def after(self, key: ComponentKey | None) -> Iterator[StoredComponent]:
        rows = [row.stored for row in self._tables.components.values()]
        found = [one for one in rows if key is None or one.key[:3] < key[:3]]
        return iter(sorted(found, key=lambda one: one.key[:3], reverse=True))

    def inTurn(
        self, each: int, key: ComponentTurn | None, limit: int
    ) -> Iterator[tuple[ComponentTurn, StoredComponent]]:
        counts: Counter[tuple[str, int]] = Counter()
        found = []
        for one in _sorted([row.stored for row in self._tables.components.values()], "level"):
            mine = (self._tables.voice(one.author), one.standing)
            found.append((ComponentTurn(one.standing, counts[mine] // each, one.level, one.seq), one))
            counts[mine] += 1
        found.sort(key=lambda one: (-one[0].standing, one[0].turn))
        behind = [one for one in found if key is None or _inTurn(one[0]) > _inTurn(key)]
        return iter(behind[:limit])

    def best(self, feature: str, requestor: str) -> StoredComponent | None:
        rows = [row for row in self._tables.components.values() if row.stored.kind == "component"]
        looked = [
            *_sorted([row.stored for row in rows if row.feature == feature], "level")[:LOOKS],
            *_sorted([row.stored for row in rows if row.name == feature], "level")[:LOOKS],
        ]
        found = [one for one in looked if not one.olderRules and one.author != requestor]
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
        return [
            one
            for one in self._bySeq()
            if one.id == name or (len(name) >= MIN_PREFIX and one.digest.startswith(beginning))
        ]

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

    def idsWith(self, digest: str, author: str, without: str, limit: int) -> int:
        held = [one.id for one in self._bySeq() if (one.digest, one.author) == (digest, author)]
        return min(limit, sum(one != without for one in held))

    def copies(self, digest: str, limit: int) -> int:
        return min(limit, sum(one.digest == digest for one in self._bySeq()))

    def heldDigests(self, digests: Collection[str]) -> set[str]:
        return {one.digest for one in self._bySeq()}.intersection(digests)

    def digestsOf(self, names: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
        held = {(one.author, one.id): one.digest for one in self._bySeq()}
        return {name: held[name] for name in names if name in held}

    def countByKind(self) -> dict[str, int]:
        return dict(Counter(row.stored.kind for row in self._tables.components.values()))

    def countByState(self) -> dict[str, int]:
        return dict(Counter(_state(one) for one in self._bySeq() if not one.olderRules))

    def countConfirmed(self) -> int:
        return sum(one.confirmed > 0 for one in self._bySeq())

    def _bySeq(self) -> list[StoredComponent]:
        """Those of kind C{component}."""
        rows = [row.stored for row in self._tables.components.values() if row.stored.kind == "component"]
        return sorted(rows, key=lambda one: one.seq)


def _state(one: StoredComponent) -> str:
    if one.confirmed > 0 and one.refuted > 0:
        return "disputed"
    return "confirmed" if one.confirmed > 0 else "refuted" if one.refuted > 0 else "unmeasured"


class MemoryReports:
    """`kernelnet.hub.storage.statements.reports.Reports`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def put(self, event: Event, report: NewReport) -> None:
        self._tables.reports[report.reporter, report.componentId, report.digest] = ReportRow(event.seq, report)

    def ofComponent(self, componentId: str, limit: int, below: int) -> list[StoredReport]:
        return self._newest(lambda report: report.componentId == componentId, limit, below)

    def onDigest(self, digest: str, limit: int, below: int) -> list[StoredReport]:
        return self._newest(lambda report: report.digest == digest, limit, below)

    def confirming(self, digest: str, author: str, limit: int, below: int) -> list[StoredReport]:
        seen = {self._tables.voice(author)}

        def isNews(report: NewReport) -> bool:
            voice = self._tables.voice(report.reporter)
            if report.digest != digest or report.verdict != Verdict.CONFIRMED.value or voice in seen:
                return False
            if len(report.body) < below:
                seen.add(voice)
            return True

        return self._newest(isNews, limit, below)

    def idsOn(self, digest: str, reporter: str, without: str, limit: int) -> int:
        held = [one.componentId for one in self._bySeq() if (one.digest, one.reporter) == (digest, reporter)]
        return min(limit, sum(one != without for one in held))

    def verdicts(self, digest: str, author: str) -> list[tuple[str, str, str | None]]:
        voice = self._tables.voice
        return [
            (report.reporter, report.verdict, self._tables.owners.get(report.reporter))
            for report in self._bySeq()
            if report.digest == digest and voice(report.reporter) != voice(author) and report.verdict is not None
        ]

    def lastConfirmation(self) -> str | None:
        found = (one.timestamp for one in reversed(self._bySeq()) if one.verdict == Verdict.CONFIRMED.value)
        return next(found, None)

    def count(self) -> int:
        return len(self._tables.reports)

    def _newest(self, which: Callable[[NewReport], bool], limit: int, below: int) -> list[StoredReport]:
        found = [report for report in reversed(self._bySeq()) if which(report) and len(report.body) < below]
        return [StoredReport(one.reporter, one.verdict, one.timestamp, one.body) for one in found[:limit]]

    def _bySeq(self) -> list[NewReport]:
        return [row.new for row in sorted(self._tables.reports.values(), key=lambda row: row.seq)]


def _inTurn(place: PatternTurn | ComponentTurn) -> tuple[float, ...]:
    """By which places are ordered, ascending."""
    first = (-place.standing,) if isinstance(place, ComponentTurn) else ()
    best = place.level if isinstance(place, ComponentTurn) else place.confidence
    return (*first, place.turn, -best, -place.seq)


def _sorted(found: list[StoredComponent], sort: str) -> list[StoredComponent]:
    return sorted(found, key=_SORTS[sort], reverse=True)


def _real(value: float) -> float:
    """A number as a database keeps it: no integer, and no minus before a zero."""
    return float(value) + 0.0
