"""
Three sites, each with a family that the others lack: connected, alone, and with all families from the start.

The families that come with kernelnet are taken apart: one site has ``reuse_interval``, one the templates of queues, one
genetic programming.  The tasks of all traces are dealt among them, with each seed anew: whether there is anything to
gain on a task depends on whose it is.  A site goes round its tasks, and takes what it knows from the trainer's own
knowledge base, as a trainer does: after each round the connected ones have what the others' guards accepted: the best
few are tried as they are before a search, and each carries its family.  (That it was confirmed is taken for granted
here: it is true by construction, and what verdicts cost is another script's matter.  Patterns and building blocks
aren't shared.)  Each arm has the same number of evaluations on each task; what is tried counts, what the guard measures
does not.

There are two readings, both on held-out data of the trace as it is.  *Claimed*: of what the guard accepted, the best on
validation; where it accepted nothing, of the hand-made policy chosen on train.  *To use*: what ``kernelnet recommend``
says with the components that the site knows of, and what it has accepted itself beside that, by validation.

What a seed and an arm gave is appended to a file (``--kept``), and not measured again: a run that was ended goes on.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import hashlib
import json
import math
import os
import random
import statistics
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any, cast

from harness import Table, machine
from recommend import HOUR, LARGE, SHARED, interval
from results import publish

import kernelnet
from kernelnet.artifacts import Candidate, Carrier, Component, Report, Verdict
from kernelnet.generators.search import Search, templates
from kernelnet.generators.templates.delay_target import DELAY_TARGET
from kernelnet.generators.templates.parameters import Template
from kernelnet.generators.templates.reuse_interval import REUSE_INTERVAL
from kernelnet.generators.templates.sized_queues import SIZED_QUEUES
from kernelnet.generators.templates.two_queues import TWO_QUEUES
from kernelnet.interfaces import IScenario, IWorkbench
from kernelnet.learning.family_trials import FamilyTrials
from kernelnet.learning.goal import Goal
from kernelnet.learning.hindsight import bestOverBoth, chosenOnTrain
from kernelnet.learning.known_settings import choose, chooseToUse, fewOf
from kernelnet.learning.search_run import SearchRun
from kernelnet.learning.tasks import bestKnown
from kernelnet.plugins import find
from kernelnet.trainer.storage.database import Changes
from kernelnet.trainer.storage.knowledge_base import KnowledgeBase
from kernelnet.trainer.work.family_selection import FamilySelection
from kernelnet.workbench.engine import cores
from kernelnet.workbench.errors import TraceError

EVALUATIONS, ROUNDS, SEEDS = 360, 3, 10
"""Of each task in an arm, in so many rounds; for so many seeds."""

SITES: tuple[tuple[str, Sequence[Template], bool], ...] = (
    ("A", (REUSE_INTERVAL,), False),
    ("B", (TWO_QUEUES, SIZED_QUEUES, DELAY_TARGET), False),
    ("C", (), True),
)
"""Name of each site, its templates, and whether it has genetic programming."""

ARMS = (ALONE := "alone", CONNECTED := "connected", WHOLE := "all families")

READINGS = (CLAIMED := "claimed", USED := "to use")

KEPT = Path(__file__).with_name("families.jsonl")
"""What was measured so far, for whoever goes on."""

MEASURED = ("expressions", "families.py", "generators", "learning", "workbench", "trainer/work/family_selection.py")
"""Parts of kernelnet that decide a level: what an older version of them gave is measured again."""

INTRODUCTION = """\
Written by ``families.py --publish``: three sites, with reuse_interval, with templates of queues and with genetic
programming; the tasks are dealt among them with each seed anew. Alone, connected (after each round every site has what
the others' guards accepted, to be tried as it is and as a family to tune), and with all families from the start. The
same evaluations on each task in each arm; what the guard measures is not counted. Levels on held-out data. *Claimed*:
of what the guard accepted, and where it accepted nothing, of the hand-made policy chosen on train. *To use*: of what
``kernelnet recommend`` says with the components that the site knows of, beside what it accepted itself. The mean over
seeds of each task, then over tasks, with a 95 % interval by resampling traces; the sign test is over tasks, those that
are the same in both left out, and again over traces, since the sizes of one trace are much alike.\
"""


@dataclass
class Task:
    """
    @ivar site: number of whose it is.
    @ivar memory: of the search on it; C{tried}: modules of others that were tried as they are.
    @ivar best: what the guard accepted, with its score on validation.
    """

    scenario: IScenario
    site: int
    memory: dict[str, Any] = field(default_factory=dict)
    tried: set[bytes] = field(default_factory=set)
    best: Component | None = None
    score: float = math.inf

    def keep(self, component: Component) -> None:
        """One that the guard accepted, if it is the best so far."""
        score = self.validation(component)
        if score < self.score:
            self.best, self.score = component, score

    def validation(self, component: Component) -> int:
        return self.scenario.measure(component.wasm, upTo="validation").splits["validation"].score

    def level(self, component: Component | None, instead: str) -> float:
        """On held-out; without a component of the hand-made policy C{instead}."""
        scenario = self.scenario
        report = scenario.baselines()[instead] if component is None else scenario.measure(component.wasm)
        return scenario.developmentLevel(report)


class Site:
    """A trainer's generator and knowledge, and what it does with them on one of its tasks."""

    def __init__(self, at: int, arm: str, jobs: int) -> None:
        self.name, some, genetic = SITES[at]
        self.generator = Search() if arm == WHOLE else Search(templates=some, genetic=genetic)
        self._trials = FamilyTrials()
        # It is never loaded nor written.
        self._knowledge = KnowledgeBase(self.name, None)  # type: ignore[arg-type]
        self._families = FamilySelection(self.name, self._knowledge)
        self._jobs = jobs

    def learn(self, author: str, component: Component, level: float) -> None:
        """A component that this site accepted, or that it confirmed.  @param level: on validation."""
        self._knowledge.addComponent(author, component, Changes(), level)
        self._knowledge.judge(component.digest, Verdict.CONFIRMED, Changes(), level)

    def work(self, task: Task, evaluations: int, seed: int) -> list[Component]:
        """A round on a task.  @return: what the guard accepted."""
        accepted: list[Component] = []
        scenario = task.scenario
        parents = [known.component for known in self._knowledge.usable()]
        new = [one for one in fewOf(self._families.shared()) if one.wasm not in task.tried]
        if new:
            task.tried.update(one.wasm for one in new)
            known = bestKnown(scenario, parents)
            choice = choose(scenario, None, new, seconds=HOUR, jobs=self._jobs, known=known)
            if choice.component is not None:
                accepted.append(choice.component)
                parents.insert(0, choice.component)
        run = SearchRun(
            scenario,
            self.generator,
            Goal(
                scenario.workbench.name,
                HOUR,
                parents=parents,
                carriers=self._trials.worthTrying(self._families.carriers()),
            ),
            seed=seed,
            evaluations=max(1, evaluations - len(new)),
            jobs=self._jobs,
            memory=task.memory,
            onTried=self._trials.tried,
        )
        candidate = run.search()
        component = None if candidate is None else judged(run, candidate, bestKnown(scenario, parents))
        return accepted if component is None else [*accepted, component]

    def toUse(self, task: Task) -> float:
        """Level of what the site is told to use, without another search."""
        scenario = task.scenario
        newest = [*self._knowledge.components.values()][::-1]
        # As the command has them: those of this very trace first.
        newest.sort(key=lambda one: cast(Report, one.component.claim).trace_digest != scenario.traceDigest)
        few = fewOf(Carrier(one.component, one.source) for one in newest)
        use = chooseToUse(scenario, self.generator, few, seconds=HOUR, jobs=self._jobs).component
        if use is None or (task.best is not None and task.score <= task.validation(use)):
            use = task.best
        return task.level(use, bestOverBoth(scenario))


_judged: dict[tuple[str, tuple[tuple[str, int], ...], str, str], Component | None] = {}


def judged(run: SearchRun, candidate: Candidate, known: Component | None) -> Component | None:
    """What the guard says, once of each: in its first round a connected site finds what it finds alone."""
    settings = tuple(run.scenario.settings.items())
    key = run.scenario.traceDigest, settings, candidate.source, known.digest if known is not None else ""
    if key not in _judged:
        _judged[key] = run.judge(candidate, known=known)[0]
    return _judged[key]


def run(
    arm: str, dealt: Sequence[tuple[IScenario, int]], *, evaluations: int, rounds: int, seed: int, jobs: int
) -> dict[str, list[float]]:
    """An arm with one seed.  @return: by reading, the level of each task."""
    tasks = [Task(scenario, site) for scenario, site in dealt]
    sites = [Site(at, arm, jobs) for at in range(len(SITES))]
    rng = random.Random(seed)
    for _ in range(rounds):
        found: list[tuple[int, Component, float]] = []
        for task in tasks:
            for component in sites[task.site].work(task, evaluations // rounds, rng.getrandbits(31)):
                met = task.scenario.forModule(component.wasm)
                level = met.developmentLevel(cast(Report, component.claim), "validation")
                sites[task.site].learn(sites[task.site].name, component, level)
                found.append((task.site, component, level))
                task.keep(component)
        if arm == CONNECTED:
            for author, component, level in found:
                for site in sites:
                    if site is not sites[author]:
                        site.learn(sites[author].name, component, level)
    return {
        CLAIMED: [task.level(task.best, chosenOnTrain(task.scenario)) for task in tasks],
        USED: [sites[task.site].toUse(task) for task in tasks],
    }


def signTest(wins: int, losses: int) -> float:
    """Two-sided p that as many of the tasks that differ would be won by chance."""
    count = wins + losses
    tail = sum(math.comb(count, k) for k in range(max(wins, losses), count + 1)) / 2**count
    return float(min(1.0, 2 * tail))


def compared(ours: Sequence[float], theirs: Sequence[float], traces: Sequence[str]) -> list[str]:
    """@param traces: of each task."""
    gains = [a - b for a, b in zip(ours, theirs, strict=True)]
    low, high = interval(gains, traces)
    byTrace = [statistics.fmean(g for g, of in zip(gains, traces, strict=True) if of == trace) for trace in set(traces)]
    told = [f"{statistics.fmean(gains):+.3f}", f"{low:+.3f} to {high:+.3f}"]
    for each in (gains, byTrace):
        wins, losses = (sum(sign * gain > 1e-9 for gain in each) for sign in (1, -1))
        told += [f"{wins} : {losses}", f"{signTest(wins, losses):.4f}"]
    return told


def able(bench: IWorkbench) -> list[int]:
    """The sites that have a family for a bench."""
    fit = {template.name for template in templates() if template.isFor(bench.name, bench.abis)}
    ranks = any(abi.function for abi in bench.abis)
    return [
        at for at, (_, some, genetic) in enumerate(SITES) if (genetic and ranks) or fit & {one.name for one in some}
    ]


@dataclass(frozen=True)
class Plan:
    """What is to be measured with one seed, by a process of its own."""

    workbench: str
    tasks: tuple[tuple[str, Mapping[str, int]], ...]
    evaluations: int
    rounds: int
    seed: int
    jobs: int
    arms: tuple[str, ...]
    kept: Path
    key: str
    version: str

    def dealt(self, bench: IWorkbench) -> list[tuple[IScenario, int]]:
        sites = able(bench)
        return [
            (bench.scenario(Path(path), settings), sites[(at + self.seed) % len(sites)])
            for at, (path, settings) in enumerate(self.tasks)
        ]

    def measure(self) -> None:
        """The arms one after the other: they measure much that is the same."""
        os.nice(5)
        bench = find(IWorkbench, self.workbench, "workbench")
        dealt = self.dealt(bench)
        for scenario, _ in dealt:
            vars(scenario)["measure"] = functools.cache(scenario.measure)
            vars(scenario)["measureWindows"] = functools.cache(scenario.measureWindows)
        for arm in self.arms:
            began = time.monotonic()
            much = {"evaluations": self.evaluations, "rounds": self.rounds, "seed": self.seed, "jobs": self.jobs}
            levels = run(arm, dealt, **much)
            row = {
                "key": self.key,
                "version": self.version,
                "seed": self.seed,
                "arm": arm,
                "sites": [site for _, site in dealt],
                **levels,
            }
            with self.kept.open("a") as file:  # a line in one go: several processes append
                file.write(f"\n{json.dumps(row)}\n")
            means = ", ".join(f"{reading} {statistics.fmean(levels[reading]):.4f}" for reading in READINGS)
            took = time.monotonic() - began
            print(f"seed {self.seed} {arm}: {means}; {took:.0f} s", file=sys.stderr, flush=True)


def versionOf() -> str:
    """Digest of the code that decides a level."""
    root = Path(kernelnet.__file__).parent
    found = hashlib.sha256()
    for name in MEASURED:
        where = root / name
        for path in sorted(where.rglob("*")) if where.is_dir() else [where]:
            if path.suffix in (".py", ".c", ".h"):
                found.update(f"{path.relative_to(root)}\n".encode() + path.read_bytes())
    return found.hexdigest()[:16]


def keptRows(kept: Path, key: str, version: str | None) -> dict[tuple[int, str], dict[str, Any]]:
    """What was measured before, by seed and arm.  @param version: of the code; C{None}: any, the last counts."""
    rows = []
    for line in kept.read_text().splitlines() if kept.exists() else []:
        # A run that was ended while it wrote leaves a part of a line.
        with contextlib.suppress(json.JSONDecodeError):
            rows += [row for row in [json.loads(line)] if row["key"] == key and version in (None, row["version"])]
    return {(row["seed"], row["arm"]): row for row in rows}


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
    parser.add_argument("--shared", type=Path, default=SHARED, help="folder of shared traces, by workbench")
    parser.add_argument("--processes", type=int, default=cores(), help="so many seeds at once")
    parser.add_argument("--kept", type=Path, default=KEPT, help="file of what was measured")
    parser.add_argument("--older", action="store_true", help="take what older versions of the code gave, too")
    parser.add_argument("--publish", action="store_true", help="write RESULTS.rst's section")
    given = parser.parse_args()
    bench = find(IWorkbench, given.workbench, "workbench")
    plans = planned(given, bench)
    began = time.monotonic()
    missing = [plan for plan in plans if plan.arms]
    # Each seed in a process that ends with it: so does all that it keeps.
    with ProcessPoolExecutor(given.processes, get_context("spawn"), max_tasks_per_child=1) as pool:
        waiting = [pool.submit(_measure, plan, began + 60 * given.minutes) for plan in missing]
        for future in waiting:
            future.result()
    text = told(given, bench, plans)
    print(text)
    if given.publish:
        name, title, words = "families", "Families", INTRODUCTION
        if bench.name != "file_system":
            name, title = f"families_{bench.name}", f"Families, {bench.name}"
            words = f"As above, written by ``families.py --workbench {bench.name} --publish``."
        publish(name, "\n".join([title, "-" * len(title), "", words, "", text]))


def _measure(plan: Plan, until: float) -> None:
    if time.monotonic() < until:
        plan.measure()


def planned(given: argparse.Namespace, bench: IWorkbench) -> list[Plan]:
    """By seed; its arms are those that weren't measured before."""
    folder = given.shared / given.workbench
    files = sorted(path for path in folder.glob("*") if path.is_file()) if folder.is_dir() else []
    tasks: list[tuple[str, Mapping[str, int]]] = []
    named: list[object] = [given.evaluations, given.rounds]
    for path in given.traces or [*bench.traces(), *files]:
        try:
            scenario = bench.scenario(path, {})
            if not given.all and sum(scenario.events.values()) > LARGE:
                continue
            for settings in list(bench.tasks(path))[: given.settings]:
                tasks.append((str(path), settings))
                named.append([scenario.traceDigest, settings])
        except TraceError:
            continue
    if not tasks:
        raise SystemExit(f"no traces of {given.workbench} in {folder}; name some, or --shared FOLDER")
    if len(able(bench)) < 2:
        raise SystemExit(f"{given.workbench} has one family only: no site lacks what another has")
    key = hashlib.sha256(json.dumps(named).encode()).hexdigest()[:16]
    version = versionOf()
    rows = keptRows(given.kept, key, None if given.older else version)
    jobs = max(1, cores() // given.processes)
    return [
        Plan(
            given.workbench,
            tuple(tasks),
            given.evaluations,
            given.rounds,
            seed,
            jobs,
            tuple(arm for arm in ARMS if (seed, arm) not in rows),
            given.kept,
            key,
            version,
        )
        for seed in range(1, given.seeds + 1)
    ]


def told(given: argparse.Namespace, bench: IWorkbench, plans: Sequence[Plan]) -> str:
    """The tables, of the seeds of which all arms are there."""
    rows = keptRows(given.kept, plans[0].key, None if given.older else plans[0].version)
    seeds = [plan.seed for plan in plans if all((plan.seed, arm) in rows for arm in ARMS)]
    if not seeds:
        raise SystemExit("no seed was measured in all arms: give it more --minutes")
    scenarios = [scenario for scenario, _ in plans[0].dealt(bench)]
    traces = [scenario.traceDigest for scenario in scenarios]
    means = {
        (reading, arm): _means([rows[seed, arm][reading] for seed in seeds]) for reading in READINGS for arm in ARMS
    }
    parts: list[Table] = []
    for reading in READINGS:
        columns = ["", "level", "beside alone", "95 %", "tasks", "sign test", "traces", "sign test"]
        shown = Table(f"Sites with a family each, {given.workbench}, {reading}", columns)
        for arm in ARMS:
            ours = means[reading, arm]
            than = compared(ours, means[reading, ALONE], traces) if arm != ALONE else [""] * 6
            shown.rows.append([arm, f"{statistics.fmean(ours):.3f}", *than])
        beside = compared(means[reading, CONNECTED], means[reading, WHOLE], traces)
        shown.remarks.append(f"Connected beside all families: {beside[0]} ({beside[1]}; tasks {beside[2]}).")
        shown.remarks.append(f"Connected beside alone, by whose task it is: {_bySite(rows, seeds, reading)}.")
        parts.append(shown)
    each = Table(f"By task, {given.workbench}", ["task", *ARMS, *(f"{arm}, {USED}" for arm in ARMS)])
    for at, scenario in enumerate(scenarios):
        name = f"{scenario.trace} {' '.join(map(str, scenario.settings.values()))}"
        each.rows.append([name, *(f"{means[reading, arm][at]:.3f}" for reading in READINGS for arm in ARMS)])
    facts = dict(machine())
    versions = sorted({rows[seed, arm]["version"] for seed in seeds for arm in ARMS})
    about = (
        f"{given.workbench}: {len(scenarios)} tasks of {len(set(traces))} traces, {given.evaluations} evaluations on"
        f" each in {given.rounds} rounds, seeds {', '.join(map(str, seeds))},"
        f" by the code's version {' and '.join(versions)}; "
        + "; ".join(f"{what} {facts[what]}" for what in ("CPU", "Load", "Date"))
    )
    return "\n\n".join([about, *map(str, [*parts, each])])


def _means(levels: Iterable[Sequence[float]]) -> list[float]:
    return [statistics.fmean(column) for column in zip(*levels, strict=True)]


def _bySite(rows: Mapping[tuple[int, str], dict[str, Any]], seeds: Sequence[int], reading: str) -> str:
    gains: dict[int, list[float]] = {}
    for seed in seeds:
        ours, alone = rows[seed, CONNECTED], rows[seed, ALONE]
        for site, level, before in zip(ours["sites"], ours[reading], alone[reading], strict=True):
            gains.setdefault(site, []).append(level - before)
    return ", ".join(f"{SITES[site][0]} {statistics.fmean(gains[site]):+.3f}" for site in sorted(gains))


if __name__ == "__main__":
    main()
