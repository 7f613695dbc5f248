"""What a trainer builds upon."""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.internet.defer import inlineCallbacks
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import CodeBlock, Component, Pattern, PerformanceReport, SplitScore, Verdict
from kernelnet.message import AiInfo, MessageType
from kernelnet.trainer.storage import knowledge_base
from kernelnet.trainer.storage.bounded_table import BoundedTable, EncodedTable
from kernelnet.trainer.storage.database import Changes
from kernelnet.trainer.storage.knowledge_base import (
    AI_ROOM,
    BENCHMARK_ROOM,
    BLOCK_ROOM,
    COMPONENT_ROOM,
    MAX_AI,
    MAX_AIS,
    MAX_BENCHMARKS,
    MAX_BLOCKS,
    MAX_COMPONENTS,
    MAX_ITEM,
    MAX_PATTERNS,
    PATTERN_ROOM,
    ROWS,
    KnowledgeBase,
)
from kernelnet.trainer.storage.known_component import MAX_COMPONENT, KnownComponent
from tests.trainer.support import component, levelOf
from tests.trainer.work.support import WorkTestCase

T = MessageType

STORES = {
    "patterns": (MAX_PATTERNS, PATTERN_ROOM, MAX_ITEM),
    "blocks": (MAX_BLOCKS, BLOCK_ROOM, MAX_ITEM),
    "benchmarks": (MAX_BENCHMARKS, BENCHMARK_ROOM, MAX_ITEM),
    "components": (MAX_COMPONENTS, COMPONENT_ROOM, MAX_COMPONENT),
    "ais": (MAX_AIS, AI_ROOM, MAX_AI),
}
"""By name of a store how many entries it holds, how many bytes, and how many bytes one of them has at most."""

EMPTY: dict[str, Any] = {"name": "n", "specialization": "file_system"}
"""What else a component has."""


def scored(name: str, validation: int, heldOut: int, trace: str = "cd") -> Component:
    made = component(name, level=1 - heldOut / 100)
    if made.manifest is None or made.manifest.report is None:
        raise AssertionError(made)
    replace = msgspec.structs.replace
    splits = {"train": SplitScore(100, 1, 1), "validation": SplitScore(100, validation, 1)}
    splits["held_out"] = SplitScore(100, heldOut, 1)
    report = replace(made.manifest.report, splits=splits, trace_digest=trace * 32)
    return replace(made, manifest=replace(made.manifest, report=report))


class UsableTests(SynchronousTestCase):
    def usable(self, *components: Component) -> list[str]:
        store: Any = None
        knowledge = KnowledgeBase("AI_1", store)
        changes = Changes()
        for made in components:
            knowledge.addComponent("AI_2", made, changes)
            level = levelOf(made) if made.claim is not None else None
            knowledge.judge(made.digest, Verdict.CONFIRMED, changes, level)
        return [known.component.id for known in knowledge.usable("file_system")]

    def test_validation(self) -> None:
        """The best on validation comes first, whatever it has on held-out."""
        self.assertEqual(self.usable(scored("a", 30, 90), scored("b", 20, 95), scored("c", 40, 1)), ["b", "a", "c"])

    def test_tasks(self) -> None:
        """The best of each task comes before any task's second: scores of two traces can't be compared."""
        easy = [scored(f"e{n}", 10 + n, 0) for n in range(2)]
        hard = [scored(f"h{n}", 80 + n, 0, "ef") for n in range(2)]
        self.assertEqual(self.usable(*easy, *hard), ["e0", "h0", "e1", "h1"])

    def test_noClaim(self) -> None:
        """What makes no claim comes last."""
        self.assertEqual(self.usable(component("x", claim=False), scored("a", 90, 90)), ["a", "x"])


