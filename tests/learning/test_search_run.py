"""One search: what the generator is given, how it is cancelled, and how what it found is judged."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec.structs import replace
from zope.interface import implementer

from kernelnet.artifacts import Candidate, Hint
from kernelnet.interfaces import IComponentGenerator, IProblem, IWorkbench
from kernelnet.learning.goal import Goal
from kernelnet.learning.search_run import MAX_SEARCH_PARENTS, SearchMemories, SearchRun
from kernelnet.learning.tasks import bestKnown
from kernelnet.plugins import available
from tests.learning.support import STUBBORN, AcceptedTestCase
from tests.workbench.support import baselineSource


@implementer(IComponentGenerator)
class Writing:
    """A generator that does what a test wants."""

    name = "writing"
    description = ""
    workbenches: tuple[str, ...] = ()

    def __init__(self, write: Callable[[Any], Candidate | None]) -> None:
        self.write = write

    def generate(self, problem: IProblem) -> Candidate | None:
        return self.write(problem)


class SearchRunTests(AcceptedTestCase):
    def run_(self, write: Callable[[Any], Candidate | None], goal: Goal | None = None, **options: Any) -> SearchRun:
        goal = goal or Goal("file_system", 60.0)
        return SearchRun(self.scenario, Writing(write), goal, seed=7, **options)

    def test_built(self) -> None:
        """What is good enough becomes a component, with the generator and the seed in its manifest."""
        component, reason = self.run_(lambda problem: Candidate(STUBBORN)).build()
        assert component is not None, reason
        manifest = self.manifest(component)
        self.assertEqual((manifest.generator, manifest.seed), ("writing", 7))
        self.assertIn("better on validation", reason)

    def test_nothing(self) -> None:
        """Nothing found says nothing; what is refused says why; what a generator raises is raised."""
        self.assertEqual(self.run_(lambda problem: None).build(), (None, ""))
        component, reason = self.run_(lambda problem: Candidate(baselineSource("fifo"))).build()
        self.assertIsNone(component)
        self.assertIn("no better on validation", reason)
        empty: dict[str, Candidate] = {}
        self.assertRaises(KeyError, self.run_(lambda problem: empty["x"]).build)

    def test_refused(self) -> None:
        """A search that ends with what the guard has refused twice, perhaps for lack of time, asks no more."""
        memory: dict[str, Any] = {}
        reasons = []
        for name in ("fifo", "fifo", "fifo", "lru", "fifo"):
            candidate = Candidate(baselineSource(name))
            reasons.append(self.run_(partial(lambda one, problem: one, candidate), memory=memory).build()[1])
        self.assertEqual(
            [reason.startswith("no better on validation") for reason in reasons], [True, True, False, True, True]
        )
        self.assertIn("refused before", reasons[2])
        # what passes is put to it each time
        for _ in range(2):
            component, _ = self.run_(lambda problem: Candidate(STUBBORN), memory=memory).build()
            self.assertIsNotNone(component)

    def test_given(self) -> None:
        """The goal's parts come to the generator: of parents only those of this bench, and not too many."""
        made = self.accepted()
        other = replace(made, manifest=replace(self.manifest(made), workbench="security"))
        hint = Hint("AI_2", "process_manager", "ab" * 32, "-idle")
        goal = Goal("", 60.0, parents=[other, *[made] * 10], hints=[hint], requirements={"abi": "x"})
        installed = {bench.name: bench for bench in available(IWorkbench)}
        given: list[Any] = []
        memory: dict[str, Any] = {}
        self.run_(given.append, goal, memory=memory, installed=installed).search()
        (problem,) = given
        self.assertEqual([parent.digest for parent in problem.parents], [made.digest] * MAX_SEARCH_PARENTS)
        self.assertEqual([block.data for block in problem.blocks][:1], [{"expression": "-age"}])
        self.assertEqual((problem.requirements, problem.seed), ({"abi": "x"}, 7))
        self.assertIs(problem.memory, memory)

    def test_progress(self) -> None:
        """How far it is can be seen at any time, and is told."""
        told: list[tuple[int, int]] = []

        def write(problem: IProblem) -> None:
            problem.progress(3, 14)

        run = self.run_(write, onProgress=lambda *news: told.append(news))
        self.assertEqual((run.generation, run.best), (0, None))
        run.search()
        self.assertEqual((run.generation, run.best, told), (3, 14, [(3, 14)]))

    def test_evaluations(self) -> None:
        """A budget of evaluations reaches the generator."""
        left: list[int | None] = []
        self.run_(lambda problem: left.append(problem.evaluationsLeft()), evaluations=7).search()
        self.assertEqual(left, [7])

    def test_cancelledBefore(self) -> None:
        """Who is cancelled before the search asks no generator."""
        run = self.run_(lambda problem: self.fail("it was asked"))
        run.cancel()
        self.assertEqual(run.build(), (None, ""))

    def test_cancelledWithin(self) -> None:
        """Who is cancelled within it has no time left, and what comes of it is not looked at."""
        left: list[float] = []

        def write(problem: IProblem) -> Candidate:
            run.cancel()
            left.append(problem.secondsLeft())
            return Candidate(STUBBORN)

        run = self.run_(write)
        self.assertEqual((run.build(), left), ((None, ""), [-1.0]))

    def test_judged(self) -> None:
        """With a parent the objective counts; without one a candidate has to be better by its score."""
        parent = self.accepted()
        goal = Goal("", 60.0, objective="fuel", parents=[parent])
        for parents, words in (((parent.digest,), "not the same as"), ((), "better on validation")):
            found = Candidate(STUBBORN, parents)
            _, reason = self.run_(lambda problem, found=found: found, goal).build()  # type: ignore[misc]
            self.assertIn(words, reason)
        run = self.run_(lambda problem: None, goal)
        self.assertIn("not the same as", run.judge(Candidate(STUBBORN), parent=parent)[1])
        self.assertIn("known already", run.judge(Candidate(STUBBORN), known=parent)[1])

    def test_bestKnown(self) -> None:
        """Only what was claimed on the same task under the same rules is known there; the first is the best."""
        made = self.accepted()
        manifest, claim = self.manifest(made), self.claim(made)
        elsewhere = replace(made, manifest=replace(manifest, report=replace(claim, settings={})))
        older = replace(made, manifest=replace(manifest, report=replace(claim, workbench_digest="0" * 64)))
        bare = replace(made, manifest=None)
        self.assertIs(bestKnown(self.scenario, [bare, elsewhere, older, made, replace(made)]), made)
        self.assertIsNone(bestKnown(self.scenario, [bare, elsewhere, older]))


class MemoriesTests(AcceptedTestCase):
    def test_apart(self) -> None:
        """Own rounds and requests have memories of their own; cheaper components have none."""
        memories = SearchMemories(random.Random(1))
        own, asked = Goal("", 1.0), Goal("", 1.0, requirements={"abi": "file_system/rank/1"})
        self.assertIs(memories.of(self.scenario, own), memories.of(self.scenario, own))
        self.assertIsNot(memories.of(self.scenario, own), memories.of(self.scenario, asked))
        self.assertIsNone(memories.of(self.scenario, Goal("", 1.0, objective="fuel")))
