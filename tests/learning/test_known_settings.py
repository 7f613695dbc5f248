"""What is known is tried before any search, and nobody's word counts."""

from __future__ import annotations

import lzma
from itertools import islice
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import Candidate, Carrier, Component
from kernelnet.generators.search import Search
from kernelnet.generators.templates.reuse_interval import REUSE_INTERVAL
from kernelnet.generators.templates.two_queues import TWO_QUEUES
from kernelnet.interfaces import IScenario
from kernelnet.learning import known_settings
from kernelnet.learning.hindsight import bestOverBoth, levelOverBoth
from kernelnet.learning.known_settings import (
    FIRST,
    KNOWN,
    MARGIN,
    MAX_SHARED,
    Choice,
    choose,
    chooseToUse,
    fewOf,
    tryKnown,
)
from kernelnet.learning.recommendation import BOTH, recommend
from kernelnet.learning.submission import makeComponent, submit
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.file_system import workbench

HOUR = 3600.0
REQUESTS = 30_000
"""Of the trace that ships: enough for something to pass the guard."""


def sqlite(folder: Path) -> Path:
    """The beginning of the trace that ships."""
    folder.mkdir()
    with lzma.open(workbench.traces()[1], "rt") as lines:
        (folder / "sqlite.txt").write_text("".join(islice(lines, REQUESTS)))
    return folder / "sqlite.txt"


BURNER = """#include "kn_file_system.h"
static volatile u32 x;
f64 kn_rank(f64 age, f64 life, f64 freq, f64 gap, f64 gap2, f64 hist, f64 ghostgap, f64 pressure) {
    for (u32 i = 0; i < 3000000; i++) x += i;
    return %d;
}
"""


def shared(scenario: IScenario, source: str, **changes: Any) -> Component:
    return replace(makeComponent(scenario, Candidate(source), submit(scenario, source, trusted=True)), **changes)


class KnownTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.trace = sqlite(Path(self.mktemp()))
        self.scenario = workbench.scenario(self.trace, {"capacity": 30})
        self.generator = Search(genetic=False)

    def test_ships(self) -> None:
        """The best known setting by train and validation goes to the guard, and what passes is better there."""
        choice = choose(self.scenario, self.generator, seconds=HOUR)
        assert choice.best is not None and choice.component is not None, choice
        self.assertEqual(choice.tried, len(REUSE_INTERVAL.known) + len(TWO_QUEUES.known))
        self.assertEqual((choice.failed, choice.shared), (0, 0))
        manifest = choice.component.manifest
        assert manifest is not None
        self.assertEqual(manifest.generator, KNOWN)
        self.assertEqual(tuple(manifest.parameters), choice.best.candidate.parameters)
        use = recommend(self.scenario, choice.component, "a setting that ships")
        self.assertIn("(a setting that ships)", str(use))
        self.assertGreater(use.gain, 0)

    def test_order(self) -> None:
        """What is tried is told best first; of each family some settings come before anything shared."""
        clock = Clock()
        component = shared(self.scenario, TWO_QUEUES.bake(TWO_QUEUES.known[0]))
        asked: list[bool] = []
        measure = self.scenario.measure

        def noted(*arguments: Any, **options: Any) -> Any:
            asked.append(options.get("fuel") is not None)
            clock.advance(1)
            return measure(*arguments, **options)

        self.patch(self.scenario, "measure", noted)
        tried, failed = tryKnown(self.scenario, self.generator, [component], seconds=FIRST, clock=clock.seconds)
        self.assertEqual(failed, 0)
        self.assertEqual(asked, [False] * FIRST + [True])
        self.assertEqual([one.level for one in tried], sorted((one.level for one in tried), reverse=True))

    def test_sharedIsChosen(self) -> None:
        """A structure that is missing here is taken from a peer, as the parent; the numbers are those of its source."""
        elsewhere = workbench.scenario(self.trace, {"capacity": 40})
        best = choose(self.scenario, self.generator, seconds=HOUR).best
        assert best is not None
        peers = shared(elsewhere, best.candidate.source)
        assert peers.manifest is not None and best.candidate.parameters
        peers.manifest.parameters = [7777.0]
        none = Search(templates=[], genetic=False)
        self.assertIsNone(choose(self.scenario, none).best)
        choice = choose(self.scenario, none, [peers], seconds=HOUR)
        assert choice.component is not None and choice.component.manifest is not None, choice
        self.assertEqual(choice.component.manifest.parents, [peers.digest])
        # What is published under our own name are the numbers that it has, not those that its author said.
        self.assertEqual(choice.component.manifest.parameters, list(best.candidate.parameters))

    def test_liars(self) -> None:
        """
        Who claims much, fails, burns fuel, or shares a module that its source doesn't make changes no recommendation.
        """
        plain = choose(self.scenario, self.generator, seconds=HOUR)
        assert plain.component is not None
        good = shared(self.scenario, TWO_QUEUES.bake(TWO_QUEUES.known[4]))
        burner = compileC(BURNER % 1, workbench.headerPath, trusted=True)
        liars = [
            replace(good, development_level=0.99),
            replace(good, wasm=b"\0asm no module"),
            replace(good, wasm=burner, implementation=BURNER % 1),
            replace(good, wasm=compileC(BURNER % 2, workbench.headerPath, trusted=True)),
            # the module of what ships, and a source that makes another
            replace(good, wasm=plain.component.wasm, implementation=BURNER % 3),
        ]
        choice = choose(self.scenario, self.generator, liars[:4], seconds=HOUR)
        self.assertEqual(self.chosen(choice), self.chosen(plain))
        self.assertEqual(choice.failed, 3)
        # The same module is no better: what ships came first, and is taken.
        self.assertEqual(
            self.chosen(choose(self.scenario, self.generator, liars[4:], seconds=HOUR)), self.chosen(plain)
        )
        alone = Search(templates=[], genetic=False)
        self.assertIsNone(choose(self.scenario, alone, liars[4:], seconds=HOUR).component)

    def chosen(self, choice: Choice) -> tuple[str, str]:
        assert choice.component is not None, choice
        return choice.component.digest, choice.reason

    def test_few(self) -> None:
        """Owners take turns: fifty ids of one owner have no more places than one; no module is tried twice."""
        names = [("owner mallory", f"evil{n}") for n in range(50)] + [("AI_2", "a"), ("AI_3", "b"), ("AI_2", "c")]
        carriers = [Carrier(Component(name, wasm=name.encode()), owner) for owner, name in names]
        self.assertEqual([one.id for one in fewOf(carriers)], ["evil0", "a", "b", "evil1", "c"])
        self.assertEqual(len(fewOf(carriers[:50])), MAX_SHARED)
        twice = [Carrier(Component("copy", wasm=b"a"), "owner mallory"), Carrier(Component("a", wasm=b"a"), "AI_2")]
        self.assertEqual([one.id for one in fewOf(twice)], ["copy"])

    def test_nothingBetter(self) -> None:
        """Where no known setting is better on validation a hand-made policy is left; variants aren't measured."""
        self.trace.write_text("".join(f"{n % 40}\n" for n in range(4000)))
        scenario = workbench.scenario(self.trace, {"capacity": 40})
        self.patch(scenario, "forModule", None)
        choice = choose(scenario, self.generator)
        self.assertIsNone(choice.component)
        self.assertIn("no better on validation", choice.reason)


