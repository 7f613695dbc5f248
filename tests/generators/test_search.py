"""The search generators and their templates."""

from __future__ import annotations

import dataclasses
import math
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from kernelnet.artifacts import CodeBlock, Component, Manifest, Pattern, SplitScore
from kernelnet.generators import Candidate
from kernelnet.generators import search as search_module
from kernelnet.generators.search import search
from kernelnet.generators.templates.marked_source import marked
from kernelnet.generators.templates.two_queues import BLOCK_TYPE, TWO_QUEUES, TemplateSearch, template
from kernelnet.interfaces import IComponentGenerator, IProblem, ITemplate
from kernelnet.learning.acceptance import accept
from kernelnet.learning.hindsight import chosenOnTrain
from kernelnet.learning.problem import Problem
from kernelnet.learning.verification import remeasure
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.errors import OutOfFuel
from kernelnet.workbench.file_system import workbench
from kernelnet.workbench.file_system.abis import ABIS
from kernelnet.workbench.file_system.scenario import FileSystemScenario
from tests.generators.template_contract import TemplateContract
from tests.workbench.support import HEADER, smallScenario

HOUR = 3600.0
KNOWN = [TWO_QUEUES.normalized(vector) for vector in TWO_QUEUES.known]


class Pretended:
    """An `IProblem` whose score is a sum of parameters, so that a search takes no time."""

    workbench = "file_system"
    abis = ABIS
    header = ""
    settings = {"capacity": 100}
    baselines: dict[str, int] = {}
    events = 1000

    def __init__(self, **attributes: Any) -> None:
        self.seed = 1
        self.objective = "score"
        self.patterns: list[Pattern] = []
        self.parents: list[Component] = []
        self.blocks: list[CodeBlock] = []
        self.requirements: dict[str, Any] = {}
        self.left = math.inf
        self.asked: list[tuple[float, ...]] = []
        self.told: list[tuple[int, int]] = []
        vars(self).update(attributes)

    def secondsLeft(self) -> float:
        self.left -= 1
        return self.left

    def compile(self, source: str) -> bytes:
        return source.encode()

    def measure(self, wasm: bytes, parameters: tuple[float, ...] = ()) -> SplitScore:
        self.asked.append(tuple(parameters))
        return SplitScore(events=1000, score=int(100 * abs(parameters[0] - 0.5)), fuel=int(1000 * parameters[1]))

    def progress(self, generation: int, best: int) -> None:
        self.told.append((generation, best))


def component(source: str, said: list[float]) -> Component:
    manifest = Manifest("0" * 64, "0" * 64, "file_system/full/2", "file_system", parameters=said)
    return Component(id="parent", manifest=manifest, implementation=source)


