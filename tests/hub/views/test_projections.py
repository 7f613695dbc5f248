"""The knowledge base: order, pages that stay small, counts."""

from __future__ import annotations

from functools import partial

import msgspec

from kernelnet.hub.storage.sql.owners import OF_REPORT
from kernelnet.hub.storage.transaction import Transaction
from kernelnet.hub.views import projections
from kernelnet.message import Hello, KnowledgeBase
from tests.hub.databases import onEveryEngine
from tests.hub.support import HubTestCase, aComponent, aPattern


def _owns(aiId: str, transaction: Transaction) -> None:
    transaction.owners.set(aiId, "crowd")


@onEveryEngine
class PageTests(HubTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.author = self.hub.connect("AI_1")

    def pages(self, limit: int = 100) -> list[KnowledgeBase]:
        found, cursor = [], None
        while True:
            page, cursor = projections.page(self.hub.stored, cursor, limit)
            found.append(page)
            if cursor is None:
                return found

    def test_bounded(self) -> None:
        """No page is larger than its limit, however large the items, and nothing is left out."""
        for i in range(40):
            self.author.send("os_component_share", aComponent(f"c{i}", implementation="x" * 1000 * i))
            self.author.send("pattern_share", aPattern(f"p{i}", data="y" * 500 * i))
        pages = self.pages()
        self.assertGreater(len(pages), 3)
        for page in pages:
            self.assertLess(len(msgspec.json.encode(page)), projections.PAGE_BYTES + 2000)
        self.assertEqual({c["id"] for p in pages for c in p.components}, {f"c{i}" for i in range(40)})
        self.assertEqual({c["id"] for p in pages for c in p.patterns}, {f"p{i}" for i in range(40)})

    def test_tooLarge(self) -> None:
        """An item larger than a page is named without its content."""
        self.author.send("os_component_share", aComponent("big", implementation="x" * 500_000))
        self.author.send("os_component_share", aComponent("small"))
        (page,) = self.pages()
        self.assertEqual(
            page.components,
            [
                {**aComponent("small")["component"], "source": "AI_1"},
                {"id": "big", "specialization": "general", "too_large": True, "source": "AI_1"},
            ],
        )

    def test_authors(self) -> None:
        """Each item says whose it is, whatever its author wrote there; a building block says that it is one."""
        self.author.send("pattern_share", aPattern())
        self.author.send("code_share", {"code": {"id": "b", "data": [1], "source": "AI_7"}})
        (page,) = self.pages()
        self.assertEqual([p["source"] for p in page.patterns], ["AI_1"])
        self.assertEqual([(c["source"], c["kind"]) for c in page.components], [("AI_1", "code")])

    def test_reporters(self) -> None:
        """A report stands under the name of who sent it, whatever its payload says."""
        self.author.send("os_component_share", aComponent("c"))
        self.author.send("performance_report", {"component_id": "c", "performance": {}, "reporter": "AI_7"})
        (page,) = self.pages()
        self.assertEqual([r["reporter"] for r in page.benchmarks["c"]], ["AI_1"])

    def test_largeReports(self) -> None:
        """A report of 16 KiB and more is not shown; others are."""
        self.author.send("os_component_share", aComponent("c"))
        empty = len(msgspec.json.encode({"component_id": "c", "performance": {"x": ""}}))
        for aiId, size in (("FITS", 16383), ("LARGE", 16384)):
            performance = {"x": "x" * (size - empty)}
            self.hub.connect(aiId).send("performance_report", {"component_id": "c", "performance": performance})
        (page,) = self.pages()
        self.assertEqual([r["reporter"] for r in page.benchmarks["c"]], ["FITS"])

    def test_fewReports(self) -> None:
        """Of a component's reports the newest five are shown."""
        self.author.send("os_component_share", aComponent("c"))
        for i in range(7):
            self.hub.connect(f"R_{i}").send("performance_report", {"component_id": "c", "performance": {}})
        (page,) = self.pages()
        self.assertEqual({r["reporter"] for r in page.benchmarks["c"]}, {f"R_{i}" for i in range(2, 7)})

    def test_wholeSync(self) -> None:
        """A whole training_sync stays below 256 KiB with many AIs and a large knowledge base."""
        for i in range(300):
            hello = Hello(capabilities=[f"word{j}" for j in range(30)])
            self.hub.directory.heard(f"AWAY_{i}", hello, 0.0)
        for i in range(40):
            self.author.send("os_component_share", aComponent(f"c{i}", implementation="x" * 10_000))
        self.author.send("training_sync", {"limit": 1000})
        (line,) = [line for line in self.author.lines() if b'"training_sync"' in line]
        self.assertLess(len(line), 256 * 1024)

    def sequence(self, limit: int) -> str:
        """The ids of all items in the order in which pages of this size bring them, components apart from patterns."""
        pages = self.pages(limit)
        self.assertTrue(all(len(page.components) + len(page.patterns) <= limit for page in pages))
        return "".join(one["id"] for page in pages for one in [*page.components, *page.patterns])

    def fill(self) -> None:
        """Of AI_1, who floods, 20 components and 9 patterns of the highest claims; of OTHER one each, confirmed."""
        other, peer = self.hub.connect("OTHER"), self.hub.connect("PEER")
        for n in range(20):
            self.author.send(
                "os_component_share", aComponent(chr(ord("a") + n), implementation=str(n), development_level=0.9)
            )
        for n in range(9):
            self.author.send("pattern_share", aPattern(str(n), confidence=1.0))
        other.send("os_component_share", aComponent("Y", implementation="Y", development_level=0.2))
        other.send("os_component_share", aComponent("Z", implementation="Z", development_level=0.1))
        other.send("pattern_share", aPattern("P", confidence=0.1))
        digest = self.hub.stored.components.named("Z")[0].digest
        peer.send(
            "performance_report", {"component_id": "Z", "performance": {}, "digest": digest, "verdict": "confirmed"}
        )

    def test_turns(self) -> None:
        """Confirmed ones first; of what is claimed nobody has more than a few before others; patterns between."""
        self.fill()
        expected = "Zts8rqp7Yon6mlk5jih4gfePdcb3a210"
        self.assertEqual(self.sequence(1), expected)
        for limit in (2, 3, 7, 100):
            self.assertEqual(sorted(self.sequence(limit)), sorted(expected), limit)
        first, _ = projections.page(self.hub.stored, None, 10)
        self.assertEqual("".join(one["id"] for one in first.components), "ZtsrqpYo")
        self.assertEqual("".join(one["id"] for one in first.patterns), "87")

    def test_manyOfOneOwner(self) -> None:
        """45 authors of one owner claim more than anybody can: the first pages hold as much of the honest one."""
        for i in range(45):
            aiId = f"EVIL_{i}"
            evil = self.hub.connect(aiId)
            self.hub.log.write(partial(_owns, aiId))
            evil.send("os_component_share", aComponent(f"e{i}", implementation=str(i), development_level=1.7e308))
            evil.send("pattern_share", aPattern(f"e{i}", confidence=1.0))
        for i in range(20):
            component = aComponent(f"honest {i}", implementation=f"h{i}", development_level=0.5)
            self.author.send("os_component_share", component)
            self.author.send("pattern_share", aPattern(f"honest {i}", confidence=0.5))
        page, cursor = projections.page(self.hub.stored, None, 20)
        self.assertGreaterEqual([one["source"] for one in page.components].count("AI_1"), 5)
        found = [*page.components, *page.patterns]
        page, _ = projections.page(self.hub.stored, cursor, 40)
        found += [*page.components, *page.patterns]
        self.assertEqual(len(found), 60)
        self.assertGreaterEqual([one["source"] for one in found].count("AI_1"), 25)

    def test_meanwhile(self) -> None:
        """What is stored while somebody reads page by page keeps nothing from him that was there."""
        self.fill()
        seen, cursor = "", None
        for n in range(99):
            page, cursor = projections.page(self.hub.stored, cursor, 2)
            seen += "".join(one["id"] for one in [*page.components, *page.patterns])
            self.author.send(
                "os_component_share", aComponent(f"new{n}", implementation=f"new{n}", development_level=0.95)
            )
            self.author.send("pattern_share", aPattern(f"new{n}", confidence=1.0))
            if cursor is None:
                break
        self.assertLessEqual(set("Zts8rqp7Yon6mlk5jih4gfePdcb3a210"), set(seen))

    def test_formerCursors(self) -> None:
        """A cursor that an older hub gave out goes on where it was, in the order that it is of, to the end."""
        self.fill()
        seq = {name: self.hub.stored.components.named(name)[0].seq for name in "ZtaY"}
        everything = "Ztsrqponmlkjihgfedcba" + "Y" + "876543210P"
        for cursor, last in ((f"c:1:0.1:{seq['Z']}", "Z"), (f"c:0:0.9:{seq['a']}", "a"), (f"c:0:0.2:{seq['Y']}", "Y")):
            found = ""
            following: str | None = cursor
            while following is not None:
                page, following = projections.page(self.hub.stored, following, 1)
                found += "".join(one["id"] for one in [*page.components, *page.patterns])
            self.assertEqual(found, everything[everything.index(last) + 1 :], cursor)
        confident = [one.seq for one in self.hub.stored.patterns.after(None)]
        page, _ = projections.page(self.hub.stored, f"p:1.0:{confident[7]}", 99)
        self.assertEqual(([one["id"] for one in page.patterns], page.components), (["0", "P"], []))

    def test_cursors(self) -> None:
        """What is no cursor begins from the start."""
        self.author.send("pattern_share", aPattern())
        for cursor in (
            "",
            "c",
            "c:x:y:z",
            "p:1",
            "q:1:2",
            "c:1:2:3:4",
            "p:nan:1",
            "c:" + "9" * 200 + ":1:1",
            "t:9:-1:-1",
            "t:0:1:1:x:1:-1",
            "t:1:1:1:nan:1:-1",
        ):
            page, following = projections.page(self.hub.stored, cursor, 10)
            self.assertIsNone(following)
            self.assertLessEqual(len(page.patterns), 1, cursor)

    def test_counts(self) -> None:
        """Counts of what is stored, by kind, and of sessions by state."""
        self.author.send("pattern_share", aPattern())
        self.author.send("os_component_share", aComponent())
        self.author.send("code_share", {"code": {"id": "b"}})
        self.author.send("performance_report", {"component_id": "c1", "performance": {}})
        self.author.send("collaboration_request", {"type": "feature_development"})
        self.assertEqual(
            projections.counts(self.hub.stored),
            {
                "stored": {
                    "patterns": 1,
                    "components": 1,
                    "confirmed_components": 0,
                    "code_blocks": 1,
                    "performance_reports": 1,
                    "observations": 0,
                },
                "sessions": {"offered": 0, "active": 0, "completed": 0, "declined": 0, "expired": 1},
            },
        )


class IndexTests(HubTestCase):
    def test_usesIndexes(self) -> None:
        """A page is read from an index: no sorting of the whole table."""
        plan = self.hub.rows(
            "EXPLAIN QUERY PLAN SELECT seq FROM shared_components"
            " ORDER BY standing DESC, development_level DESC, seq DESC"
        )
        self.assertNotIn("TEMP B-TREE", str(plan))

    def test_votes(self) -> None:
        """The votes on a digest are counted in an index, however long the reports are."""
        counted = f"SELECT DISTINCT {OF_REPORT}, r.verdict FROM performance_reports r WHERE r.digest = 'd'"
        plan = self.hub.rows(f"EXPLAIN QUERY PLAN {counted} AND {OF_REPORT} != 'a'")
        self.assertIn("COVERING INDEX performance_reports_voices", str(plan))

    def test_turns(self) -> None:
        """Who is where in its author's turns is read from an index, not sorted."""
        for table, order in (
            ("shared_components", "PARTITION BY voice, standing ORDER BY development_level DESC, seq DESC"),
            ("shared_patterns", "PARTITION BY voice ORDER BY confidence DESC, seq DESC"),
        ):
            plan = self.hub.rows(f"EXPLAIN QUERY PLAN SELECT ROW_NUMBER() OVER ({order}) FROM {table}")
            self.assertNotIn("TEMP B-TREE", str(plan))