class LimitTests(WorkTestCase):
    @inlineCallbacks
    def test_nobodyCrowdsOutOthers(self) -> Any:
        """When there is too much, the peer with most loses its oldest; its work that waits goes with it."""
        self.trainer.knowledge.components.most = self.trainer.knowledge.patterns.kept.most = 3
        yield self.share("one", sender="AI_3")
        pattern = {"id": "one", "type": "loop", "confidence": 0.5}
        yield self.hear(self.message(T.PATTERN_SHARE, {"pattern": pattern}, sender="AI_3"))
        for i in range(9):
            yield self.share(f"many{i}", sender="AI_2")
            pattern["id"] = f"many{i}"
            yield self.hear(self.message(T.PATTERN_SHARE, {"pattern": pattern}, sender="AI_2"))
        known = self.trainer.knowledge
        self.assertEqual([k.component.id for k in known.components.values()], ["one", "many7", "many8"])
        self.assertEqual([id_ for _, id_ in known.patterns], ["one", "many7", "many8"])
        self.assertLessEqual(self.trainer.verification.unmeasured(), 4)

    @inlineCallbacks
    def test_tooLargeToKeep(self) -> Any:
        """What is larger than anything of use is not kept."""
        size = 500_000
        huge = msgspec.structs.replace(component("huge"), description="", implementation="x" * size)
        yield self.hear(self.message(T.OS_COMPONENT_SHARE, {"component": msgspec.to_builtins(huge)}))
        pattern = {"id": "p", "type": "loop", "confidence": 0.5, "data": "x" * size}
        yield self.hear(self.message(T.PATTERN_SHARE, {"pattern": pattern}))
        yield self.hear(self.message(T.CODE_SHARE, {"code": {"id": "c", "data": "x" * size}}))
        report = {"component_id": "c", "performance": {"x": "x" * size}}
        yield self.hear(self.message(T.PERFORMANCE_REPORT, report))
        known = self.trainer.knowledge
        self.assertEqual([known.components, known.patterns, known.blocks, known.benchmarks], [{}, {}, {}, {}])

    def test_ownIsConfirmed(self) -> None:
        """An own component may be built upon: its claim is a measurement made here."""
        changes = Changes()
        self.trainer.knowledge.addComponent("AI_1", component("own"), changes)
        self.assertEqual([k.verdict for k in self.trainer.knowledge.usable("file_system")], [Verdict.CONFIRMED])


