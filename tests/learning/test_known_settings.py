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
from kernelnet.learning.known_settings import FIRST, KNOWN, MAX_SHARED, Choice, choose, fewOf, tryKnown
from kernelnet.learning.recommendation import recommend
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
        """A structure that is missing here is taken from a peer, whose component is the parent."""
        elsewhere = workbench.scenario(self.trace, {"capacity": 40})
        best = choose(self.scenario, self.generator, seconds=HOUR).best
        assert best is not None
        peers = shared(elsewhere, best.candidate.source)
        none = Search(templates=[], genetic=False)
        self.assertIsNone(choose(self.scenario, none).best)
        choice = choose(self.scenario, none, [peers], seconds=HOUR)
        assert choice.component is not None and choice.component.manifest is not None, choice
        self.assertEqual(choice.component.manifest.parents, [peers.digest])

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
