"""Knowledge of a trainer: its own work, and what peers said, with this trainer's own verdict on it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct
from twisted.internet.defer import inlineCallbacks

from kernelnet.artifacts import AI_ID, CodeBlock, Component, Pattern, PerformanceReport, Verdict
from kernelnet.message import HUB_ID, AiInfo
from kernelnet.trainer.storage.bounded_table import BoundedTable, EncodedTable
from kernelnet.trainer.storage.database import Changes, Store
from kernelnet.trainer.storage.known_component import KnownComponent
from kernelnet.untrusted import weight

__all__ = ["KnowledgeBase", "KnownComponent", "KnownReport"]

MiB = 1 << 20

MAX_PATTERNS, PATTERN_ROOM = 1000, 8 * MiB
MAX_BLOCKS, BLOCK_ROOM = 500, 4 * MiB
MAX_COMPONENTS, COMPONENT_ROOM = 500, 24 * MiB
MAX_BENCHMARKS, BENCHMARK_ROOM = 2000, 8 * MiB
MAX_AIS, AI_ROOM = 10_000, 16 * MiB
"""
Maximum number of each that is kept, and of bytes that they weigh together: see `kernelnet.untrusted.weight`.

All is kept as bytes of JSON, which weigh less, but for who is there; what a search is given weighs what it says here.
Of the peer who fills most the oldest goes first, so that nobody can crowd out the others.
"""

MAX_ITEM = 256 * 1024
"""Bytes that one pattern, block or report weighs at most; heavier ones are not kept.  Our benches' weigh 3 KB."""

MAX_AI = 64 * 1024
"""The same of what the hub tells of one AI."""

ROWS = 50
"""Number of rows that are read at once when what an earlier run left is taken up."""

_PATTERNS = "SELECT rowid, source, id, body FROM patterns WHERE rowid > ? ORDER BY rowid LIMIT ?"
_BLOCKS = "SELECT rowid, source, id, body FROM blocks WHERE rowid > ? ORDER BY rowid LIMIT ?"
_COMPONENTS = (
    "SELECT rowid, digest, source, body, verdict, level FROM components WHERE rowid > ? ORDER BY rowid LIMIT ?"
)
_BENCHMARKS = "SELECT rowid, component_id, reporter, body FROM benchmarks WHERE rowid > ? ORDER BY rowid LIMIT ?"
_NO_PATTERN = "DELETE FROM patterns WHERE source = ? AND id = ?"
_NO_BLOCK = "DELETE FROM blocks WHERE source = ? AND id = ?"
_NO_COMPONENT = "DELETE FROM components WHERE digest = ?"
_NO_BENCHMARK = "DELETE FROM benchmarks WHERE component_id = ? AND reporter = ?"

_Items = EncodedTable[tuple[str, str], Pattern] | EncodedTable[tuple[str, str], CodeBlock]


class KnownReport(NamedTuple):
    """
    A measurement that was reported, of whatever claim.

    @ivar verdict: C{None}: it is no verdict.
    @ivar digest: of the component that was measured.
    @ivar body: all of it, as JSON.
    """

    verdict: Verdict | None
    digest: str | None
    body: bytes

    def decoded(self) -> PerformanceReport:
        return msgspec.json.decode(self.body, type=PerformanceReport)