class StrangerTests(WorkTestCase):
    """What one stranger sends has its bounds in every store, in memory and on disk, and over a restart."""

    DEEP = "[" + ",".join(["{}"] * 20_000) + "]"

    def report(self, component: str, sender: str = "EVIL", **performance: Any) -> Any:
        return self.hear(
            self.message(T.PERFORMANCE_REPORT, {"component_id": component, "performance": performance}, sender=sender)
        )

    @inlineCallbacks
    def test_deep(self) -> Any:
        """What takes many times its text in memory is not kept, be it a report, a pattern or a building block."""
        deep = msgspec.json.decode(self.DEEP)
        yield self.report("c", x=deep)
        pattern = {"id": "p", "type": "t", "confidence": 0.5, "data": deep}
        yield self.hear(self.message(T.PATTERN_SHARE, {"pattern": pattern}, sender="EVIL"))
        yield self.hear(self.message(T.CODE_SHARE, {"code": {"id": "c", "data": deep}}, sender="EVIL"))
        made = component("c")
        assert made.manifest is not None
        made.manifest.parameters = [0.5] * 20_000
        yield self.hear(self.message(T.OS_COMPONENT_SHARE, {"component": msgspec.to_builtins(made)}, sender="EVIL"))
        known = self.trainer.knowledge
        self.assertEqual([known.components, known.patterns, known.blocks, known.benchmarks], [{}, {}, {}, {}])
        for table in ("components", "patterns", "blocks", "benchmarks", "jobs"):
            self.assertEqual((yield self.trainer.store.read(f"SELECT * FROM {table}")), [], table)

    @inlineCallbacks
    def test_ofOneComponent(self) -> Any:
        """Reports on one component are bounded as those on many are, and who reports most loses his oldest."""
        known = self.trainer.knowledge
        known.benchmarks.most = 10
        yield self.report("c", sender="HONEST", level=0.5)
        for i in range(30):
            yield self.report(f"c{i}")
        for i in range(30):
            yield self.report("c", sender=f"EVIL_{i}")
        self.assertEqual(len(known.benchmarks), 10)
        stored = yield self.trainer.store.read("SELECT component_id, reporter FROM benchmarks ORDER BY rowid")
        self.assertEqual(stored, list(known.benchmarks))
        self.assertEqual(set(known._reporters), {key[0] for key in known.benchmarks})

    @inlineCallbacks
    def test_whoFillsMost(self) -> Any:
        """An honest peer's reports stay while another one's many come, and our own whoever comes."""
        known = self.trainer.knowledge
        known.benchmarks.most = 20
        changes = Changes()
        known.addReport("AI_1", PerformanceReport("ours", {"level": 0.5}), "", changes)
        yield self.trainer.outbox.commit(changes)
        for i in range(5):
            yield self.report(f"h{i}", sender="HONEST")
        for i in range(100):
            yield self.report(f"c{i}")
        self.assertEqual(sum(reporter == "HONEST" for _, reporter in known.benchmarks), 5)
        for i in range(100):
            yield self.report(f"c{i}", sender=f"EVIL_{i}")
        self.assertIn(("ours", "AI_1"), known.benchmarks)
        self.assertEqual(
            [report.body for report in known.reportsOn("ours").values()],
            [b'{"component_id":"ours","performance":{"level":0.5}}'],
        )

    @inlineCallbacks
    def test_room(self) -> Any:
        """By bytes as by number: whoever takes most of the room makes it for the next."""
        known = self.trainer.knowledge
        known.components.room = 3 * 100_000
        yield self.share("honest", sender="HONEST")
        for i in range(10):
            made = msgspec.structs.replace(component(f"evil{i}"), implementation="x" * 90_000)
            yield self.hear(self.message(T.OS_COMPONENT_SHARE, {"component": msgspec.to_builtins(made)}, sender="EVIL"))
        self.assertLessEqual(known.components.size, 300_000)
        self.assertEqual(next(k.id for k in known.components.values()), "honest")
        stored = yield self.trainer.store.read("SELECT digest FROM components ORDER BY rowid")
        self.assertEqual([digest for (digest,) in stored], list(known.components))

    @inlineCallbacks
    def test_confirmedStay(self) -> Any:
        """What was confirmed here is not pushed out by what wasn't, under however many names it comes."""
        known = self.trainer.knowledge
        known.components.most = 6
        for i in range(3):
            yield self.share(f"good{i}", sender="HONEST")
        changes = Changes()
        for each in list(known.components.values()):
            known.judge(each.digest, Verdict.CONFIRMED, changes, 0.5)
        yield self.trainer.outbox.commit(changes)
        for i in range(20):
            yield self.share(f"evil{i}", sender=f"EVIL_{i}")
        self.assertEqual(sum(k.source == "HONEST" for k in known.components.values()), 3)
        yield self.trainer.store.close()
        yield self.begin()
        self.trainer.knowledge.components.most = 6
        self.connect()
        yield self.hear(self.sync())
        for i in range(20):
            yield self.share(f"more{i}", sender=f"EVIL_{i}")
        self.assertEqual(sum(k.source == "HONEST" for k in self.trainer.knowledge.components.values()), 3)

    @inlineCallbacks
    def test_earlierVersion(self) -> Any:
        """What an earlier version stored without bounds is forgotten, and the rest is there, in its order."""
        changes = Changes()
        for i in range(200):
            body = '{"component_id":"c","performance":{"x":1}}'.replace("1", self.DEEP if i % 2 else "1")
            told = body.replace('"c"', f'"c{i}"')
            changes.add("INSERT INTO benchmarks VALUES (?, ?, ?, ?)", f"c{i}", "EVIL", "", told)
        pattern = '{"id":"p","type":"t","confidence":0,"data":1}'.replace("1", self.DEEP)
        changes.add("INSERT INTO patterns VALUES (?, ?, ?)", "EVIL", "p", pattern)
        yield self.trainer.store.commit(changes)
        yield self.trainer.store.close()
        yield self.begin()
        known = self.trainer.knowledge
        self.assertEqual(list(known.benchmarks), [(f"c{i}", "EVIL") for i in range(0, 200, 2)])
        self.assertEqual(known.patterns, {})
        self.assertEqual((yield self.trainer.store.read("SELECT COUNT(*) FROM benchmarks")), [(100,)])
        self.assertEqual((yield self.trainer.store.read("SELECT * FROM patterns")), [])

    def test_kept(self) -> None:
        """A component is kept as its bytes, and is the same whenever it is asked for."""
        made = component("c", expression="freq / age")
        known = KnownComponent(made, "AI_2")
        self.assertEqual((known.component, known.component.digest), (made, known.digest))
        self.assertIsNot(known.component, known.component)
        self.assertEqual((known.id, known.workbench, known.trace), ("c", "file_system", "ab" * 32))
        plain = KnownComponent(component("d", claim=False), "AI_2")
        self.assertEqual((plain.task, plain.trace, plain.workbench), (None, None, "file_system"))
        # Two on one task under one version of the rules have one place.
        self.assertEqual(known.task, KnownComponent(component("e"), "AI_3").task)
        self.assertNotEqual(known.task, KnownComponent(component("e", trace="ef" * 32), "AI_3").task)

    def test_tooLarge(self) -> None:
        """The bounds of a component: its text, and what all but source and module takes."""
        made = component("c")
        empty = len(msgspec.json.encode(msgspec.structs.replace(made, implementation="")))
        for more, isTooLarge in ((0, False), (1, True)):
            # the claim is of the source, so both have their own digests, of one length
            text = "x" * (MAX_COMPONENT - empty - len('"implementation":"",') + more)
            sized = msgspec.structs.replace(made, implementation=text)
            self.assertEqual(len(msgspec.json.encode(sized)), MAX_COMPONENT + more)
            self.assertEqual(KnownComponent(sized, "AI_2").isTooLarge, isTooLarge)