class SearchTests(SynchronousTestCase):
    def generate(self, problem: Any, evaluations: int | None = 200) -> Candidate:
        candidate = TemplateSearch(evaluations).generate(problem)
        if candidate is None:
            self.fail("nothing")
        return candidate

    def test_interface(self) -> None:
        """The plugins provide what they should."""
        for generator in (search, template):
            self.assertTrue(verifyObject(IComponentGenerator, generator))

    def test_shipped(self) -> None:
        """On a shipped trace, with the smallest cache to train at, it passes the guard."""
        # On sqlite the template alone is hardly better than ARC, which the guard may call luck.
        for path in [path for path in workbench.traces() if path.name.startswith("compiler")]:
            scenario = workbench.scenario(path, workbench.tasks(path)[0])
            problem = Problem(scenario, seed=4, seconds=HOUR)
            candidate = self.generate(problem, 300)
            made, reason = accept(scenario, candidate, generator="template", seed=4)
            if made is None:
                self.fail(f"{path.name}: {reason}")
            self.assertEqual(remeasure(made, scenario)[0].value, "confirmed")
            if made.manifest is None or made.manifest.report is None:
                self.fail("no claim")
            # What was found with kn_param scores the same with the parameters built in.
            tried = problem.measure(problem.compile(TWO_QUEUES.tunable()), candidate.parameters)
            self.assertEqual(scenario.measure(made.wasm).splits["train"].score, tried.score)
            self.assertLess(tried.score, problem.baselines[chosenOnTrain(scenario)])

    def test_reproducible(self) -> None:
        """The same problem, seed and number of evaluations give the same candidate; another seed another one."""
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        scenario = smallScenario(folder)
        found = [self.generate(Problem(scenario, seed=seed, seconds=HOUR)) for seed in (5, 5, 6)]
        self.assertEqual(found[0], found[1])
        self.assertNotEqual(found[0].parameters, found[2].parameters)

    def test_problemsBudget(self) -> None:
        """A problem's own budget of evaluations is kept to, and whoever repeats it finds the same at any speed."""
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        scenario = smallScenario(folder)
        found = []
        for pause in (0.0, 0.002):
            problem = Problem(scenario, seed=5, seconds=math.inf, evaluations=60)
            measure = problem.measureWindows

            def slow(*arguments: Any, measure: Any = measure, pause: float = pause) -> Any:
                time.sleep(pause)
                return measure(*arguments)

            self.patch(problem, "measureWindows", slow)
            found.append(search.generate(problem))
            self.assertEqual(problem.evaluationsLeft(), 0)
        self.assertEqual(found[0], found[1])

    def test_evaluations(self) -> None:
        """It measures as often as it may, and nothing twice."""
        problem = Pretended()
        self.generate(problem, 123)
        self.assertEqual(len(problem.asked), 123)
        self.assertEqual(len(set(problem.asked)), 123)

    def test_improves(self) -> None:
        """It finds what is best, and tells of its progress."""
        problem = Pretended()
        candidate = self.generate(problem, 400)
        self.assertAlmostEqual(candidate.parameters[0], 0.5, places=2)
        self.assertEqual([generation for generation, _ in problem.told], list(range(len(problem.told))))
        scores = [best for _, best in problem.told]
        self.assertEqual(scores, sorted(scores, reverse=True))

    def test_time(self) -> None:
        """It stops when the time is over, with the best so far; or with nothing if there was no time at all."""
        problem = Pretended(left=50)
        self.generate(problem, None)
        self.assertLess(len(problem.asked), 50)
        self.assertIsNone(TemplateSearch().generate(cast("IProblem", Pretended(left=0))))

    def test_failing(self) -> None:
        """A vector that fails is passed over."""
        problem = Pretended()
        measure = problem.measure

        def failing(wasm: bytes, parameters: tuple[float, ...] = ()) -> SplitScore:
            score = measure(wasm, parameters)
            if parameters[0] > 0.3:
                raise OutOfFuel("x")
            return score

        problem.measure = failing  # type: ignore[method-assign]
        self.assertLessEqual(self.generate(problem).parameters[0], 0.3)

    def test_allFailing(self) -> None:
        """If every vector fails there is nothing to offer."""
        problem = Pretended()

        def failing(wasm: bytes, parameters: tuple[float, ...] = ()) -> SplitScore:
            raise OutOfFuel("x")

        problem.measure = failing  # type: ignore[method-assign]
        self.assertIsNone(TemplateSearch(100).generate(cast("IProblem", problem)))

    def test_parents(self) -> None:
        """
        Confirmed parents' vectors are tried first and named as parents: those that their sources have, whatever their
        manifests say; those of other families are left alone.
        """
        vector, lie = TWO_QUEUES.normalized([0.5] * 12), [0.25] * 12
        own, empty = component(TWO_QUEUES.bake(vector), lie), Component(id="old")
        problem = Pretended(parents=[component("int unmarked;", lie), own, empty])
        candidate = self.generate(problem)
        self.assertIn(vector, problem.asked[:3])
        self.assertNotIn(TWO_QUEUES.normalized(lie), problem.asked)
        self.assertEqual(candidate.parents, (own.digest,))

    def test_blocks(self) -> None:
        """Peers' parameter blocks are tried, whatever else a stranger sends as one is passed over."""
        good = [0.123, 1.0, 2, 0, 1, 2, 3, 0, 1, 2, 0, 0]
        strange: list[Any] = [None, [], [1], "x" * 12, [math.nan] * 12, [None] * 12, {"a": 1}, [10**400] * 12]
        blocks = [CodeBlock("x", type=BLOCK_TYPE, data={"parameters": data}) for data in [*strange, good]]
        blocks += [CodeBlock("x", type=BLOCK_TYPE, data=data) for data in strange]
        blocks += [CodeBlock("x", type="other", data={"parameters": [0.9] * 12})]
        problem = Pretended(blocks=blocks)
        self.generate(problem)
        self.assertIn(TWO_QUEUES.normalized(good), problem.asked)
        self.assertNotIn(TWO_QUEUES.normalized([0.9] * 12), problem.asked)

    def test_patterns(self) -> None:
        """What was learned of the task itself is tried before all that is known; peers' patterns suggest nothing."""
        loop = Pattern("p", "loop", 1.0, {"length": 250, "relative": 2.5, "share": 0.9})
        (first, *_) = map(TWO_QUEUES.normalized, TWO_QUEUES.suggested("loop", loop.data.get))
        learned, peers = Pretended(learned=[loop], patterns=[loop]), Pretended(patterns=[loop])
        for problem in (learned, peers):
            self.generate(problem)
        self.assertEqual(learned.asked[0], first)
        self.assertNotIn(first, peers.asked)


