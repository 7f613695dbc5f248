"""
What is known, tried on a trace without a search, beside what a search of its own finds there.

Each task is a new site's: it has the settings that ship, and components that other sites' searches have found, none of
them on its own trace.  `kernelnet.learning.known_settings.choose` is the product's own, which ``kernelnet recommend``
and a trainer's first round call.  All figures are levels on held-out data of the trace as it is, less that of the
hand-made policy chosen on train; nothing that is decided here has seen held-out.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from harness import Table, machine
from results import publish

from kernelnet.artifacts import Carrier, Component
from kernelnet.generators.search import Search
from kernelnet.interfaces import IScenario, IWorkbench
from kernelnet.learning.goal import Goal
from kernelnet.learning.hindsight import bestInHindsight, chosenOnTrain
from kernelnet.learning.known_settings import Tried, choose, fewOf
from kernelnet.learning.search_run import SearchRun
from kernelnet.learning.significance import isSignificantlyBetter
from kernelnet.learning.tasks import described
from kernelnet.plugins import find
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.engine import cores
from kernelnet.workbench.errors import TraceError

EVALUATIONS = 300
"""Of a site's own search on a task."""

LARGE = 1_000_000
"""Traces with more events are left out, but for C{--all}."""

HOUR = 3600.0
SAME = 1e-9
RESAMPLES = 10_000

SHARED = Path(__file__).resolve().parents[2] / "shared" / "traces"

ARMS = (
    HAND := "hand-made, best on validation",
    KNOWN_ALONE := "known settings",
    BOTH := "known settings and shared ones",
    SHARED_ALONE := "shared ones alone",
    OWN := "its own search",
    BESIDE := "its own search, and these beside it",
    UNGUARDED := "known and shared, unguarded",
    BETTER := "known and shared, better on validation",
    STUDENT := "known and shared, Student's test on the trace alone",
)

INTRODUCTION = """\
Written by ``recommend.py --publish``: on each task, by the product's own code, what a new site gets from the settings
that ship and from at most five components that were found on other traces, each trace's its own owner's; beside what
its own search gets. The gain is that of the level on held-out data over the hand-made policy chosen on train; mean over
tasks, with a 95 % interval by resampling tasks. A loss is a task on which it is below 0. Where the guard refuses, the
hand-made policy chosen on train is recommended; the first line is what another would be worth, the best on validation.
The last three lines are without the guard: the best on train and validation, whatever it is; the same if it is better
on validation than the hand-made policy chosen on train; or if Student's test says so of every hand-made policy, on
the trace as it is and not on variants. Seconds: the median of trying on one task.\
"""


@dataclass
class Site:
    """
    A task, and all that is found on it.

    @ivar hand: level of the hand-made policy chosen on train; C{gains}: by arm.
    @ivar trying, guarding: seconds; C{cpu}: of both, CPU seconds of this process and of the compilers that it ran.
    """

    scenario: IScenario
    path: Path
    hand: float = 0.0
    own: Component | None = None
    gains: dict[str, float] = field(default_factory=dict)
    trying: float = 0.0
    guarding: float = 0.0
    cpu: float = 0.0

    def level(self, wasm: bytes) -> float:
        return self.scenario.developmentLevel(self.scenario.measure(wasm))

    def gain(self, component: Component | None) -> float:
        """Of a component; without one the hand-made policy chosen on train is recommended."""
        return 0.0 if component is None else self.level(component.wasm) - self.hand


def sites(bench: IWorkbench, paths: Sequence[Path], large: int, most: int | None) -> list[Site]:
    found = []
    for path in paths:
        try:
            if sum(bench.scenario(path, {}).events.values()) > large:
                continue
        except TraceError:
            continue
        for settings in list(bench.tasks(path))[:most]:
            scenario = bench.scenario(path, settings)
            chosen = scenario.baselines()[chosenOnTrain(scenario)]
            found.append(Site(scenario, path, scenario.developmentLevel(chosen)))
    return found


def searchOn(site: Site, evaluations: int, seed: int) -> None:
    """A site's own search, and the guard."""
    goal = Goal(site.scenario.workbench.name, HOUR)
    run = SearchRun(site.scenario, Search(), goal, seed=seed, evaluations=evaluations, jobs=cores())
    candidate = run.search()
    site.own = run.judge(candidate)[0] if candidate is not None else None


