"""Who gets how much of a portfolio's effort, and that all families work in one."""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import CodeBlock, SplitScore
from kernelnet.expressions.syntax import fromSource
from kernelnet.generators import Candidate
from kernelnet.generators.evolution.finalist_selection import FINALISTS, choose
from kernelnet.generators.evolution.island_model import IslandFamily
from kernelnet.generators.evolution.portfolio import CONVERGED_AFTER, EQUAL_SHARE, Bandit
from kernelnet.generators.evolution.portfolio import search as searchFamilies
from kernelnet.generators.evolution.search_family import Family, Metered, Scored
from kernelnet.generators.search import Search, familiesFor
from kernelnet.generators.templates.reuse_interval import REUSE_INTERVAL
from kernelnet.generators.templates.two_queues import BLOCK_TYPE, TWO_QUEUES
from kernelnet.interfaces import IProblem, IScenario
from kernelnet.learning.problem import Problem
from tests.generators.picker import ABI, pickerScenario
from tests.workbench.support import smallScenario


class Fake(Family):
    """Takes C{seconds} and C{evaluations} a step; its loss after n steps is C{losses[n]}, or the last one."""

    def __init__(self, name: str, losses: list[float], clock: Clock, seconds: float = 1.0) -> None:
        self.name, self.losses, self.clock, self.seconds = name, losses, clock, seconds
        self.steps = self.wentOn = 0

    def start(self, metered: Metered, rng: random.Random) -> None:
        self.metered = metered

    def goOn(self, metered: Metered) -> None:
        self.metered = metered
        self.wentOn += 1

    def ready(self) -> bool:
        return False

    def step(self) -> Callable[[], None]:
        jobs = [(b"", ())] * 10
        asked = self.metered.ask(jobs)
        self.clock.advance(self.seconds)
        self.steps += 1

        def end() -> None:
            self.metered.scored(jobs, asked)

        return end

    def found(self, count: int) -> list[Scored]:
        if not self.steps:
            return []
        loss = self.losses[min(self.steps, len(self.losses)) - 1]
        return [Scored(loss, (1,), Candidate(self.name))]


class Told(Fake):
    """Tells in what order it was asked for what."""

    def __init__(self, name: str, losses: list[float], clock: Clock, seconds: float = 1.0, *, order: list[str]) -> None:
        super().__init__(name, losses, clock, seconds)
        self.order = order

    def trySuggested(self) -> None:
        self.order.append(f"suggested {self.name}")

    def step(self) -> Callable[[], None]:
        self.order.append(self.name)
        return super().step()


class Timed:
    """An `IProblem` for fakes: its time is a clock's."""

    seed = 1
    parents: tuple[str, ...] = ()

    def __init__(self, clock: Clock, seconds: float) -> None:
        self.clock, self.seconds = clock, seconds

    def secondsLeft(self) -> float:
        return self.seconds - self.clock.seconds()

    def measure(self, wasm: bytes, parameters: tuple[float, ...] = ()) -> SplitScore:
        return SplitScore(events=1, score=1, fuel=1)

    def progress(self, generation: int, best: int) -> None:
        pass


