"""Which families of peers a search is given."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import Component, PerformanceReport, Verdict
from kernelnet.learning.known_settings import MAX_SHARED
from kernelnet.message import AiInfo
from kernelnet.trainer.storage.database import Changes
from kernelnet.trainer.storage.knowledge_base import KnowledgeBase
from kernelnet.trainer.work.family_selection import MAX_CARRIERS, MAX_NUMBERS, MAX_READ, FamilySelection
from tests.trainer.support import TRACE, component

SOURCE = "/* begin parameters */\n#define A {value} /* 0..9: a */\n/* end parameters */\nint {name};\n"


def marked(family: str, value: int = 1, trace: str = TRACE) -> Component:
    made = component(f"{family}{value}", trace=trace)
    return replace(made, implementation=SOURCE.format(name=family, value=value))


class SelectionTests(SynchronousTestCase):
    def setUp(self) -> None:
        store: Any = None
        self.knowledge = KnowledgeBase("AI_1", store)
        self.selection = FamilySelection("AI_1", self.knowledge)
        self.knowledge.tell({f"EVIL_{n}": AiInfo("general", owner="mallory") for n in range(50)})

    def add(self, source: str, made: Component, verdict: Verdict | None = Verdict.CONFIRMED) -> None:
        self.knowledge.addComponent(source, made, Changes())
        if verdict is not None and source != "AI_1":
            self.knowledge.judge(made.digest, verdict, Changes(), 0.5)

    def confirm(self, who: str, made: Component) -> None:
        report = PerformanceReport(component_id=made.id, digest=made.digest, verdict=Verdict.CONFIRMED, performance={})
        self.knowledge.addReport(who, report, "", Changes())

    def given(self) -> list[tuple[str, str]]:
        return [(carrier.component.id, carrier.owner) for carrier in self.selection.carriers()]

    def test_first(self) -> None:
        """A family comes by the first component of it that was shared here, once; our own are no guests."""
        self.add("AI_2", marked("x", 1))
        self.add("AI_3", marked("x", 2))
        self.add("AI_1", marked("y"))
        self.add("AI_2", component("unmarked"))
        self.assertEqual(self.given(), [("x1", "AI_2")])

    def test_confirmed(self) -> None:
        """What was refuted, or is believed by nobody but its author's owner, carries nothing."""
        self.add("AI_2", marked("refuted"), Verdict.REFUTED)
        self.add("AI_2", marked("unknown"), None)
        self.add("AI_2", made := marked("elsewhere"), Verdict.UNMEASURABLE)
        self.confirm("AI_4", made)
        self.add("EVIL_1", own := marked("believed"), None)
        for number in range(50):
            self.confirm(f"EVIL_{number}", own)
        self.confirm("AI_4", replace(own, implementation="another of the same id"))
        self.assertEqual(self.given(), [("elsewhere1", "AI_2")])

    def test_inTurn(self) -> None:
        """Owners take turns: who has fifty ids and a hundred families takes nobody's place."""
        for number in range(100):
            self.add(f"EVIL_{number % 50}", marked(f"evil{number}"))
        for number in range(3):
            self.add(f"AI_{number + 2}", marked(f"good{number}"))
        while len(self.selection._families) < 103:
            self.selection.carriers()
        given = self.given()
        self.assertEqual(len(given), MAX_CARRIERS)
        self.assertEqual([owner for _, owner in given[:4]], ["owner mallory", "AI_2", "AI_3", "AI_4"])

    def test_manyTasks(self) -> None:
        """Of one owner's, what did well on many tasks comes first, and before it what was tuned here already."""
        self.add("AI_2", marked("once"))
        for number, trace in enumerate(("aa", "bb", "cc")):
            self.add("AI_2", marked("thrice", number, trace * 32))
        self.assertEqual([name for name, _ in self.given()], ["thrice0", "once1"])
        self.add("AI_1", marked("once", 7))
        self.assertEqual([name for name, _ in self.given()], ["once1", "thrice0"])

    def test_numbers(self) -> None:
        """
        A family comes with what its other confirmed components have for its numbers: owners in turn, each one's newest
        first, so many at most; of what was refuted or is our own, nothing.  They are those of the sources, whatever the
        manifests say.
        """

        def numbered(value: int) -> Component:
            made = marked("x", value)
            assert made.manifest is not None
            return replace(made, manifest=replace(made.manifest, parameters=[7777.0]))

        self.add("AI_2", numbered(0))
        self.add("AI_1", numbered(1))
        self.add("AI_2", numbered(2), Verdict.REFUTED)
        self.assertEqual([carrier.numbers for carrier in self.selection.carriers()], [()])
        self.add("AI_2", numbered(3))
        for number in range(50):
            self.add(f"EVIL_{number}", numbered(100 + number))
        while len(self.selection._families) < 54:
            self.selection.carriers()
        (carrier,) = self.selection.carriers()
        self.assertEqual(len(carrier.numbers), MAX_NUMBERS)
        self.assertEqual(set(carrier.numbers[:2]), {(149.0,), (3.0,)})
        self.assertEqual(carrier.numbers[2], (148.0,))

    def test_readInParts(self) -> None:
        """So many sources at most are looked at in one go, and each once."""
        for number in range(MAX_READ + 5):
            self.add("AI_2", marked(f"f{number}"))
        self.selection.carriers()
        self.assertEqual(len(self.selection._families), MAX_READ)
        self.selection.carriers()
        self.assertEqual(len(self.selection._families), MAX_READ + 5)
        self.assertEqual(len(self.given()), MAX_CARRIERS)

    def test_shared(self) -> None:
        """To be tried as they are: a few of each workbench, owners in turn, each one's best first; none of our own."""
        for number in range(9):
            self.add(f"EVIL_{number}", component(f"evil{number}"))
        self.add("AI_2", component("poor"))
        self.knowledge.judge(component("poor").digest, Verdict.CONFIRMED, Changes(), 0.1)
        self.add("AI_2", component("good"))
        self.add("AI_3", component("refuted"), Verdict.REFUTED)
        self.add("AI_3", component("of another", workbench="security"))
        self.add("AI_1", component("own"))
        given = [(carrier.component.id, carrier.owner) for carrier in self.selection.shared()]
        self.assertEqual(given[1], ("good", "AI_2"))
        self.assertEqual(given[3], ("poor", "AI_2"))
        self.assertEqual(given[-1], ("of another", "AI_3"))
        self.assertEqual([owner for _, owner in given].count("owner mallory"), MAX_SHARED - 2)