class ToUseTests(SynchronousTestCase):
    """For one's own use train counts as validation does, and what others shared has to hold on variants."""

    def setUp(self) -> None:
        self.scenario = workbench.scenario(sqlite(Path(self.mktemp())), {"capacity": 30})
        self.generator = Search(templates=[TWO_QUEUES], genetic=False)
        self.plain = self.choose()
        assert self.plain.best is not None and self.plain.component is not None, self.plain

    def choose(self, *shared: Component) -> Choice:
        return chooseToUse(self.scenario, self.generator, shared, seconds=HOUR)

    def byHeart(self, component: Component, part: float = 0.5) -> Component:
        """Let a component score on this trace, and not on its variants, as if it knew it: so much of what it has."""
        measure = self.scenario.measure

        def knowing(wasm: bytes, **options: Any) -> Any:
            report = measure(wasm, **options)
            if wasm != component.wasm:
                return report
            splits = {name: replace(split, score=int(split.score * part)) for name, split in report.splits.items()}
            return replace(report, splits=splits)

        self.patch(self.scenario, "measure", knowing)
        return component

    def test_bestOverBoth(self) -> None:
        """It is the best over train and validation, without a claim, and the verdict is of the trace as it is."""
        tried, _ = tryKnown(self.scenario, self.generator, seconds=HOUR)
        assert self.plain.best is not None and self.plain.component is not None
        self.assertEqual(self.plain.best.candidate, tried[0].candidate)
        self.assertIsNone(self.plain.component.manifest)
        measured = self.scenario.measure(self.plain.component.wasm)
        self.assertEqual(levelOverBoth(self.scenario, measured), tried[0].level)
        self.patch(self.scenario, "forModule", None)
        use = recommend(self.scenario, self.plain.component, "a setting that ships", BOTH, asItIs=True)
        self.assertEqual(use.use.level, self.scenario.developmentLevel(measured))

    def test_hair(self) -> None:
        """Who is better by less than `MARGIN` over both is no better: a hand-made policy is left, the best there."""
        assert self.plain.best is not None
        hand = bestOverBoth(self.scenario)
        ahead = self.plain.best.level - levelOverBoth(self.scenario, self.scenario.baselines()[hand])
        self.assertGreater(ahead, MARGIN)
        self.patch(known_settings, "MARGIN", ahead + 1e-9)
        choice = self.choose()
        self.assertIsNone(choice.component)
        self.assertIn(f"the hand-made policy {hand} ", choice.reason)
        self.assertIn(
            f"use {hand} (hand-made, the best on train and validation)", str(recommend(self.scenario, None, "", BOTH))
        )

    def test_shared(self) -> None:
        """What is best of all, and holds on variants of the trace, is taken of whomever."""
        assert self.plain.best is not None
        theirs = shared(workbench.scenario(workbench.traces()[1], {"capacity": 55}), self.plain.best.candidate.source)
        found = chooseToUse(self.scenario, Search(templates=[], genetic=False), [theirs], seconds=HOUR)
        assert found.best is not None and found.component is not None, found
        self.assertIs(found.best.shared, theirs)
        self.assertLessEqual(found.best.level, self.plain.best.level)

    def test_byHeart(self) -> None:
        """Who knows the trace by heart, but nothing of its variants, is not recommended, in whatever number."""
        fifo = self.byHeart(shared(self.scenario, workbench.baselineSource("fifo")), 0.1)
        found = chooseToUse(self.scenario, None, [fifo])
        self.assertIsNone(found.component)
        self.assertIn("not on variants", found.reason)
        many = fewOf(Carrier(replace(fifo, id=f"EVIL_{number}"), "owner mallory") for number in range(50))
        found = self.choose(*many)
        self.assertEqual((found.component, found.reason), (self.plain.component, self.plain.reason))

    def test_countsByVariants(self) -> None:
        """One that is good, and better by heart, counts for what it is worth on variants."""
        assert self.plain.best is not None
        good = self.byHeart(shared(self.scenario, self.plain.best.candidate.source))
        found = chooseToUse(self.scenario, None, [good])
        assert found.component is not None and found.best is not None, found
        self.assertGreater(levelOverBoth(self.scenario, self.scenario.measure(good.wasm)), self.plain.best.level + 0.2)
        self.assertLess(abs(found.best.level - self.plain.best.level), 0.05)

    def test_otherSource(self) -> None:
        """The module that counts is the one that the source makes; one that makes none is passed over."""
        assert self.plain.component is not None
        for source in (workbench.baselineSource("fifo"), "no C at all"):
            liar = Component("EVIL", implementation=source, wasm=self.plain.component.wasm)
            self.assertIsNone(chooseToUse(self.scenario, None, [liar]).component)
            self.assertEqual(self.choose(liar).component, self.plain.component)
