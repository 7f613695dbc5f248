"""What a trainer knows: its own work, and what peers said, with this trainer's own verdict on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct
from twisted.internet.defer import inlineCallbacks

from kernelnet.message import AiInfo, CodeBlock, Component, Pattern, PerformanceReport, Verdict
from kernelnet.trainer.store import Changes, Store

__all__ = ["Knowledge", "KnownComponent"]

MAX_PATTERNS = 1000
MAX_BLOCKS = 500
MAX_COMPONENTS = 500
MAX_BENCHMARKS = 2000
"""How much of peers' knowledge is kept; the oldest goes first, confirmed components last."""


class KnownComponent(Struct):
    """
    A component, who shared it, and what this trainer's own measurement said of its claim.

    @ivar verdict: C{None} until it was measured here.  An own component counts as confirmed: its claim is a
        measurement that was made here.
    """

    component: Component
    source: str
    verdict: Verdict | None = None


class Knowledge:
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
        """Take up what an earlier run learned."""
        for source, id_, body in (yield self._store.read("SELECT source, id, body FROM patterns ORDER BY rowid")):
            self.patterns[source, id_] = msgspec.json.decode(body, type=Pattern)
        for source, id_, body in (yield self._store.read("SELECT source, id, body FROM blocks ORDER BY rowid")):
            self.blocks[source, id_] = msgspec.json.decode(body, type=CodeBlock)
        rows = yield self._store.read("SELECT digest, source, body, verdict FROM components ORDER BY rowid")
        for digest, source, body, verdict in rows:
            component = msgspec.json.decode(body, type=Component)
            self.components[digest] = KnownComponent(component, source, Verdict(verdict) if verdict else None)
        rows = yield self._store.read("SELECT component_id, reporter, body FROM benchmarks ORDER BY rowid")
        for componentId, reporter, body in rows:
            report = msgspec.json.decode(body, type=PerformanceReport)
            self.benchmarks.setdefault(componentId, {})[reporter] = report

    def addPattern(self, source: str, pattern: Pattern, changes: Changes) -> None:
        key = (source, pattern.id)
        self.patterns[key] = pattern
        changes.add("REPLACE INTO patterns VALUES (?, ?, ?)", *key, _json(pattern))
        for old in _excess(self.patterns, MAX_PATTERNS):
            changes.add("DELETE FROM patterns WHERE source = ? AND id = ?", *old)

    def addBlock(self, source: str, block: CodeBlock, changes: Changes) -> None:
        key = (source, block.id)
        self.blocks[key] = block
        changes.add("REPLACE INTO blocks VALUES (?, ?, ?)", *key, _json(block))
        for old in _excess(self.blocks, MAX_BLOCKS):
            changes.add("DELETE FROM blocks WHERE source = ? AND id = ?", *old)

    def addComponent(self, source: str, component: Component, changes: Changes) -> KnownComponent | None:
        """
        Remember a component.

        @return: it, or C{None} when the very same is known already: there is nothing to measure then.
        """
        digest = component.digest
        if digest in self.components:
            return None
        known = KnownComponent(component, source, Verdict.CONFIRMED if source == self.aiId else None)
        self.components[digest] = known
        verdict = known.verdict.value if known.verdict else None
        changes.add("INSERT INTO components VALUES (?, ?, ?, ?)", digest, source, _json(component), verdict)
        if len(self.components) > MAX_COMPONENTS:
            old = next((d for d, k in self.components.items() if k.verdict is not Verdict.CONFIRMED), None)
            old = old or next(iter(self.components))
            del self.components[old]
            changes.add("DELETE FROM components WHERE digest = ?", old)
        return known

    def judge(self, digest: str, verdict: Verdict, changes: Changes) -> None:
        """What this trainer's own measurement of a claim said."""
        known = self.components.get(digest)
        if known is not None:
            known.verdict = verdict
            changes.add("UPDATE components SET verdict = ? WHERE digest = ?", verdict.value, digest)

    def addReport(self, reporter: str, report: PerformanceReport, timestamp: str, changes: Changes) -> None:
        """A peer's (or the own) measurement; the last of each reporter counts."""
        self.benchmarks.setdefault(report.component_id, {})[reporter] = report
        changes.add(
            "REPLACE INTO benchmarks VALUES (?, ?, ?, ?)", report.component_id, reporter, timestamp, _json(report)
        )
        for old in _excess(self.benchmarks, MAX_BENCHMARKS):
            changes.add("DELETE FROM benchmarks WHERE component_id = ?", old)

    def usable(self, workbench: str) -> list[KnownComponent]:
        """What may be built upon: this trainer's own, and what it confirmed itself.  Best claim first."""
        found = [
            known
            for known in self.components.values()
            if known.verdict is Verdict.CONFIRMED
            and known.component.manifest is not None
            and known.component.manifest.workbench == workbench
        ]
        return sorted(found, key=lambda k: k.component.development_level or 0.0, reverse=True)

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


def _json(value: Struct) -> str:
    return msgspec.json.encode(value).decode("utf-8")


def _plain(value: Struct) -> dict[str, Any]:
    result: dict[str, Any] = msgspec.to_builtins(value)
    return result


def _excess(table: dict[Any, Any], limit: int) -> Iterator[Any]:
    """Take the oldest keys out of C{table} until it holds C{limit}, and say which they were."""
    while len(table) > limit:
        key = next(iter(table))
        del table[key]
        yield key