class BanditTests(SynchronousTestCase):
    def steps(self, *families: Fake, seconds: float = 200.0, evaluations: int | None = None) -> list[int]:
        clock = families[0].clock
        left = math.inf if evaluations is not None else seconds
        found = searchFamilies(cast("IProblem", Timed(clock, left)), families, evaluations, clock.seconds)
        best = min(families, key=lambda family: family.found(1)[0].loss)
        self.assertEqual(found and found.source, best.name)
        return [family.steps for family in families]

    def test_pays(self) -> None:
        """Who goes on finding better gets all but the floor of the others."""
        clock = Clock()
        good = Fake("good", [1 - 0.001 * n for n in range(500)], clock)
        poor = [Fake(name, [1.2], clock) for name in ("a", "b")]
        steps = self.steps(good, *poor)
        self.assertEqual(sum(steps), 200)
        for other in steps[1:]:
            self.assertLessEqual(abs(other - 200 * EQUAL_SHARE / 3), 3)

    def test_shifts(self) -> None:
        """When who paid has nothing more to find, the effort goes to who has."""
        clock = Clock()
        early = Fake("early", [1 - 0.01 * min(n, 30) for n in range(31)], clock)
        late = Fake("late", [*([1.5] * 20), *(0.69 - 0.002 * n for n in range(200))], clock)
        steps = self.steps(early, late)
        self.assertGreater(steps[1], 1.5 * steps[0])

    def test_cost(self) -> None:
        """Of two that gain the same for a step, the one whose steps take less time gets more steps."""
        clock = Clock()
        slow = Fake("slow", [1 - 0.001 * n for n in range(500)], clock, seconds=4.0)
        quick = Fake("quick", [1 - 0.001 * n - 1e-6 for n in range(500)], clock)
        steps = self.steps(slow, quick)
        self.assertGreater(steps[1], 4 * steps[0])

    def test_evaluations(self) -> None:
        """With a number of evaluations time plays no part."""
        found = []
        for seconds in (1.0, 7.0):
            clock = Clock()
            families = [
                Fake("slow", [1 - 0.001 * n for n in range(500)], clock, seconds),
                Fake("other", [1.1, 1.0, 0.999], clock),
            ]
            found.append(self.steps(*families, evaluations=400))
        self.assertEqual(found[0], found[1])
        self.assertEqual(sum(found[0]), 40)

    def test_idle(self) -> None:
        """Where nobody gains all get the same."""
        clock = Clock()
        steps = self.steps(*(Fake(str(n), [1.0 + n], clock) for n in range(4)))
        self.assertEqual(steps, [50] * 4)

    def test_suggested(self) -> None:
        """What patterns suggest comes first, and nobody is paid for it; not where there are parents to begin with."""
        for parents in ((), ("one",)):
            clock, order = Clock(), list[str]()
            fakes = [Told(str(n), [1.0 + n], clock, order=order) for n in range(3)]
            problem = Timed(clock, 30.0)
            problem.parents = parents
            searchFamilies(cast("IProblem", problem), fakes, None, clock.seconds)
            first = [] if parents else ["suggested 0", "suggested 1", "suggested 2"]
            self.assertEqual(order[: len(first) + 3], [*first, "0", "1", "2"])
            self.assertEqual([fake.steps for fake in fakes], [10] * 3)

    def test_floor(self) -> None:
        """Whatever the gains, nobody falls below the floor by more than a step."""
        rng = random.Random(1)
        bandit = Bandit(5)
        for _ in range(2000):
            arm = bandit.choose()
            bandit.reward(arm, rng.uniform(0.5, 1.5), rng.random() ** 3 * arm)
        self.assertGreater(min(bandit.spent), sum(bandit.spent) * EQUAL_SHARE / 5 - 2)

    def test_none(self) -> None:
        """Without a family there is nothing to offer."""
        self.assertIsNone(searchFamilies(cast("IProblem", Timed(Clock(), 10.0)), []))


class Windowed(Timed):
    """Its scores are told by the parameters."""

    def measureWindows(self, wasm: bytes, parameters: tuple[float, ...] = (), count: int = 8) -> list[SplitScore]:
        return [SplitScore(events=1, score=int(value), fuel=1) for value in parameters]


class ChooseTests(SynchronousTestCase):
    def choose(self, *scores: tuple[int, ...]) -> int:
        """Which of some candidates is chosen, the first of which all are compared with."""
        problem = Metered(cast("IProblem", Windowed(Clock(), 10.0)))
        self.addCleanup(problem.close)
        measured = problem.measureAll((b"", one) for one in scores)
        found = [Scored(problem.loss(one), one, Candidate(str(n))) for n, one in enumerate(measured) if one is not None]
        chosen = choose(problem, found)
        return int(chosen.source) if chosen is not None else -1

    def test_late(self) -> None:
        """Of about equals the one that is better at the end of train is chosen; what is much better anyway stays."""
        even, late = (100,) * 8, (103, 103, 103, 103, 103, 103, 94, 94)
        self.assertEqual(self.choose(even, late), 1)
        self.assertEqual(self.choose(even, (130,) * 6 + (94, 94)), 0)
        self.assertEqual(self.choose((100,) * 8, (50,) * 6 + (101, 101)), 1)

    def test_finalists(self) -> None:
        """Only what is among the best on all of train has a chance."""
        others = [tuple([90 + n % 3] * 8) for n in range(FINALISTS)]
        self.assertNotEqual(self.choose((100,) * 8, *others, (98,) * 6 + (76, 76)), FINALISTS + 1)

    def test_parts(self) -> None:
        """The end of a generalist's train is the end of each part's."""
        even = (100,) * 16
        self.assertEqual(self.choose(even, (*([103] * 6), 90, 90) * 2), 1)
        self.assertEqual(self.choose(even, (*([103] * 6), 103, 103, *([97] * 6), 97, 97)), 0)

    def test_nothing(self) -> None:
        """Of nothing nothing is chosen."""
        self.assertEqual(self.choose(), -1)


