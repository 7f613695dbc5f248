"""Hand-made schedulers: known answers, and those of another simulator."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
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

    def test_rank(self) -> None:
        """The rank function `attained` is LAS whose timers grow without end."""
        jobs = someJobs(160)
        for cpus in (1, 3):
            scenario = smallScenario(self.folder, jobs, cpus=cpus, quantum_us=1 << 40)
            results = expected(scenario, jobs, "las")
            for split, score in scenario.measure(rank("attained")).splits.items():
                self.assertEqual(score.score, sum(slowdown for _, slowdown in results[split]))


class Known(SynchronousTestCase):
    """Known answers, reckoned by hand."""

    # Of a group of tasks like this, far from the next, times are in microseconds:
    # A comes at 0 and runs for 20, B comes at 2 and runs for 4, C comes at 3 and runs for 10.
    GROUP = ((0, 20), (2, 4), (3, 10))

    def responses(self, name: str, group: tuple[tuple[int, int], ...] = GROUP, **settings: int) -> list[int]:
        """Of the group's last repetition."""
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        jobs = [
            Job(1000 * i + at, run, f"g/{number}")
            for i in range(120 // len(group))
            for number, (at, run) in enumerate(group)
        ]
        jobs = [*jobs, *(Job(10**6 + 1000 * i, 1) for i in range(max(0, 100 - len(jobs))))]
        given = {"tick_us": 4, "quantum_us": 8, "switch_us": 0, "bound_us": 1, **settings}
        scenario = smallScenario(folder, jobs, **given)
        if name == "srpt":
            scenario.optimum()
        module = workbench.baselineModule(name)
        scenario.measure(module)
        (arena,) = scenario.machine._idle
        waits = arena.memory.read(arena.at["wait"], len(jobs), "<u8")
        last = len(group) * (120 // len(group) - 1)
        runs = np.array([job.run for job in jobs])
        return [int(wait + run) for wait, run in zip(waits, runs, strict=True)][last : last + len(group)]

    def test_fcfs(self) -> None:
        """A until 20, B until 24, C until 34."""
        self.assertEqual(self.responses("fcfs"), [20, 22, 31])
