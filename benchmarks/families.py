"""
Three sites, each with a family that the others lack: connected, alone, and with all families from the start.

The families that come with kernelnet are taken apart: one site has ``reuse_interval``, one the templates of queues, one
genetic programming.  The tasks of all traces are dealt among them.  A site goes round its tasks; after each round the
connected ones have what the others' guards accepted: the best few are tried as they are, as a trainer does before it
searches, and each is its family's carrier, as a peer's confirmed component is.  (That it was confirmed is taken for
granted here: it is true by construction, and what verdicts cost is another script's matter.)  Each arm has the same
number of evaluations on each task; what is tried counts.

The level is that on held-out data of the trace as it is, of what the guard accepted, the best on validation; where it
accepted nothing, of the hand-made policy chosen on train.
"""

from __future__ import annotations

import argparse
import functools
import math
import random
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import Table, machine
from recommend import HOUR, LARGE, SHARED, interval
from results import publish

from kernelnet.artifacts import Candidate, Carrier, Component
from kernelnet.families import familyOf
from kernelnet.generators.search import Search, templates
from kernelnet.generators.templates.delay_target import DELAY_TARGET
from kernelnet.generators.templates.parameters import Template
from kernelnet.generators.templates.reuse_interval import REUSE_INTERVAL
from kernelnet.generators.templates.sized_queues import SIZED_QUEUES
from kernelnet.generators.templates.two_queues import TWO_QUEUES
from kernelnet.interfaces import IScenario, IWorkbench
from kernelnet.learning.acceptance import accept
from kernelnet.learning.family_trials import FamilyTrials
from kernelnet.learning.goal import Goal
from kernelnet.learning.hindsight import chosenOnTrain
from kernelnet.learning.known_settings import choose, fewOf
from kernelnet.learning.search_run import SearchRun
from kernelnet.plugins import find
from kernelnet.workbench.engine import cores
from kernelnet.workbench.errors import TraceError

EVALUATIONS, ROUNDS, SEEDS = 600, 3, 10
"""Of each task in an arm, in so many rounds; for so many seeds."""

SITES: tuple[tuple[str, Sequence[Template], bool], ...] = (
    ("A", (REUSE_INTERVAL,), False),
    ("B", (TWO_QUEUES, SIZED_QUEUES, DELAY_TARGET), False),
    ("C", (), True),
)
"""Name of each site, its templates, and whether it has genetic programming."""

ARMS = (ALONE := "alone", CONNECTED := "connected", WHOLE := "all families")

INTRODUCTION = """\
Written by ``families.py --publish``: three sites, with reuse_interval, with templates of queues and with genetic
programming, each on its own third of the tasks; alone, connected (after each round every site has what the others'
guards accepted, to be tried as it is and as a family to tune), and with all families from the start. The same
evaluations on each task in each arm. Levels on held-out data, where the guard accepted nothing of the hand-made policy
chosen on train; the mean over
seeds of each task, then over tasks, with a 95 % interval by resampling tasks; the sign test is over tasks.\
"""


@dataclass
class Task:
    """
    @ivar site: name of whose it is.
    @ivar memory: of the search on it; C{tried}: modules of others that were tried as they are.
    @ivar best: what the guard accepted, with its score on validation.
    """

    scenario: IScenario
    site: int
    memory: dict[str, Any] = field(default_factory=dict)
    tried: set[bytes] = field(default_factory=set)
    best: Component | None = None
    score: float = math.inf

    def keep(self, component: Component | None) -> None:
        """One that the guard accepted, if it is the best so far."""
        if component is None:
            return
        report = self.scenario.measure(component.wasm, upTo="validation")
        score = report.splits["validation"].score
        if score < self.score:
            self.best, self.score = component, score

    def tryShared(self, shared: Sequence[Carrier]) -> int:
        """The best few that others shared since, as a trainer tries them.  @return: so many were measured."""
        new = [one for one in fewOf(shared) if one.wasm not in self.tried]
        if not new:
            return 0
        self.tried.update(one.wasm for one in new)
        choice = choose(self.scenario, None, new, seconds=HOUR, jobs=cores(), known=self.best)
        self.keep(choice.component)
        return len(new)

    def level(self) -> float:
        scenario = self.scenario
        if self.best is None:
            return scenario.developmentLevel(scenario.baselines()[chosenOnTrain(scenario)])
        return scenario.developmentLevel(scenario.measure(self.best.wasm))


def run(arm: str, dealt: Sequence[tuple[IScenario, int]], evaluations: int, rounds: int, seed: int) -> list[float]:
    """An arm with one seed.  @return: by task, its level."""
    tasks = [Task(scenario, site) for scenario, site in dealt]
    trials = [FamilyTrials() for _ in SITES]
    rng = random.Random(seed)
    shared: list[Carrier] = []
    for _ in range(rounds):
        found: list[Carrier] = []
        for task in tasks:
            name, templates, genetic = SITES[task.site]
            generator = Search() if arm == WHOLE else Search(templates=templates, genetic=genetic)
            theirs = [one for one in shared if one.owner != name] if arm == CONNECTED else []
            left = evaluations // rounds - task.tryShared(theirs)
            search = SearchRun(
                task.scenario,
                generator,
                Goal(task.scenario.workbench.name, HOUR, carriers=trials[task.site].worthTrying(carriers(theirs))),
                seed=rng.getrandbits(31),
                evaluations=left,
                jobs=cores(),
                memory=task.memory,
                onTried=trials[task.site].tried,
            )
            candidate = search.search()
            if candidate is None:
                continue
            component = judged(task.scenario, candidate)
            task.keep(component)
            if component is not None:
                family = familyOf(component.implementation)
                found.append(Carrier(component, name, family.digest if family is not None else ""))
        # The newest first: of an owner's the last is the best that it has.
        shared = [*reversed(found), *shared]
    return [task.level() for task in tasks]


