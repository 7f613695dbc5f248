"""
The knowledge of all AIs together: patterns, components and reports, stored from messages and read in pages.

"Best" is first what other AIs confirmed by measuring it again, then what nobody has, then what they refuted, and last
what was claimed under older rules of its workbench; of the same standing what has the highest level.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from kernelnet.artifacts import CodeBlock, Component, Pattern, PerformanceReport, Verdict
from kernelnet.hub.storage.log_pages import Event
from kernelnet.hub.storage.statements.components import ComponentTurn, NewComponent, StoredComponent
from kernelnet.hub.storage.statements.observations import NewObservation, ObservationBounds
from kernelnet.hub.storage.statements.patterns import NewPattern, PatternTurn, StoredPattern
from kernelnet.hub.storage.statements.reports import NewReport, StoredReport
from kernelnet.hub.storage.statements.sessions import SESSION_STATES
from kernelnet.hub.storage.transaction import Reader, Transaction
from kernelnet.hub.views import former_cursors
from kernelnet.message import KnowledgeBase, NetworkMessage
from kernelnet.observations import MAX_OBSERVATION, Observation
from kernelnet.wire import WireProblem

__all__ = [
    "MAX_COPIES",
    "MAX_IDS",
    "MAX_REPORT",
    "OBSERVATIONS",
    "PAGE_BYTES",
    "Then",
    "bestMatch",
    "checkComponent",
    "checkReport",
    "counts",
    "describeReport",
    "page",
    "reportsOf",
    "storeCode",
    "storeComponent",
    "storeNothing",
    "storeObservation",
    "storePattern",
    "storeReport",
    "wrongWith",
]

PAGE_BYTES = 128 * 1024
"""The JSON of one page's items; what else a ``training_sync`` holds takes at most as much again."""
_OTHERS = 8
"""Components that are looked at for an answer in the place of one whose source is a blob."""
_SHOWN = 5
"""Reports shown with each component."""
TURN = 5
"""Number of components, and of patterns, that an author has in a page before others have theirs."""
_COMPONENTS_EACH = 3
"""Number of components that stand before each pattern."""
MAX_REPORT = 16384
"""Bytes from which on a report is not shown."""

OBSERVATIONS = ObservationBounds(each=16, total=10_000)
"""Maximum number of observations: with `kernelnet.artifacts.MAX_OBSERVATION` bytes each they are 40 MB in all."""
MAX_IDS = 16
"""Maximum number of ids under which an author has one digest, and a reporter reports on one."""
MAX_COPIES = 100
"""The same of all authors together: a verdict changes so many places in the orders, however many share the bytes."""

Then = Callable[[Transaction, Event], None]
"""Writes what follows from the message that was appended as this event, in the engine's thread."""
_encode = msgspec.json.Encoder().encode


def storePattern(message: NetworkMessage, pattern: Pattern) -> Then:
    """Prepare the row of a pattern, before the message is encoded; the result writes it."""
    row = NewPattern(
        message.sender_id,
        pattern.id,
        pattern.type,
        pattern.confidence,
        pattern.specialization,
        message.timestamp,
        _encodeOnce(message, "pattern"),
    )
    return partial(_putPattern, row)


def storeCode(message: NetworkMessage, code: CodeBlock) -> Then:
    """The same for a building block."""
    row = NewComponent(
        message.sender_id,
        code.id,
        "code",
        code.type,
        code.specialization,
        "",
        0.0,
        message.timestamp,
        _encodeOnce(message, "code"),
    )
    return partial(_putComponent, row)


def storeComponent(message: NetworkMessage, component: Component) -> Then:
    """The same for a component."""
    row = NewComponent(
        message.sender_id,
        component.id,
        "component",
        component.title,
        component.manifest.workbench if component.manifest else component.specialization,
        component.digest,
        component.development_level or 0.0,
        message.timestamp,
        _encodeOnce(message, "component"),
        component.manifest.report.workbench_digest if component.manifest and component.manifest.report else "",
    )
    return partial(_putComponent, row)


def storeReport(message: NetworkMessage, report: PerformanceReport) -> Then:
    """The same for a report."""
    row = NewReport(
        message.sender_id,
        report.component_id,
        report.digest or "",
        report.verdict.value if report.verdict else None,
        message.timestamp,
        _encode(message.payload),
    )
    return partial(_putReport, row)


def wrongWith(report: PerformanceReport) -> str | None:
    """The reason why a report can't be taken; C{None}: it can."""
    if report.observation is None:
        return "Object missing required field `performance`" if report.performance is UNSET else None
    if report.digest is None:
        return "an `observation` needs the `digest` of its component"
    if report.verdict is not None or report.performance is not UNSET:
        return "an `observation` is no verdict: leave out `verdict` and `performance`"
    size = len(_encode(report.observation))
    if size > MAX_OBSERVATION:
        return f"`observation` has {size} bytes of JSON; it may have {MAX_OBSERVATION}"
    return None