def recommendOn(site: Site, every: Sequence[Site]) -> None:
    """All arms; what others found on other traces is what was shared."""
    scenario, generator, jobs = site.scenario, Search(), cores()
    others = [each for each in every if each.path != site.path and each.own is not None]
    few = fewOf(Carrier(cast(Component, each.own), each.path.name) for each in others)
    began, before = time.monotonic(), cpuSeconds()
    both = choose(scenario, generator, few, seconds=HOUR, jobs=jobs)
    site.trying, site.guarding = both.seconds, time.monotonic() - began - both.seconds
    site.cpu = cpuSeconds() - before
    validated = scenario.baselines()[bestInHindsight(scenario, "validation")]
    site.gains[HAND] = scenario.developmentLevel(validated) - site.hand
    site.gains[BOTH] = site.gain(both.component)
    site.gains[KNOWN_ALONE] = site.gain(choose(scenario, generator, seconds=HOUR, jobs=jobs).component)
    site.gains[SHARED_ALONE] = site.gain(choose(scenario, None, few, seconds=HOUR, jobs=jobs).component)
    site.gains[OWN] = site.gain(site.own)
    site.gains[BESIDE] = site.gain(better(site, both.component))
    if both.best is None:
        site.gains |= dict.fromkeys((UNGUARDED, BETTER, STUDENT), 0.0)
        return
    wasm = moduleOf(scenario, both.best)
    site.gains[UNGUARDED] = site.level(wasm) - site.hand
    chosen = scenario.baselines()[chosenOnTrain(scenario)].splits["validation"].score
    isBetter = both.best.score < chosen
    site.gains[BETTER] = site.gains[UNGUARDED] if isBetter else 0.0
    rivals = map(scenario.workbench.baselineModule, scenario.baselines())
    isSure = isBetter and all(isSignificantlyBetter(scenario, wasm, rival) for rival in rivals)
    site.gains[STUDENT] = site.gains[UNGUARDED] if isSure else 0.0


def cpuSeconds() -> float:
    """That this process and its children that ended have used: what other load on the machine hardly changes."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def moduleOf(scenario: IScenario, best: Tried) -> bytes:
    return compileC(best.candidate.source, scenario.workbench.headerPath, trusted=True)


def better(site: Site, other: Component | None) -> Component | None:
    """Of two that passed the guard the one that is better on validation."""
    found = [one for one in (site.own, other) if one is not None]
    scores = [site.scenario.measure(one.wasm, upTo="validation").splits["validation"].score for one in found]
    return found[scores.index(min(scores))] if found else None


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Of the mean, by resampling: 95 %."""
    rng = random.Random(1)
    means = sorted(statistics.fmean(rng.choices(values, k=len(values))) for _ in range(RESAMPLES))
    return means[RESAMPLES // 40], means[-RESAMPLES // 40]


def table(found: Sequence[Site]) -> Table:
    shown = Table("What a new site gets", ["what is tried", "gain", "95 %", "better on", "losses", "median s"])
    for arm in ARMS:
        gains = [site.gains[arm] for site in found]
        low, high = interval(gains)
        seconds = f"{statistics.median(site.trying for site in found):.2f}" if arm == BOTH else ""
        better, losses = (sum(sign * gain > SAME for gain in gains) for sign in (1, -1))
        mean = f"{statistics.fmean(gains):+.3f}"
        shown.rows.append([arm, mean, f"{low:+.3f} to {high:+.3f}", f"{better} of {len(gains)}", str(losses), seconds])
    guard = statistics.median(site.guarding for site in found)
    shown.remarks.append(f"The guard took {guard:.1f} s besides, in the median: it measures all rivals on 16 variants.")
    cpu = statistics.median(site.cpu for site in found)
    shown.remarks.append(f"Trying and the guard took {cpu:.1f} s of CPU, in the median.")
    return shown


def perTask(found: Sequence[Site]) -> Table:
    shown = Table("By task", ["task", "hand-made", "known", "and shared", "own search", "beside it"])
    for site in found:
        told = described(site.scenario)
        name = f"{told.trace} {' '.join(map(str, told.settings.values()))}"
        gains = [f"{site.gains[arm]:+.3f}" for arm in (KNOWN_ALONE, BOTH, OWN, BESIDE)]
        shown.rows.append([name, f"{site.hand:.3f}", *gains])
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("traces", nargs="*", type=Path, help="default: those that ship, and shared ones")
    parser.add_argument("--workbench", default="file_system")
    parser.add_argument("--evaluations", type=int, default=EVALUATIONS, help="of a site's own search on a task")
    parser.add_argument("--settings", type=int, default=None, help="so many of each trace [default: all]")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--all", action="store_true", help="large traces, too")
    parser.add_argument("--publish", action="store_true", help="write RESULTS.rst's section")
    given = parser.parse_args()
    bench = find(IWorkbench, given.workbench, "workbench")
    shared = SHARED / given.workbench
    files = sorted(path for path in shared.glob("*") if path.is_file()) if shared.is_dir() else []
    paths = given.traces or [*bench.traces(), *files]
    found = sites(bench, paths, sys.maxsize if given.all else LARGE, given.settings)
    for number, site in enumerate(found):
        searchOn(site, given.evaluations, given.seed)
        print(
            f"{number + 1} of {len(found)}: {site.scenario.trace} {site.own is not None}", file=sys.stderr, flush=True
        )
    for number, site in enumerate(found):
        recommendOn(site, found)
        print(f"{number + 1} of {len(found)}: {site.gains}", file=sys.stderr, flush=True)
    facts = dict(machine())
    about = (
        f"{len(found)} tasks of {len({site.path for site in found})} traces; searches of {given.evaluations}"
        f" evaluations, seed {given.seed}; " + "; ".join(f"{what} {facts[what]}" for what in ("CPU", "Load", "Date"))
    )
    text = "\n".join([about, "", str(table(found)), "", str(perTask(found))])
    print(text)
    if given.publish:
        publish("recommend", "\n".join(["Recommend", "---------", "", INTRODUCTION, "", text]))


if __name__ == "__main__":
    main()