class BoundTests(SynchronousTestCase):
    """Each store holds so many entries, and so many bytes."""

    def setUp(self) -> None:
        store: Any = None
        self.knowledge = KnowledgeBase("AI_1", store)

    def put(self, table: str, number: int, text: str = "") -> None:
        known, source, changes = self.knowledge, f"AI_{number % 7 + 2}", Changes()
        if table == "patterns":
            known.addPattern(source, Pattern(f"p{number}", "t", 0.5, text), changes)
        elif table == "blocks":
            known.addBlock(source, CodeBlock(f"b{number}", data=text), changes)
        elif table == "benchmarks":
            known.addReport(source, PerformanceReport(f"c{number}", {"x": text}), "", changes)
        elif table == "components":
            known.addComponent(source, Component(id=f"c{number}", implementation=f"{number}{text}", **EMPTY), changes)
        else:
            known.tell({f"AI_{number}": AiInfo("s", [text])})

    def kept(self, table: str) -> BoundedTable[Any, Any]:
        found = getattr(self.knowledge, table)
        table_: BoundedTable[Any, Any] = found.kept if isinstance(found, EncodedTable) else found
        return table_

    def test_count(self) -> None:
        for table, (most, _, _) in STORES.items():
            for number in range(most + 20):
                self.put(table, number)
            self.assertEqual(len(self.kept(table)), most, table)

    def test_room(self) -> None:
        for table, (_, room, each) in STORES.items():
            text = "x" * (each - 4096)
            for number in range(room // len(text) + 3):
                self.put(table, number, text)
            size = self.kept(table).size
            self.assertTrue(room - each < size <= room, f"{table} takes {size} of {room}")

    def test_each(self) -> None:
        """What is larger than any of use is not kept."""
        for table, (_, _, each) in STORES.items():
            self.put(table, 1, "x" * each)
            self.assertEqual(len(self.kept(table)), 0, table)

    def test_toTheByte(self) -> None:
        """What weighs just as much as the bound says is kept; a byte more, and it is not, nor is it loaded again."""
        reload = {"patterns": self.knowledge._takePattern, "benchmarks": self.knowledge._takeReport}
        for table in ("patterns", "blocks", "benchmarks", "ais"):
            self.put(table, 1)
            size = self.kept(table).size
            for room, kept in ((size, 1), (size - 1, 0)):
                before = self.patch(knowledge_base, "MAX_AI" if table == "ais" else "MAX_ITEM", room)
                for key in [*self.kept(table)]:
                    self.kept(table).discard(key)
                self.put(table, 1)
                self.assertEqual(len(self.kept(table)), kept, table)
                if table in reload:
                    pattern, report = Pattern("p1", "t", 0.5, ""), PerformanceReport("c1", {"x": ""})
                    body = msgspec.json.encode(pattern if table == "patterns" else report).decode()
                    changes = Changes()
                    reload[table](["AI_3", "p1", body] if table == "patterns" else ["c1", "AI_3", body], changes)
                    self.assertEqual((len(self.kept(table)), len(changes.statements)), (kept, 1 - kept), table)
                before.restore()

    def test_ownStay(self) -> None:
        """What is our own is not displaced by strangers, however many they are."""
        changes = Changes()
        for number in range(3):
            self.knowledge.addPattern("AI_1", Pattern(f"own{number}", "t", 0.5, ""), changes)
            self.knowledge.addBlock("AI_1", CodeBlock(f"own{number}"), changes)
            self.knowledge.addReport("AI_1", PerformanceReport(f"own{number}", {}), "", changes)
        for table in ("patterns", "blocks", "benchmarks"):
            self.kept(table).most = 6
            for number in range(70):
                self.put(table, number)
            self.assertEqual(sum("AI_1" in key for key in self.kept(table)), 3, table)

    def test_digest(self) -> None:
        """Of a digest that a stranger claims no more is kept than a digest has."""
        self.assertEqual(KnownComponent(component("long", trace="ab" * 500), "AI_2").trace, "ab" * 32)


class LoadingTests(WorkTestCase):
    @inlineCallbacks
    def test_rows(self) -> Any:
        """What an earlier run left is read a few rows at a time: it may be larger than what may be kept."""
        changes = Changes()
        for number in range(3 * ROWS):
            body = msgspec.json.encode(CodeBlock(f"b{number}")).decode()
            changes.add("INSERT INTO blocks VALUES (?, ?, ?)", "AI_2", f"b{number}", body)
        yield self.trainer.store.commit(changes)
        read = self.trainer.store.read
        counts: list[int] = []

        def counted(sql: str, *parameters: Any) -> Any:
            return read(sql, *parameters).addCallback(count)

        def count(rows: list[Any]) -> list[Any]:
            counts.append(len(rows))
            return rows

        self.patch(self.trainer.store, "read", counted)
        yield self.trainer.knowledge.load()
        self.assertEqual((len(self.trainer.knowledge.blocks), max(counts)), (3 * ROWS, ROWS))