def storeObservation(message: NetworkMessage, report: PerformanceReport, observation: Observation) -> Then:
    """The same for an observation, which touches neither reports nor the counts of verdicts."""
    row = NewObservation(
        message.sender_id,
        report.component_id,
        report.digest or "",
        observation.environment.value,
        observation.site,
        observation.conditions,
        message.timestamp,
        _encode(observation),
    )
    return partial(_putObservation, row)


def checkComponent(transaction: Transaction, author: str, component: Component) -> None:
    """@raise WireProblem: its author has the same bytes under too many ids already, or all authors have together."""
    if transaction.components.idsWith(component.digest, author, component.id, MAX_IDS) == MAX_IDS:
        raise WireProblem(
            "invalid_message", f"you have shared this very component under {MAX_IDS} other ids; use one of these"
        )
    name, held = (author, component.id), transaction.components
    if held.copies(component.digest, MAX_COPIES) == MAX_COPIES and component.digest != held.digestsOf([name]).get(name):
        raise WireProblem("invalid_message", f"this component is here under {MAX_COPIES} ids already; use one of these")


def checkReport(transaction: Transaction, reporter: str, report: PerformanceReport) -> None:
    """@raise WireProblem: there are too many of this reporter on the same digest already."""
    digest = report.digest
    if digest and transaction.reports.idsOn(digest, reporter, report.component_id, MAX_IDS) == MAX_IDS:
        raise WireProblem(
            "invalid_message", f"you have reported on this `digest` under {MAX_IDS} other ids; use one of these"
        )


def storeNothing(transaction: Transaction, event: Event) -> None:
    """For what is in the log only."""


def _encodeOnce(message: NetworkMessage, key: str) -> bytes:
    """One part of the payload as JSON, which the message's own line takes as it is."""
    body = _encode(message.payload[key])
    message.payload[key] = msgspec.Raw(body)
    return body


def _putPattern(row: NewPattern, transaction: Transaction, event: Event) -> None:
    transaction.patterns.put(event, row)


def _putComponent(row: NewComponent, transaction: Transaction, event: Event) -> None:
    transaction.components.put(event, row)
    if row.digest:
        transaction.components.countVerdicts(row.digest, (row.author, row.id))


def _putReport(row: NewReport, transaction: Transaction, event: Event) -> None:
    transaction.reports.put(event, row)
    if row.digest:
        transaction.components.countVerdicts(row.digest)
        if row.verdict == Verdict.CONFIRMED.value:
            transaction.components.followRules(row.digest, row.reporter, event.seq)


def _putObservation(row: NewObservation, transaction: Transaction, event: Event) -> None:
    transaction.observations.put(event, row, OBSERVATIONS)


def bestMatch(reader: Reader, feature: str, requestor: str) -> msgspec.Raw | None:
    """
    The best stored component for a feature as JSON, as its author shared it; not the requestor's own.

    None has a source that is a blob: who asks may not know of such.
    """
    best = reader.components.best(feature, requestor)
    if best is not None and _isReference(best):
        others = reader.components.listed(
            workbench=feature, author=None, state=None, sort="level", limit=_OTHERS, after=None
        )
        inline = (one for one in others if one.author != requestor and not one.olderRules and not _isReference(one))
        best = next(inline, None)
    return msgspec.Raw(best.body) if best else None


class _Source(msgspec.Struct):
    source_size: Any = 0


def _isReference(component: StoredComponent) -> bool:
    return bool(msgspec.json.decode(component.body, type=_Source).source_size)


def counts(reader: Reader) -> dict[str, Any]:
    """The number of all that is stored, by table; of sessions by state."""
    kinds, sessions = reader.components.countByKind(), reader.sessions.countByState()
    return {
        "stored": {
            "patterns": reader.patterns.count(),
            "components": kinds.get("component", 0),
            "confirmed_components": reader.components.countConfirmed(),
            "code_blocks": kinds.get("code", 0),
            "performance_reports": reader.reports.count(),
            "observations": reader.observations.count(),
        },
        "sessions": {state: sessions.get(state, 0) for state in SESSION_STATES},
    }


