"""The knowledge base: order, pages that stay small, counts."""

from __future__ import annotations

import msgspec

from kernelnet.hub.views import projections
from kernelnet.message import Hello, KnowledgeBase
from tests.hub.support import HubTestCase, aComponent, aPattern


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

    def test_cursors(self) -> None:
        """What is no cursor begins from the start."""
        self.author.send("pattern_share", aPattern())
        for cursor in ("", "c", "c:x:y:z", "p:1", "q:1:2", "c:1:2:3:4", "p:nan:1", "c:" + "9" * 200 + ":1:1"):
            page, following = projections.page(self.hub.stored, cursor, 10)
            self.assertIsNone(following)
            self.assertLessEqual(len(page.patterns), 1, cursor)

    def test_usesIndexes(self) -> None:
        """A page is read from an index: no sorting of the whole table."""
        plan = self.hub.rows(
            "EXPLAIN QUERY PLAN SELECT seq FROM shared_components"
            " ORDER BY confirmed - refuted DESC, development_level DESC, seq DESC"
        )
        self.assertNotIn("TEMP B-TREE", str(plan))

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
                },
                "sessions": {"offered": 0, "active": 0, "completed": 0, "declined": 0, "expired": 1},
            },
        )
