"""Hand-made schedulers: known answers, and those of another simulator."""

from __future__ import annotations

import random
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench.process_manager import workbench
from kernelnet.workbench.process_manager.scenario import ProcessManagerScenario
from tests.workbench.process_manager_reference import POLICIES, Job, simulate
from tests.workbench.process_manager_support import rank, smallScenario, someJobs


def expected(scenario: ProcessManagerScenario, jobs: list[Job], name: str) -> dict[str, list[tuple[int, int]]]:
    """What the plain-Python simulator has, by split."""
    settings, windows = scenario.settings, scenario.machine.trace.windows("held_out")
    results = simulate(
        jobs,
        [(start, end) for _, start, end in windows],
        POLICIES[name](settings["cpus"], settings["quantum_us"]),
        tick=settings["tick_us"],
        quantum=settings["quantum_us"],
        switch=settings["switch_us"],
        bound=settings["bound_us"],
    )
    return {split: result for (split, _, _), result in zip(windows, results, strict=True)}


class ReferenceTests(SynchronousTestCase):
    """Every baseline schedules as a simulator in plain Python that shares no line with it."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir(parents=True)

    def compare(self, name: str, jobs: list[Job], **settings: int) -> None:
        scenario = smallScenario(self.folder, jobs, **settings)
        results = expected(scenario, jobs, name)
        if name == "srpt":
            for split, optimum in scenario.optimum().items():
                self.assertEqual(optimum, sum(slowdown for _, slowdown in results[split]), (split, scenario))
        else:
            for split, score in scenario.baselines()[name].splits.items():
                slowdowns, metrics = [slowdown for _, slowdown in results[split]], score.metrics
                self.assertEqual(score.score, sum(slowdowns), (name, split, scenario))
                self.assertEqual(metrics["mean_slowdown_permille"], sum(slowdowns) // len(slowdowns))
                waits = sorted(wait for wait, _ in results[split])
                self.assertEqual(metrics["mean_wait_us"], sum(waits) // len(waits))
                self.assertEqual(metrics["p99_wait_us"], waits[-(-99 * len(waits) // 100) - 1])
                self.assertEqual(metrics["max_wait_us"], waits[-1])

    def test_all(self) -> None:
        """One CPU and three, little and much load, with and without a cost of switches."""
        rng = random.Random(5)
        for number in range(6):
            jobs = someJobs(130, seed=number, gap=rng.choice((10, 40, 120)))
            settings = {
                "cpus": rng.choice((1, 1, 3)),
                "switch_us": rng.choice((0, 1, 3)),
                "tick_us": rng.choice((4, 9)),
                "quantum_us": rng.choice((9, 16, 50)),
            }
            for name in POLICIES:
                self.compare(name, jobs, **settings)

    def test_boost(self) -> None:
        """So many short quanta that MLFQ puts all tasks back to the top, some of them many levels up."""
        self.compare("mlfq", someJobs(300, seed=3, gap=20), tick_us=4, quantum_us=4)

    def test_rank(self) -> None:
        """The rank function `attained` is LAS whose timers grow without end."""
        jobs = someJobs(160)
        for cpus in (1, 3):
            scenario = smallScenario(self.folder, jobs, cpus=cpus, quantum_us=1 << 40)
            results = expected(scenario, jobs, "las")
            for split, score in scenario.measure(rank("attained")).splits.items():
                self.assertEqual(score.score, sum(slowdown for _, slowdown in results[split]))


class KnownTests(SynchronousTestCase):
    """Answers reckoned by hand: one CPU, switches cost nothing, ticks are 4 long and quanta 8, no estimates."""

    GROUP = ((0, 20), (2, 4), (3, 10))
    """A comes at 0 and has to run for 20, B comes at 2 for 4, C at 3 for 10; then for long nobody does."""

    def scenario(self, group: tuple[tuple[int, int], ...]) -> ProcessManagerScenario:
        """The same again and again, so that what is to be learned of A, B and C is known."""
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        jobs = [Job(1000 * i + at, run, f"g/{number}") for i in range(40) for number, (at, run) in enumerate(group)]
        return smallScenario(folder, jobs, tick_us=4, quantum_us=8, switch_us=0, bound_us=1)

    def responses(self, name: str, group: tuple[tuple[int, int], ...] = GROUP) -> list[int]:
        """From when they came till they were done, the last time."""
        scenario = self.scenario(group)
        scenario.measure(workbench.baselineModule(name))
        (arena,) = scenario.machine._idle
        waits = arena.memory.read(arena.at["wait"], 3 * 40, "<u8")[-3:].tolist()
        return [wait + run for wait, (_, run) in zip(waits, group, strict=True)]

    def test_fcfs(self) -> None:
        """A until 20, B until 24, C until 34."""
        self.assertEqual(self.responses("fcfs"), [20, 22, 31])

    def test_rr(self) -> None:
        """A until 11, when a timer ends and its quantum is used up; B until 15, C until 23, A until 31, C, A."""
        self.assertEqual(self.responses("rr"), [34, 13, 30])

    def test_mlfq(self) -> None:
        """As round robin until 23; then A and C are a level lower, where 16 are allotted: A until 32, C."""
        self.assertEqual(self.responses("mlfq"), [32, 13, 31])

    def test_las(self) -> None:
        """A until 2, B until 3, C until 7, B until 10, A until 14, C until 18, A until 22, C until 24, A."""
        self.assertEqual(self.responses("las"), [34, 8, 21])

    def test_sjf(self) -> None:
        """A until 2, B until 6, C until 16, A."""
        self.assertEqual(self.responses("sjf"), [34, 4, 13])

    def test_hrrn(self) -> None:
        """A comes at 0 for 20, B at 1 for 16, C at 2 for 2.  At 20 C's ratio is 9 and B's 19 / 16."""
        self.assertEqual(self.responses("hrrn", ((0, 20), (1, 16), (2, 2))), [20, 37, 20])

    def test_cfs(self) -> None:
        """A until 11, when it is more than a quantum ahead of B, who started at 2; B until 15, C until 25, A."""
        self.assertEqual(self.responses("cfs"), [34, 13, 22])

    def test_eevdf(self) -> None:
        """
        A until 3, B until 7, C until 11, A until 15, C until 19, A until 23, C until 25, A.

        At 3 virtual time is 7 / 3: A, at 3, has to wait, and of B and C, both due at 10, B came first.  From then on
        whoever has run is ahead of the mean of two.
        """
        self.assertEqual(self.responses("eevdf"), [34, 5, 22])

    def test_srpt(self) -> None:
        """A until 2, B until 6, C until 16, A: slowdowns of 34 / 20, 1 and 13 / 10."""
        self.assertEqual(
            self.scenario(self.GROUP).optimum(), {"train": 16 * 4000, "validation": 4 * 4000, "held_out": 20 * 4000}
        )