class InstalledTests(SynchronousTestCase):
    def test_others(self) -> None:
        """Another package's template is searched on its bench, beside ours; what is none, or broken, is passed over."""
        sources = Path(search_module.__file__).with_name("templates")
        source = (sources / "repaint_budget.c").read_text("utf-8")
        mine = marked(source, "mine", "of_mine")
        assert mine is not None
        self.assertTrue(verifyObject(ITemplate, mine))
        ours = search_module.templates()
        self.assertEqual(len(ours), len(list(sources.glob("*.c"))))
        useless = [dataclasses.replace(mine, known=()), dataclasses.replace(mine, text="no marks")]
        self.patch(search_module, "available", lambda interface: [*ours, mine, object(), *useless])
        search_module.templates.cache_clear()
        self.addCleanup(search_module.templates.cache_clear)
        self.assertEqual(search_module.templates(), (*ours, mine))
        ((tunable, _),) = search.known("mine", ())
        self.assertEqual(tunable, mine.tunable())
        self.assertEqual(search.known("nobody's", ()), [])


class TemplateTests(TemplateContract, SynchronousTestCase):
    bench = workbench
    template = TWO_QUEUES

    def scenarios(self) -> Iterator[FileSystemScenario]:
        """At several capacities, the least among them."""
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        for capacity in (32, 1, 2, 3, 7, 199):
            yield smallScenario(folder, capacity=capacity)

    def test_published(self) -> None:
        """A published source names its parameters and what they mean, and has no kn_param."""
        source = TWO_QUEUES.bake(KNOWN[0])
        for parameter in TWO_QUEUES.parameters:
            self.assertIn(f"#define {parameter.name} ", source)
            self.assertIn(parameter.meaning, source)
        self.assertIn("#define SMALL_SHARE 0.1 /*", source)
        self.assertNotIn("kn_param", source)

    @given(st.integers(0, 2**32))
    def test_ranges(self, seed: int) -> None:
        """Random values and values near others stay in their range, and are normal."""
        rng = random.Random(seed)
        for parameter in TWO_QUEUES.parameters:
            value = parameter.any(rng)
            for _ in range(5):
                self.assertTrue(parameter.least <= value <= parameter.most, (parameter.name, value))
                self.assertEqual(parameter.normalized(value), value)
                value = parameter.near(value, rng)

    def test_known(self) -> None:
        """The settings near S3-FIFO miss nearly what S3-FIFO misses."""
        scenario = workbench.scenario(workbench.traces()[1])
        report = scenario.measure(compileC(TWO_QUEUES.bake(KNOWN[0]), HEADER, trusted=True))
        theirs = scenario.baselines()["s3fifo"].splits["held_out"].score
        self.assertLess(abs(report.splits["held_out"].score - theirs), 0.02 * theirs)
