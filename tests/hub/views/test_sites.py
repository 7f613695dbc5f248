"""Where components were tried: one owner moves nothing, and no single observation is told where others are told."""

from __future__ import annotations

from typing import Any

import msgspec

from kernelnet.hub.views import components, sites
from kernelnet.observations import onSite
from tests.hub.databases import onEveryEngine
from tests.hub.support import HubTestCase
from tests.hub.views.support import ManyTestCase, component, report
from tests.hub.views.test_components import claiming

MARKED = "/* begin parameters */\n#define A %d /* 0..9: a */\n/* end parameters */\nint f;\n"


@onEveryEngine
class SitesTests(HubTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.digests: dict[str, str] = {}
        self.clients: dict[str, Any] = {}
        for number, name in enumerate("ab"):
            shared = claiming(name, 0.5)
            shared["component"]["implementation"] = MARKED % number
            self.client("author").send("os_component_share", shared)
            self.digests[name] = self.entry(name).digest
            report = {"component_id": name, "performance": {}, "digest": self.digests[name], "verdict": "confirmed"}
            self.client("witness").send("performance_report", report)

    def client(self, aiId: str) -> Any:
        if aiId not in self.clients:
            self.clients[aiId] = self.hub.connect(aiId)
        return self.clients[aiId]

    def entry(self, name: str) -> components.Entry:
        found = components.entryOf(self.hub.stored, name)
        assert found is not None
        return found

    def see(self, aiId: str, name: str, level: float, site: int = 0, hand: float = 0.3) -> None:
        made = onSite(f"{site:032x}", "3" * 64, "file_system", {"capacity": 4}, level=level, handMade=("lru", hand))
        seen = msgspec.to_builtins(made)
        self.client(aiId).send(
            "performance_report", {"component_id": name, "digest": self.digests[name], "observation": seen}
        )

    def row(self, kind: str = "component", name: str = "a") -> dict[str, Any]:
        (table,) = sites.sites(self.hub.stored)
        found: dict[str, Any]
        (found,) = [row for row in table["rows"] if row["kind"] == kind and (kind == "family" or row["first"] == name)]
        return found

    def own(self, owner: str, *ais: str) -> None:
        def change(transaction: Any) -> None:
            for aiId in ais:
                transaction.owners.set(aiId, owner)

        self.hub.transact(change)

    def test_figures(self) -> None:
        """Of each owner the median of its sites counts; there are no figures below three owners."""
        self.assertEqual(sites.sites(self.hub.stored), [])
        self.see("AI_1", "a", 0.4)
        self.see("AI_2", "a", 0.2)
        told = ("tried", "owners", "better", "median", "worst")
        self.assertEqual([self.row()[key] for key in told], [2, 2, None, None, None])
        for site, level in ((1, 0.5), (2, 0.6), (3, 0.9)):
            self.see("AI_3", "a", level, site)
        self.assertEqual([self.row()[key] for key in told], [5, 3, 2 / 3, 0.4, 0.4])
        self.see("AI_1", "b", 0.7)
        self.assertEqual(max(filter(None, self.row("family")["levels"])), 0.9)
        self.assertEqual([self.row("family")[key] for key in told], [5, 3, 2 / 3, 0.6, 0.6])

    def test_ownerWith50(self) -> None:
        """An owner with 50 ids weighs as much as one with one."""
        for number, level in enumerate((0.4, 0.5, 0.6)):
            self.see(f"AI_{number}", "a", level)
        before = self.row()
        many = [f"X_{number}" for number in range(50)]
        self.own("crowd", *many)
        for number, aiId in enumerate(many):
            self.see(aiId, "a", -1.0, number)
        crowded = self.row()
        self.assertEqual((crowded["tried"], crowded["owners"]), (53, 4))
        self.assertTrue(before["worst"] - 0.11 < crowded["worst"] <= crowded["median"] <= 0.5)
        self.assertEqual(crowded["better"], 3 / 4)
        (table,) = sites.sites(self.hub.stored)
        self.assertEqual({one["owner"] for one in table["sites"][:4]}, {"AI_0", "AI_1", "AI_2", "owner crowd"})

    def test_liar(self) -> None:
        """What a liar tells moves figures within those of honest owners, and changes no verdict and no ranking."""
        for number, level in enumerate((0.4, 0.42, 0.44, 0.46)):
            self.see(f"AI_{number}", "a", level)
        page = [(one.component.id, one.level, one.verdicts) for one in components.entries(self.hub.stored)]
        for lie in (1.0, -1.0):
            self.see("liar", "a", lie)
            self.assertTrue(0.4 <= self.row()["worst"] <= self.row()["median"] <= 0.46)
        self.assertEqual(
            page, [(one.component.id, one.level, one.verdicts) for one in components.entries(self.hub.stored)]
        )

    def test_authorsOwn(self) -> None:
        """What an author, or another AI of its owner, tells of its own component counts for nothing."""
        self.own("house", "author", "AI_1")
        self.see("author", "a", 0.9)
        self.see("AI_1", "a", 0.9)
        self.assertEqual(sites.sites(self.hub.stored), [])

    def test_noneAlone(self) -> None:
        """No single one is shown with a component, nor goes to anybody."""
        self.see("AI_1", "a", 0.4)
        self.assertEqual(components.observationsOf(self.hub.stored, self.entry("a")), [])
        self.client("AI_2").received()
        self.see("AI_1", "b", 0.4)
        self.assertNotIn("observation", str(self.client("AI_2").received()))

    def test_bounded(self) -> None:
        """A level is told from -1 to 1, to a hundredth, whatever the teller says."""
        self.see("AI_1", "a", -7.123)
        self.assertEqual(self.row()["levels"], [-1.0])
        seen = onSite("0" * 32, "3" * 64, "file_system", {}, level=0.12345, handMade=("lru", 9.0))
        self.assertEqual((seen.component.score, seen.beside[0].score, seen.levels), (0.88, 0.0, (0.12, 1.0)))


class SitesBoundsTests(ManyTestCase):
    def see(self, name: str, digest: str, count: int = 1) -> None:
        """So many AIs, whose names begin so, each tell of a component on a trace of their own."""
        made = onSite("0" * 32, "3" * 64, "file_system", {}, level=0.4, handMade=("lru", 0.3))
        self.hub.execute(
            "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?5)"
            " INSERT INTO observations"
            " (ai_id, component_id, digest, environment, site, conditions, seq, timestamp, body) SELECT ?1 || n, 'c',"
            " ?2, 'simulated', ?3, '', (SELECT COUNT(*) FROM observations) + n, '', ?4 FROM numbers",
            *(name, digest, made.site, msgspec.json.encode(made), count),
        )

    def test_lookedAt(self) -> None:
        """Of what is confirmed the newest thousand components are looked at, and no more."""
        self.store(component("a", "tried"), report("witness", "tried"), report("witness"))
        self.see("AI", "tried")
        self.store(*(component(f"c{n}") for n in range(999)))
        (table,) = sites.sites(self.hub.stored)
        self.assertEqual([row["first"] for row in table["rows"]], ["a"])
        self.store(component("one more"))
        self.assertEqual(sites.sites(self.hub.stored), [])

    def test_read(self) -> None:
        """The newest 10,000 observations are read, and no more."""
        self.store(component("a", "tried"), report("witness", "tried"))
        self.see("AI", "tried")
        self.see("other", "of nothing here", 9_999)
        self.assertEqual(sites.sites(self.hub.stored)[0]["known"], 1)
        self.see("another", "of nothing here")
        self.assertEqual(sites.sites(self.hub.stored), [])

    def test_kept(self) -> None:
        """Of one AI 16 observations of a component are kept, and of all 10,000."""
        digest = "ab" * 32
        self.store(component("a", digest))

        def told(aiId: str, count: int) -> int:
            client = self.hub.connect(aiId)
            for number in range(count):
                made = onSite(f"{number:032x}", "3" * 64, "file_system", {}, level=0.4, handMade=("lru", 0.3))
                seen = {"component_id": "a", "digest": digest, "observation": msgspec.to_builtins(made)}
                client.send("performance_report", seen)
            self.assertEqual(client.errors(), [])
            ((kept,),) = self.hub.rows("SELECT COUNT(*) FROM observations")
            return int(kept)

        self.assertEqual(told("AI_1", 17), 16)
        self.see("other", "of nothing here", 9_983)
        self.assertEqual([told("AI_2", 1), told("AI_3", 1)], [10_000, 10_000])

    def test_sites(self) -> None:
        """Of a workbench 48 sites are told, and all are counted."""
        self.store(component("a", "tried"), report("witness", "tried"))
        self.see("AI", "tried", 49)
        (table,) = sites.sites(self.hub.stored)
        self.assertEqual((table["known"], len(table["sites"])), (49, 48))
        self.assertEqual((table["rows"][0]["tried"], len(table["rows"][0]["levels"])), (49, 48))

    def test_rows(self) -> None:
        """Of a workbench a hundred components and families are told, those first that most tried."""
        digests = [f"d{n}" for n in range(101)]
        for digest in digests:
            self.store(component(digest, digest), report("witness", digest))
            self.see("AI", digest)
        self.see("another", "d100")
        (table,) = sites.sites(self.hub.stored)
        self.assertEqual((len(table["rows"]), table["rows"][0]["first"]), (100, "d100"))