def carriers(shared: Sequence[Carrier]) -> list[Carrier]:
    """Of each family the component that was the first."""
    first: dict[str, Carrier] = {}
    for one in reversed(shared):
        if one.family:
            first.setdefault(one.family, one)
    return [*first.values()]


_judged: dict[tuple[str, tuple[tuple[str, int], ...], str], Component | None] = {}


def judged(scenario: IScenario, candidate: Candidate) -> Component | None:
    """What the guard says, once of each: a search often ends with what it had a round ago, and so do several arms."""
    key = scenario.traceDigest, tuple(scenario.settings.items()), candidate.source
    if key not in _judged:
        _judged[key] = accept(scenario, candidate, generator="search", seed=0)[0]
    return _judged[key]


def signTest(wins: int, losses: int) -> float:
    """Two-sided p that as many of the tasks that differ would be won by chance."""
    count = wins + losses
    tail = sum(math.comb(count, k) for k in range(max(wins, losses), count + 1)) / 2**count
    return float(min(1.0, 2 * tail))


def compared(ours: Sequence[float], theirs: Sequence[float]) -> list[str]:
    gains = [a - b for a, b in zip(ours, theirs, strict=True)]
    low, high = interval(gains)
    wins, losses = (sum(sign * gain > 1e-9 for gain in gains) for sign in (1, -1))
    return [
        f"{statistics.fmean(gains):+.3f}",
        f"{low:+.3f} to {high:+.3f}",
        f"{wins} : {losses}",
        f"{signTest(wins, losses):.3f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("traces", nargs="*", type=Path, help="default: those that ship, and shared ones")
    parser.add_argument("--workbench", default="file_system")
    parser.add_argument("--evaluations", type=int, default=EVALUATIONS, help="on each task in an arm")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--minutes", type=float, default=1e6, help="begin no other seed after so long")
    parser.add_argument("--settings", type=int, default=None, help="so many of each trace [default: all]")
    parser.add_argument("--all", action="store_true", help="large traces, too")
    parser.add_argument("--publish", action="store_true", help="write RESULTS.rst's section")
    given = parser.parse_args()
    bench = find(IWorkbench, given.workbench, "workbench")
    folder = SHARED / given.workbench
    files = sorted(path for path in folder.glob("*") if path.is_file()) if folder.is_dir() else []
    scenarios: list[IScenario] = []
    for path in given.traces or [*bench.traces(), *files]:
        try:
            if given.all or sum(bench.scenario(path, {}).events.values()) <= LARGE:
                scenarios += [bench.scenario(path, settings) for settings in list(bench.tasks(path))[: given.settings]]
        except TraceError:
            continue
    able = [at for at, (_, templates, genetic) in enumerate(SITES) if genetic or _fit(templates, bench)]
    dealt = [(scenario, able[at % len(able)]) for at, scenario in enumerate(scenarios)]
    for scenario in scenarios:  # arms measure much that is the same
        vars(scenario)["measure"] = functools.cache(scenario.measure)
        vars(scenario)["measureWindows"] = functools.cache(scenario.measureWindows)
    levels: dict[str, list[list[float]]] = {arm: [] for arm in ARMS}
    began, seeds = time.monotonic(), 0
    for seed in range(1, given.seeds + 1):
        if seeds and time.monotonic() - began > 60 * given.minutes:
            break
        seeds = seed
        for arm in ARMS:
            levels[arm].append(run(arm, dealt, given.evaluations, given.rounds, seed))
            mean = statistics.fmean(levels[arm][-1])
            print(f"seed {seed} {arm}: {mean:.4f}", file=sys.stderr, flush=True)
    means = {arm: [statistics.fmean(column) for column in zip(*levels[arm], strict=True)] for arm in ARMS}
    whole = Table("Sites with a family each", ["", "level", "beside alone", "95 %", "won : lost", "sign test"])
    for arm in ARMS:
        than = compared(means[arm], means[ALONE]) if arm != ALONE else [""] * 4
        whole.rows.append([arm, f"{statistics.fmean(means[arm]):.3f}", *than])
    difference = compared(means[CONNECTED], means[WHOLE])
    whole.remarks.append(f"Connected beside all families: {difference[0]} ({difference[1]}; {difference[2]}).")
    each = Table("By task", ["task", "site", *ARMS])
    for at, (scenario, site) in enumerate(dealt):
        name = f"{scenario.trace} {' '.join(map(str, scenario.settings.values()))}"
        each.rows.append([name, SITES[site][0], *(f"{means[arm][at]:.3f}" for arm in ARMS)])
    facts = dict(machine())
    about = (
        f"{given.workbench}: {len(dealt)} tasks of {len({scenario.trace for scenario in scenarios})} traces,"
        f" {given.evaluations} evaluations on each in {given.rounds} rounds, {seeds} seeds; "
        + "; ".join(f"{what} {facts[what]}" for what in ("CPU", "Load", "Date"))
    )
    text = "\n".join([about, "", str(whole), "", str(each)])
    print(text)
    if given.publish:
        publish("families", "\n".join(["Families", "--------", "", INTRODUCTION, "", text]))


def _fit(ours: Sequence[Template], bench: IWorkbench) -> bool:
    return any(template.isFor(bench.name, bench.abis) for template in ours if template in templates())


if __name__ == "__main__":
    main()