class SearchTests(SynchronousTestCase):
    def folder(self) -> Path:
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        return folder

    def problem(self, scenario: IScenario, seed: int = 1) -> Problem:
        return Problem(scenario, seed=seed, seconds=3600.0)

    def test_families(self) -> None:
        """A page cache has templates and genetic programming, somebody else's bench with a rank ABI the latter."""
        names = [family.name for family in familiesFor(self.problem(smallScenario(self.folder())))]
        self.assertEqual(sorted(names), ["genetic", "lifetimes", "two_queues"])
        names = [family.name for family in familiesFor(self.problem(pickerScenario(self.folder())))]
        self.assertEqual(names, ["genetic"])

    def test_fileSystem(self) -> None:
        """On a page cache it is reproducible, better than all hand-made policies on train, and within its budget."""
        scenario = smallScenario(self.folder())
        problem = self.problem(scenario)
        found = [Search(400).generate(self.problem(scenario)) for _ in range(2)]
        self.assertEqual(found[0], found[1])
        if found[0] is None:
            self.fail("nothing")
        self.assertLess(problem.measure(problem.compile(found[0].source)).score, min(problem.baselines.values()))

    def test_jobs(self) -> None:
        """However many modules are measured at once, the same are measured, and the same is found."""
        scenario = smallScenario(self.folder())
        found = []
        for jobs in (1, 2, 5):
            measured: list[tuple[bytes, tuple[float, ...]]] = []

            class Noting(Problem):
                def measureWindows(self, wasm: bytes, parameters: Any = (), count: int = 8) -> list[SplitScore]:
                    measured.append((wasm, tuple(parameters)))  # noqa: B023
                    return super().measureWindows(wasm, parameters, count)

            memory: dict[str, Any] = {}
            problem = Noting(scenario, seed=3, seconds=math.inf, jobs=jobs, evaluations=230, memory=memory)
            candidate = Search().generate(problem)
            self.assertEqual(len(measured), 230)
            found.append((candidate, sorted(measured), memory["costs"]))
        self.assertEqual(found[0], found[1])
        self.assertEqual(found[0], found[2])

    def test_atOnce(self) -> None:
        """As many modules are measured at once as the problem says, and never more."""
        scenario = smallScenario(self.folder())
        for jobs in (1, 3):
            lock, now, most = threading.Lock(), [0], [0]

            class Counting(Problem):
                def measureWindows(self, wasm: bytes, parameters: Any = (), count: int = 8) -> list[SplitScore]:
                    with lock:  # noqa: B023
                        now[0] += 1  # noqa: B023
                        most[0] = max(most[0], now[0])  # noqa: B023
                    try:
                        return super().measureWindows(wasm, parameters, count)
                    finally:
                        with lock:  # noqa: B023
                            now[0] -= 1  # noqa: B023

            Search(80).generate(Counting(scenario, seed=3, seconds=math.inf, jobs=jobs))
            self.assertEqual(most, [jobs])

    def test_again(self) -> None:
        """A search by time is the same once more, where its steps' costs and the results are known; then it goes on."""
        scenario = smallScenario(self.folder())
        clock, known = Clock(), dict[Any, list[SplitScore]]()
        lock = threading.Lock()

        class Known(Problem):
            """Each new measurement takes a second, or three for a template."""

            new = 0

            def secondsLeft(self) -> float:
                return 60.0 - clock.seconds()

            def measureWindows(self, wasm: bytes, parameters: Any = (), count: int = 8) -> list[SplitScore]:
                with lock:
                    if (wasm, tuple(parameters)) not in known:
                        clock.advance(3.0 if parameters else 1.0)
                        self.new += 1
                        known[wasm, tuple(parameters)] = super().measureWindows(wasm, parameters, count)
                    return known[wasm, tuple(parameters)]

        first = Known(scenario, seed=3, seconds=0.0, memory={})
        searchFamilies(first, familiesFor(first), None, clock.seconds)
        assert first.memory is not None
        before, costs = len(known), list(first.memory["costs"])
        again = Known(scenario, seed=3, seconds=0.0, memory={"costs": list(costs)})
        clock.rightNow = 30.0
        searchFamilies(again, familiesFor(again), None, clock.seconds)
        assert again.memory is not None
        self.assertEqual(again.memory["costs"][: len(costs)], costs)
        self.assertGreater(len(again.memory["costs"]), len(costs))
        self.assertEqual(len(known), before + again.new)
        other = Known(scenario, seed=4, seconds=0.0, memory={})
        clock.rightNow = 30.0
        searchFamilies(other, familiesFor(other), None, clock.seconds)
        self.assertGreater(other.new, 0)

    def test_thirdParty(self) -> None:
        """It works on somebody else's bench."""
        candidate = Search(200).generate(self.problem(pickerScenario(self.folder())))
        self.assertIsNotNone(candidate and fromSource(candidate.source, ABI.features))