def page(
    reader: Reader, after: str | None, limit: int, maxBytes: int = PAGE_BYTES, version: int = 2
) -> tuple[KnowledgeBase, str | None]:
    """
    One page of the knowledge base: components, best first, with a pattern after each `_COMPONENTS_EACH`.

    Authors take turns (`TURN`), so that nobody fills the pages, whatever he claims.  Each item is as its author sent
    it, and besides says who that was: C{source}.  Building blocks stand among the components, with C{kind} C{"code"};
    what was claimed under older rules of its workbench has C{older_rules}.

    @param after: what an earlier page gave as cursor; C{None}, or what is no cursor: from the start.
    @param limit: the maximum number of items.
    @param version: 1: without those whose source is a blob.
    @return: the page, and the cursor of the next one or C{None}.
    """
    base = KnowledgeBase([], [], {})
    size = 0
    last: str | None = None
    for count, (cursor, one) in enumerate(_items(reader, after, limit + 1)):
        item, source = msgspec.json.decode(one.body), one.author
        reports: list[dict[str, Any]] = []
        if isinstance(one, StoredComponent) and one.kind == "component":
            reports = reportsOf(reader, one.id)
        cost = len(one.body) + len(source) + 64 + len(msgspec.json.encode(reports))
        if cost > maxBytes:
            # Larger than any page: it is named, so that nobody takes it for missing.
            item = {key: value for key, value in item.items() if key in ("id", "specialization")} | {"too_large": True}
            reports, cost = [], 600
        if count == limit or size + cost > maxBytes:
            return base, last
        size += cost
        last = cursor
        item["source"] = source
        if isinstance(one, StoredPattern):
            base.patterns.append(item)
            continue
        if one.kind == "code":
            item["kind"] = one.kind
        item.pop("older_rules", None)
        if one.olderRules:
            item["older_rules"] = True
        if item.get("source_size"):
            if version < 2:
                continue
            base.references = [*(base.references or ()), item]
        else:
            base.components.append(item)
        if reports:
            base.benchmarks[one.id] = reports
    return base, None


_Stored = StoredComponent | StoredPattern


def _items(reader: Reader, after: str | None, limit: int) -> Iterator[tuple[str, _Stored]]:
    """
    (cursor, item) of everything after a cursor; C{limit} at least, where there are as many.

    A cursor says the places of the last component and pattern seen, so that what is stored meanwhile shifts nothing.
    """
    key = former_cursors.parse(after)
    if key is not None:
        yield from former_cursors.itemsAfter(reader, key)
        return
    place = _parseCursor(after)
    components = reader.components.inTurn(TURN, place.component, limit)
    patterns = reader.patterns.inTurn(TURN, place.pattern, limit)
    while True:
        component = next(components, None) if place.since < _COMPONENTS_EACH else None
        if component is not None:
            place = _Place(place.since + 1, component[0], place.pattern)
            yield place.cursor, component[1]
        elif (pattern := next(patterns, None)) is not None:
            place = _Place(0, place.component, pattern[0])
            yield place.cursor, pattern[1]
        elif place.since:
            place = place._replace(since=0)  # there are no patterns any more
        else:
            return


class _Place(NamedTuple):
    """
    Place in the pages.

    @ivar since: number of components since the last pattern.
    @ivar component, pattern: the last ones seen; C{None}: none yet.
    """

    since: int = 0
    component: ComponentTurn | None = None
    pattern: PatternTurn | None = None

    @property
    def cursor(self) -> str:
        return ":".join(["t", *(repr(n) for n in (self.since, *(self.component or _NONE), *(self.pattern or _NONE)))])


_NONE = (-1,)
_INTEGER, _REAL = r"(-?\d{1,18})", r"(-?[\d.e+-]{1,30})"
_CURSOR = re.compile(
    rf"t:([0-{_COMPONENTS_EACH}]):(?:-1|{_INTEGER}:{_INTEGER}:{_REAL}:{_INTEGER}):(?:-1|{_INTEGER}:{_REAL}:{_INTEGER})",
    re.ASCII,
)


def _parseCursor(after: str | None) -> _Place:
    """The place after which to go on; of what is no cursor: the start."""
    match = _CURSOR.fullmatch(after or "")
    if match is None:
        return _Place()
    since, standing, turn, level, seq, patternTurn, confidence, patternSeq = match.groups()
    try:
        return _Place(
            int(since),
            ComponentTurn(int(standing), int(turn), float(level), int(seq)) if seq else None,
            PatternTurn(int(patternTurn), float(confidence), int(patternSeq)) if patternSeq else None,
        )
    except ValueError:
        return _Place()


def reportsOf(reader: Reader, componentId: str) -> list[dict[str, Any]]:
    """The newest reports on components of this id, as `describeReport` gives them."""
    return [*map(describeReport, reader.reports.ofComponent(componentId, _SHOWN, MAX_REPORT))]


def describeReport(report: StoredReport) -> dict[str, Any]:
    """A report as it was sent, with C{reporter} and C{timestamp}, but without a signature, which few ask for."""
    told = msgspec.json.decode(report.body)
    told.pop("attestation", None)
    # what the hub knows comes last: nobody reports in another's name
    return {**told, "reporter": report.reporter, "timestamp": report.timestamp}
