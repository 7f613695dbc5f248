"""Knowledge of a trainer: its own work, and what peers said, with this trainer's own verdict on it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from msgspec import Struct
from twisted.internet.defer import inlineCallbacks

from kernelnet.artifacts import CodeBlock, Component, Pattern, PerformanceReport, Verdict
from kernelnet.message import AiInfo
from kernelnet.trainer.storage.database import Changes, Store

__all__ = ["KnowledgeBase", "KnownComponent"]

MAX_PATTERNS = 1000
MAX_BLOCKS = 500
MAX_COMPONENTS = 500
MAX_BENCHMARKS = 2000
"""
Maximum number of each that is kept; of the peer with most entries the oldest goes first, so that nobody can crowd out
the others.
"""

MAX_ITEM = 64 * 1024
MAX_COMPONENT = 384 * 1024
"""Bytes of JSON: what is larger is not kept.  A module has at most 64 KiB."""


class KnownComponent(Struct):
    """
    A component, who shared it, and what this trainer's own measurement said of its claim.

    @ivar verdict: C{None} until it was measured here.  An own component counts as confirmed: its claim is a
        measurement that was made here.
    @ivar level: on validation, as measured here; C{None}: it wasn't.  An author's own word for it counts for nothing.
    """

    component: Component
    source: str
    verdict: Verdict | None = None
    level: float | None = None


class KnowledgeBase:
    """
    Patterns, components, building blocks, reports and who is there, in memory and (by `Changes`) in the store.

    @ivar patterns: (source, id) → `Pattern`.
    @ivar components: digest → `KnownComponent`.
    @ivar blocks: (source, id) → `CodeBlock`: hints without a claim.
    @ivar benchmarks: component id → reporter → `PerformanceReport`.
    @ivar ais: ai_id → `AiInfo`, live; not kept over a restart, the hub tells it anew.
    """

    def __init__(self, aiId: str, store: Store) -> None:
        self.aiId = aiId
        self._store = store
        self.patterns: dict[tuple[str, str], Pattern] = {}
        self.components: dict[str, KnownComponent] = {}
        self.blocks: dict[tuple[str, str], CodeBlock] = {}
        self.benchmarks: dict[str, dict[str, PerformanceReport]] = {}
        self.ais: dict[str, AiInfo] = {}

    @inlineCallbacks
    def load(self) -> Any:
        """Take up the knowledge of an earlier run."""
        for source, id_, body in (yield self._store.read("SELECT source, id, body FROM patterns ORDER BY rowid")):
            self.patterns[source, id_] = msgspec.json.decode(body, type=Pattern)
        for source, id_, body in (yield self._store.read("SELECT source, id, body FROM blocks ORDER BY rowid")):
            self.blocks[source, id_] = msgspec.json.decode(body, type=CodeBlock)
        rows = yield self._store.read("SELECT digest, source, body, verdict, level FROM components ORDER BY rowid")
        for digest, source, body, verdict, level in rows:
            component = msgspec.json.decode(body, type=Component)
            self.components[digest] = KnownComponent(component, source, Verdict(verdict) if verdict else None, level)
        rows = yield self._store.read("SELECT component_id, reporter, body FROM benchmarks ORDER BY rowid")
        for componentId, reporter, body in rows:
            report = msgspec.json.decode(body, type=PerformanceReport)
            self.benchmarks.setdefault(componentId, {})[reporter] = report

    def addPattern(self, source: str, pattern: Pattern, changes: Changes) -> None:
        body, key = _json(pattern), (source, pattern.id)
        if len(body) > MAX_ITEM:
            return
        self.patterns[key] = pattern
        changes.add("REPLACE INTO patterns VALUES (?, ?, ?)", *key, body)
        for old in _excess(self.patterns, MAX_PATTERNS, lambda key: key[0]):
            changes.add("DELETE FROM patterns WHERE source = ? AND id = ?", *old)

    def addBlock(self, source: str, block: CodeBlock, changes: Changes) -> None:
        body, key = _json(block), (source, block.id)
        if len(body) > MAX_ITEM:
            return
        self.blocks[key] = block
        changes.add("REPLACE INTO blocks VALUES (?, ?, ?)", *key, body)
        for old in _excess(self.blocks, MAX_BLOCKS, lambda key: key[0]):
            changes.add("DELETE FROM blocks WHERE source = ? AND id = ?", *old)

    def addComponent(
        self, source: str, component: Component, changes: Changes, level: float | None = None
    ) -> KnownComponent | None:
        """
        Remember a component.

        The same bytes with another claim are another component: else whoever shares an honest author's component
        first, with a false claim, would silence that author.

        @param level: on validation, of one of our own.
        @return: it, or C{None} when the very same is known already (there is nothing to measure then), or it is too
            large to be kept.
        """
        digest, body = component.digest, _json(component)
        if len(body) > MAX_COMPONENT:
            return None
        if digest in self.components:
            return None
        known = KnownComponent(component, source, Verdict.CONFIRMED if source == self.aiId else None, level)
        self.components[digest] = known
        verdict = known.verdict.value if known.verdict else None
        changes.add("REPLACE INTO components VALUES (?, ?, ?, ?, ?)", digest, source, body, verdict, level)
        for old in _excess(self.components, MAX_COMPONENTS, lambda d: self.components[d].source, self._isConfirmed):
            changes.add("DELETE FROM components WHERE digest = ?", old)
        return known

    def _isConfirmed(self, digest: str) -> bool:
        return self.components[digest].verdict is Verdict.CONFIRMED

    def judge(self, digest: str, verdict: Verdict, changes: Changes, level: float | None = None) -> None:
        """Keep the verdict of this trainer's own measurement of a claim, and the level on validation that it had."""
        known = self.components.get(digest)
        if known is not None:
            known.verdict, known.level = verdict, level
            sql = "UPDATE components SET verdict = ?, level = ? WHERE digest = ?"
            changes.add(sql, verdict.value, level, digest)

    def addReport(self, reporter: str, report: PerformanceReport, timestamp: str, changes: Changes) -> None:
        """A peer's (or the own) measurement; the last of each reporter counts."""
        body = _json(report)
        if len(body) > MAX_ITEM:
            return
        self.benchmarks.setdefault(report.component_id, {})[reporter] = report
        changes.add("REPLACE INTO benchmarks VALUES (?, ?, ?, ?)", report.component_id, reporter, timestamp, body)
        for old in _excess(self.benchmarks, MAX_BENCHMARKS, lambda key: ""):
            changes.add("DELETE FROM benchmarks WHERE component_id = ?", old)

    def usable(self, workbench: str | None = None) -> list[KnownComponent]:
        """
        Components that may be built upon: this trainer's own, and what it confirmed itself.

        @param workbench: of one workbench only.

        First the best of each task, then each task's second, and so on; best by the level on validation, since what is
        built upon is a choice, and none may depend on held-out.
        """
        found = [
            known
            for known in self.components.values()
            if known.verdict is Verdict.CONFIRMED
            and known.component.manifest is not None
            and workbench in (None, known.component.manifest.workbench)
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
            for reporter, report in self.benchmarks.get(component.id, {}).items()
            if report.verdict is Verdict.CONFIRMED and report.digest == component.digest
        ]

    def shared(self) -> dict[str, Any]:
        """The sketch's C{shared_knowledge}: patterns, components and benchmarks as plain JSON values."""
        return {
            "patterns": {id_: {"pattern": _plain(p), "source": s} for (s, id_), p in self.patterns.items()},
            "components": {
                k.component.id: {
                    "component": _plain(k.component),
                    "source": k.source,
                    "verdict": k.verdict.value if k.verdict else "unmeasured",
                }
                for k in self.components.values()
            },
            "code": {id_: {"code": _plain(b), "source": s} for (s, id_), b in self.blocks.items()},
            "benchmarks": {
                id_: [{"reporter": reporter, **_plain(report)} for reporter, report in by.items()]
                for id_, by in self.benchmarks.items()
            },
        }


def _rank(known: KnownComponent) -> tuple[float, Any]:
    """Place by the level on validation, less is better, and the task that it is for, under one version of the rules."""
    manifest = known.component.manifest
    report = manifest.report if manifest is not None else None
    task = (
        None
        if report is None
        else (report.workbench_digest, report.trace_digest, tuple(sorted(report.settings.items())))
    )
    return -known.level if known.level is not None else math.inf, task


def _json(value: Struct) -> str:
    return msgspec.json.encode(value).decode("utf-8")


def _plain(value: Struct) -> dict[str, Any]:
    result: dict[str, Any] = msgspec.to_builtins(value)
    return result


def _excess(
    table: dict[Any, Any], limit: int, source: Callable[[Any], str], keep: Callable[[Any], bool] = lambda key: False
) -> Iterator[Any]:
    """
    Take keys out of C{table} until it holds C{limit}, and say which they were: the oldest of whose are most.

    @param keep: for which keys to go last.
    """
    while len(table) > limit:
        greedy = Counter(map(source, table)).most_common(1)[0][0]
        theirs = [key for key in table if source(key) == greedy]
        key = next((key for key in theirs if not keep(key)), theirs[0])
        del table[key]
        yield key