class Remembering(Timed):
    """It has a memory, and seconds that can be given anew."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock, math.inf)
        self.memory: dict[str, Any] = {}


class MemoryTests(SynchronousTestCase):
    def search(self, problem: Any, family: Fake, evaluations: int) -> None:
        searchFamilies(problem, [family], evaluations, family.clock.seconds)

    def test_goesOn(self) -> None:
        """The next search on a task takes up what the last one left, and is shown what there is to suggest now."""
        clock = Clock()
        problem = Remembering(clock)
        first, second = (Fake("a", [1 - 0.01 * n for n in range(100)], clock) for _ in range(2))
        self.search(problem, first, 50)
        again = Remembering(clock)
        again.memory = problem.memory
        self.search(again, second, 30)
        self.assertEqual((first.steps, second.steps), (8, 0))
        self.assertEqual(first.wentOn, 1)

    def test_forgets(self) -> None:
        """One that found nothing better for long, or of other families, is not gone on with."""
        clock = Clock()
        problem = Remembering(clock)
        first, second, other = Fake("a", [1.0], clock), Fake("a", [1.0], clock), Fake("b", [1.0], clock)
        self.search(problem, first, CONVERGED_AFTER + 20)
        self.search(problem, second, 20)
        self.search(problem, other, 20)
        self.assertEqual((second.steps, other.steps), (2, 2))
        self.assertEqual((first.wentOn, second.wentOn), (0, 0))

    def test_nothingTwice(self) -> None:
        """A search in parts measures nothing twice, and begins nothing that it doesn't end."""
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        scenario = smallScenario(folder)
        memory: dict[str, Any] = {}
        measured: list[Any] = []

        class Noting(Problem):
            def measureWindows(self, wasm: bytes, parameters: Any = (), count: int = 8) -> list[SplitScore]:
                measured.append((wasm, tuple(parameters)))
                return super().measureWindows(wasm, parameters, count)

        for part in (37, 41, 43):  # in the midst of batches
            Search(part).generate(Noting(scenario, seed=2, seconds=math.inf, memory=memory))
        self.assertEqual((len(measured), len(set(measured))), (121, 121))
        tried = {parameters for _, parameters in measured}
        for template in (REUSE_INTERVAL, TWO_QUEUES):
            self.assertEqual([v for v in map(template.normalized, template.known) if v not in tried], [])

    def test_cutShort(self) -> None:
        """What the budget of one search was not enough for is measured by the next."""

        class Numbers(IslandFamily[int]):
            islands, population = 1, 20

            def worthTrying(self) -> list[int]:
                return []

            def first(self, rng: random.Random) -> list[int]:
                return list(range(20))

            def job(self, genome: int) -> tuple[bytes, tuple[float, ...]]:
                return b"", (float(genome),)

            def candidate(self, genome: int) -> Candidate:
                return Candidate(str(genome))

        family = Numbers()
        for evaluations in (11, 9):
            problem = Metered(cast("IProblem", Windowed(Clock(), math.inf)), evaluations)
            self.addCleanup(problem.close)
            if evaluations == 11:
                family.start(problem, random.Random(1))
            else:
                family.goOn(problem)
            while not problem.over():
                family.step()()
        self.assertEqual({one.candidate.source for one in family.found(99)}, set(map(str, range(20))))

    def test_hintsAreTried(self) -> None:
        """What peers have shared since the last search is measured, soon, by the one that goes on."""
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        scenario = smallScenario(folder)
        memory: dict[str, Any] = {}
        vector = TWO_QUEUES.normalized((0.123, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0))
        block = CodeBlock("b", BLOCK_TYPE, {"parameters": list(vector)})
        tried: set[Any] = set()

        class Noting(Problem):
            def measureWindows(self, wasm: bytes, parameters: Any = (), count: int = 8) -> list[SplitScore]:
                tried.add(tuple(parameters))
                return super().measureWindows(wasm, parameters, count)

        Search(120).generate(Noting(scenario, seed=2, seconds=math.inf, memory=memory))
        self.assertNotIn(vector, tried)
        Search(60).generate(Noting(scenario, seed=2, seconds=math.inf, memory=memory, blocks=[block]))
        self.assertIn(vector, tried)