class KnowledgeBase:
    """
    Patterns, components, building blocks, reports and who is there, in memory and (by `Changes`) in the store.

    @ivar patterns: (source, id) → `Pattern`, decoded when it is asked for.
    @ivar components: digest → `KnownComponent`.
    @ivar blocks: (source, id) → `CodeBlock`: hints without a claim; decoded when they are asked for.
    @ivar benchmarks: (component id, reporter) → `KnownReport`.
    @ivar ais: ai_id → `AiInfo`, live; not kept over a restart, the hub tells it anew.
    """

    def __init__(self, aiId: str, store: Store) -> None:
        self.aiId = aiId
        self._store = store
        self.patterns: EncodedTable[tuple[str, str], Pattern] = EncodedTable(
            MAX_PATTERNS, PATTERN_ROOM, msgspec.json.Decoder(Pattern).decode
        )
        self.components: BoundedTable[str, KnownComponent] = BoundedTable(MAX_COMPONENTS, COMPONENT_ROOM)
        self.blocks: EncodedTable[tuple[str, str], CodeBlock] = EncodedTable(
            MAX_BLOCKS, BLOCK_ROOM, msgspec.json.Decoder(CodeBlock).decode
        )
        self.benchmarks: BoundedTable[tuple[str, str], KnownReport] = BoundedTable(MAX_BENCHMARKS, BENCHMARK_ROOM)
        self._reporters: dict[str, set[str]] = {}
        self._ais: BoundedTable[str, AiInfo] = BoundedTable(MAX_AIS, AI_ROOM)
        self.ais: Mapping[str, AiInfo] = self._ais

    @inlineCallbacks
    def load(self) -> Any:
        """Take up the knowledge of an earlier run; what an earlier version kept without these bounds is forgotten."""
        changes = Changes()
        for sql, take in (
            (_PATTERNS, self._takePattern),
            (_BLOCKS, self._takeBlock),
            (_COMPONENTS, self._takeComponent),
            (_BENCHMARKS, self._takeReport),
        ):
            last = 0
            while rows := (yield self._store.read(sql, last, ROWS)):
                for _, *row in rows:
                    take(row, changes)
                last = rows[-1][0]
        yield self._store.commit(changes)

    def _takePattern(self, row: Sequence[Any], changes: Changes) -> None:
        source, id_, body = row
        self._keepItem(self.patterns, _NO_PATTERN, (source, id_), body.encode(), changes)

    def _takeBlock(self, row: Sequence[Any], changes: Changes) -> None:
        source, id_, body = row
        self._keepItem(self.blocks, _NO_BLOCK, (source, id_), body.encode(), changes)

    def _takeComponent(self, row: Sequence[Any], changes: Changes) -> None:
        digest, source, body, verdict, level = row
        component = msgspec.json.decode(body, type=Component)
        known = KnownComponent(component, source, Verdict(verdict) if verdict else None, level)
        if known.isTooLarge:
            changes.add(_NO_COMPONENT, digest)
        else:
            self._keepComponent(digest, known, changes)

    def _takeReport(self, row: Sequence[Any], changes: Changes) -> None:
        componentId, reporter, text = row
        body = text.encode()
        if weight(body) > MAX_ITEM:
            changes.add(_NO_BENCHMARK, componentId, reporter)
        else:
            self._keepReport(reporter, msgspec.json.decode(body, type=PerformanceReport), body, changes)

    def tell(self, infos: Mapping[str, AiInfo]) -> None:
        """The hub tells of AIs, of whom it may have told before; what is no id, and what says too much, is none."""
        for aiId, info in infos.items():
            size = weight(msgspec.json.encode(info))
            if AI_ID.fullmatch(aiId) and size <= MAX_AI:
                self._ais.put(aiId, HUB_ID, info, size)  # it is the hub's word: of whom it told long ago goes first

    def addPattern(self, source: str, pattern: Pattern, changes: Changes) -> None:
        body = msgspec.json.encode(pattern)
        if weight(body) <= MAX_ITEM:
            changes.add("REPLACE INTO patterns VALUES (?, ?, ?)", source, pattern.id, body.decode())
            self._keepItem(self.patterns, _NO_PATTERN, (source, pattern.id), body, changes)

    def addBlock(self, source: str, block: CodeBlock, changes: Changes) -> None:
        body = msgspec.json.encode(block)
        if weight(body) <= MAX_ITEM:
            changes.add("REPLACE INTO blocks VALUES (?, ?, ?)", source, block.id, body.decode())
            self._keepItem(self.blocks, _NO_BLOCK, (source, block.id), body, changes)

    def _keepItem(self, table: _Items, forget: str, key: tuple[str, str], body: bytes, changes: Changes) -> None:
        """@param forget: the statement that forgets one."""
        source, _ = key
        gone = [key]
        if (size := weight(body)) <= MAX_ITEM:
            gone = table.kept.put(key, source, body, size, isProtected=source == self.aiId)
        for old in gone:
            changes.add(forget, *old)

    def addComponent(
        self, source: str, component: Component, changes: Changes, level: float | None = None
    ) -> KnownComponent | None:
        """
        Remember a component.

        The same bytes with another claim are another component: else whoever shares an honest author's component
        first, with a false claim, would silence that author.

        @param level: on validation, of one of our own.
        @return: it, or C{None} when the very same is known already (there is nothing to measure then), or it is not
            kept, since it is too large or its author fills most of the room.
        """
        if component.digest in self.components:
            return None
        known = KnownComponent(component, source, Verdict.CONFIRMED if source == self.aiId else None, level)
        if known.isTooLarge:
            return None
        verdict = known.verdict.value if known.verdict else None
        body = known.body.decode()
        changes.add("REPLACE INTO components VALUES (?, ?, ?, ?, ?)", known.digest, source, body, verdict, level)
        self._keepComponent(known.digest, known, changes)
        return known if known.digest in self.components else None

    def _keepComponent(self, digest: str, known: KnownComponent, changes: Changes) -> None:
        isProtected = known.verdict is Verdict.CONFIRMED
        for old in self.components.put(digest, known.source, known, known.weight, isProtected=isProtected):
            changes.add(_NO_COMPONENT, old)

    def judge(self, digest: str, verdict: Verdict, changes: Changes, level: float | None = None) -> None:
        """Keep the verdict of this trainer's own measurement of a claim, and the level on validation that it had."""
        known = self.components.get(digest)
        if known is not None:
            known.verdict, known.level = verdict, level
            if verdict is Verdict.CONFIRMED:
                self.components.protect(digest)
            sql = "UPDATE components SET verdict = ?, level = ? WHERE digest = ?"
            changes.add(sql, verdict.value, level, digest)

    def addReport(self, reporter: str, report: PerformanceReport, timestamp: str, changes: Changes) -> None:
        """A peer's (or the own) measurement; the last of each reporter counts."""
        body = msgspec.json.encode(report)
        if weight(body) <= MAX_ITEM:
            sql = "REPLACE INTO benchmarks VALUES (?, ?, ?, ?)"
            changes.add(sql, report.component_id, reporter, timestamp, body.decode())
            self._keepReport(reporter, report, body, changes)

    def _keepReport(self, reporter: str, report: PerformanceReport, body: bytes, changes: Changes) -> None:
        key, kept = (report.component_id, reporter), KnownReport(report.verdict, report.digest, body)
        self._reporters.setdefault(report.component_id, set()).add(reporter)
        isProtected = reporter == self.aiId
        for old in self.benchmarks.put(key, reporter, kept, weight(body), isProtected=isProtected):
            reporters = self._reporters[old[0]]
            reporters.discard(old[1])
            if not reporters:
                del self._reporters[old[0]]
            changes.add(_NO_BENCHMARK, *old)

    def reportsOn(self, componentId: str) -> dict[str, KnownReport]:
        """By reporter the last measurement of each, of what has that id."""
        return {reporter: self.benchmarks[componentId, reporter] for reporter in self._reporters.get(componentId, ())}

    def usable(self, workbench: str | None = None, *, references: bool = False) -> list[KnownComponent]:
        """
        Components that may be built upon: this trainer's own, and what it confirmed itself.

        @param workbench: of one workbench only.
        @param references: also those whose source is a blob, of which nothing is made, to compare with.

        First the best of each task, then each task's second, and so on; best by the level on validation, since what is
        built upon is a choice, and none may depend on held-out.
        """
        found = [
            known
            for known in self.components.values()
            if known.verdict is Verdict.CONFIRMED
            and (references or not known.isReference)
            and known.workbench is not None
            and workbench in (None, known.workbench)
        ]
        place: Counter[Any] = Counter()
        ranked = []
        for _, task, known in sorted(((*_rank(k), k) for k in found), key=lambda entry: entry[0]):
            ranked.append((place[task], known))
            place[task] += 1
        return [known for _, known in sorted(ranked, key=lambda entry: entry[0])]

    def voice(self, aiId: str) -> str:
        """Owner of an AI, as far as the hub told of one, or else itself: no owner's has the form of an id."""
        info = self.ais.get(aiId)
        return aiId if info is None or info.owner is None else f"owner {info.owner}"

    def confirmedBy(self, component: Component) -> list[str]:
        """The peers whose re-measurement of C{component} agreed."""
        return [
            reporter
            for reporter, report in self.reportsOn(component.id).items()
            if report.verdict is Verdict.CONFIRMED and report.digest == component.digest
        ]

    def shared(self) -> dict[str, Any]:
        """The sketch's C{shared_knowledge}: patterns, components and benchmarks as plain JSON values."""
        return {
            "patterns": {id_: {"pattern": _plain(p), "source": s} for (s, id_), p in self.patterns.items()},
            "components": {
                k.id: {
                    "component": _plain(k.component),
                    "source": k.source,
                    "verdict": k.verdict.value if k.verdict else "unmeasured",
                }
                for k in self.components.values()
            },
            "code": {id_: {"code": _plain(b), "source": s} for (s, id_), b in self.blocks.items()},
            "benchmarks": {
                id_: [{"reporter": who, **_plain(report.decoded())} for who, report in self.reportsOn(id_).items()]
                for id_ in self._reporters
            },
        }


def _rank(known: KnownComponent) -> tuple[float, Any]:
    """Place by the level on validation, less is better, and the task that it is for, under one version of the rules."""
    return -known.level if known.level is not None else math.inf, known.task


def _plain(value: Struct) -> dict[str, Any]:
    result: dict[str, Any] = msgspec.to_builtins(value)
    return result
