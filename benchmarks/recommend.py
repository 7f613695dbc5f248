"""
What is known, tried on a trace without a search, beside what a search of its own finds there.

Each task is a new site's: it has the settings that ship, and components that other sites' searches have found, none of
them on a trace of its own family: of the same program or collection.  What is called is the product's own:
`kernelnet.learning.known_settings.chooseToUse` by ``kernelnet recommend``, and C{choose} for a claim by a trainer's
first round.  All figures are levels on held-out data of the trace as it is, less that of the hand-made policy chosen on
train; nothing that is decided here has seen held-out.
"""

from __future__ import annotations

import argparse
import functools
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
from kernelnet.learning.hindsight import bestInHindsight, bestOverBoth, chosenOnTrain
from kernelnet.learning.known_settings import Choice, choose, chooseToUse, fewOf, tryKnown
from kernelnet.learning.search_run import SearchRun
from kernelnet.learning.significance import isSignificantlyBetter
from kernelnet.learning.tasks import described
from kernelnet.plugins import find
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.engine import cores
from kernelnet.workbench.errors import TraceError

EVALUATIONS = 300
"""Of a site's own search on a task; on a trace with more than `LARGE` events as many fewer, at least a tenth."""

LARGE = 1_000_000
"""Traces with more events are left out, but for C{--all}."""

HOUR = 3600.0
SAME = 1e-9
RESAMPLES = 10_000

SHARED = Path(__file__).resolve().parents[2] / "shared" / "traces"

FAMILIES = (
    ("cache2k-", "cache2k"),
    ("cloudPhysics", "cloudphysics"),
    ("cloudphysics", "cloudphysics"),
    ("lirs-multi1", "lirs-cs"),
)
"""
Traces of the same collection of programs, by how their names begin (../shared/traces/README.md): multi1 is cs beside
another program.  Of all others the name up to its first dot is the family's, such as of both directions of a link.
"""

ARMS = (
    HAND := "hand-made, best on validation",
    HAND_BOTH := "hand-made, best on train and validation",
    BOTH := "known settings and shared ones",
    KNOWN_ALONE := "known settings",
    SHARED_ALONE := "shared ones alone",
    UNGUARDED := "known and shared, the best on both, whatever it is",
    BETTER := "known and shared, by validation alone",
    STUDENT := "known and shared, by validation and Student's test",
    CLAIMED := "known and shared, with the guard of claims",
    OWN := "its own search",
    BESIDE := "its own search, and these beside it",
)

INTRODUCTION = """\
Written by ``recommend.py --publish``: on each task, by the product's own code, what a new site gets from the settings
that ship and from at most five components that were found on traces of other families, each trace's its own owner's;
beside what its own search gets. The gain is that of the level on held-out data over the hand-made policy chosen on
train; mean over tasks, with a 95 % interval by resampling families. A loss is a task on which it is below 0.

*Known settings and shared ones* is what ``kernelnet recommend`` says: the best over train and validation, of them and
the hand-made policies; what was shared must be better on variants of the trace, too. Below are other rules for the
same: *whatever it is*, without the hand-made policies and variants; *by validation alone*, the best there, if it is
better there than the hand-made policy chosen on train; *Student's test*, if that says so as well beside every hand-made
policy, on the trace as it is; *the guard of claims*, which a search's results and a trainer's components must pass:
where it refuses, the hand-made policy chosen on train is left. Settings that ship were chosen with these traces at
hand; shared ones alone are what that is worth where nothing of the family was seen.\
"""


@dataclass
class Site:
    """
    A task, and all that is found on it.

    @ivar family: of its trace; see `FAMILIES`.
    @ivar hand: level of the hand-made policy chosen on train; C{gains}: by arm.
    @ivar seconds: of trying and deciding; C{cpu}: CPU seconds of this process and of the compilers that it ran.
    """

    scenario: IScenario
    path: Path
    family: str
    hand: float = 0.0
    own: Component | None = None
    gains: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    cpu: float = 0.0

    def level(self, wasm: bytes) -> float:
        return self.scenario.developmentLevel(self.scenario.measure(wasm))

    def gain(self, component: Component | None) -> float:
        """Of a component; without one the hand-made policy chosen on train is recommended."""
        return 0.0 if component is None else self.level(component.wasm) - self.hand

    def gainToUse(self, choice: Choice) -> float:
        """Of what is to be used; without a component it is the hand-made policy that is best over both parts."""
        if choice.component is not None:
            return self.gain(choice.component)
        return self.gainOfHandMade(bestOverBoth(self.scenario))

    def gainOfHandMade(self, name: str) -> float:
        return self.scenario.developmentLevel(self.scenario.baselines()[name]) - self.hand


def traceFamily(path: Path) -> str:
    name = path.name.partition(".")[0]
    return next((family for begin, family in FAMILIES if name.startswith(begin)), name)


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
            found.append(Site(scenario, path, traceFamily(path), scenario.developmentLevel(chosen)))
    return found


def searchOn(site: Site, evaluations: int, seed: int) -> None:
    """A site's own search, and the guard."""
    goal = Goal(site.scenario.workbench.name, HOUR)
    fewer = min(1.0, max(0.1, LARGE / sum(site.scenario.events.values())))
    evaluations = max(1, round(evaluations * fewer))
    run = SearchRun(site.scenario, Search(), goal, seed=seed, evaluations=evaluations, jobs=cores())
    candidate = run.search()
    site.own = run.judge(candidate)[0] if candidate is not None else None


def recommendOn(site: Site, every: Sequence[Site]) -> None:
    """All arms; what others found on traces of other families is what was shared."""
    scenario, generator, jobs = site.scenario, Search(), cores()
    others = [each for each in every if each.family != site.family and each.own is not None]
    few = fewOf(Carrier(cast(Component, each.own), each.path.name) for each in others)
    vars(scenario)["measure"] = functools.cache(scenario.measure)  # what the first arm measures is not timed again
    began, before = time.monotonic(), cpuSeconds()
    both = chooseToUse(scenario, generator, few, seconds=HOUR, jobs=jobs)
    site.seconds, site.cpu = time.monotonic() - began, cpuSeconds() - before
    site.gains[BOTH] = site.gainToUse(both)
    site.gains[KNOWN_ALONE] = site.gainToUse(chooseToUse(scenario, generator, seconds=HOUR, jobs=jobs))
    site.gains[SHARED_ALONE] = site.gainToUse(chooseToUse(scenario, None, few, seconds=HOUR, jobs=jobs))
    site.gains[HAND] = site.gainOfHandMade(bestInHindsight(scenario, "validation"))
    site.gains[HAND_BOTH] = site.gainOfHandMade(bestOverBoth(scenario))
    claimed = choose(scenario, generator, few, seconds=HOUR, jobs=jobs).component
    site.gains[CLAIMED] = site.gain(claimed)
    site.gains[OWN] = site.gain(site.own)
    site.gains[BESIDE] = site.gain(site.own) if site.own is not None else site.gainToUse(both)
    if site.own is not None and both.component is not None:
        site.gains[BESIDE] = site.gain(better(site, site.own, both.component))
    tried, _ = tryKnown(scenario, generator, few, seconds=HOUR, jobs=jobs)
    onBoth, onValidation = (
        compileC(one.candidate.source, scenario.workbench.headerPath, trusted=True)
        for one in (tried[0], min(tried, key=lambda one: one.score))
    )
    site.gains[UNGUARDED] = site.level(onBoth) - site.hand
    chosen = scenario.baselines()[chosenOnTrain(scenario)].splits["validation"].score
    isBetter = min(one.score for one in tried) < chosen
    site.gains[BETTER] = site.level(onValidation) - site.hand if isBetter else 0.0
    rivals = map(scenario.workbench.baselineModule, scenario.baselines())
    isSure = isBetter and all(isSignificantlyBetter(scenario, onValidation, rival) for rival in rivals)
    site.gains[STUDENT] = site.gains[BETTER] if isSure else 0.0


def cpuSeconds() -> float:
    """That this process and its children that ended have used: what other load on the machine hardly changes."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def better(site: Site, *found: Component) -> Component:
    """The one that is better on validation."""
    measured = [site.scenario.measure(one.wasm, upTo="validation") for one in found]
    scores = [report.splits["validation"].score for report in measured]
    return found[scores.index(min(scores))]


def interval(values: Sequence[float], families: Sequence[str] | None = None) -> tuple[float, float]:
    """Of the mean, by resampling: 95 %.  @param families: of each value, to resample these; C{None}: each its own."""
    groups: dict[str, list[float]] = {}
    for at, value in enumerate(values):
        groups.setdefault(families[at] if families is not None else str(at), []).append(value)
    rng, names = random.Random(1), [*groups]
    means = []
    for _ in range(RESAMPLES):
        drawn = [groups[name] for name in rng.choices(names, k=len(names))]
        means.append(sum(map(sum, drawn)) / sum(map(len, drawn)))
    means.sort()
    return means[RESAMPLES // 40], means[-RESAMPLES // 40]


def table(found: Sequence[Site], bench: str) -> Table:
    shown = Table(
        f"What a new site gets, {bench}", ["what is tried", "gain", "95 %", "better on", "losses", "the worst"]
    )
    for arm in ARMS:
        gains = [site.gains[arm] for site in found]
        low, high = interval(gains, [site.family for site in found])
        better, losses = (sum(sign * gain > SAME for gain in gains) for sign in (1, -1))
        mean, worst = f"{statistics.fmean(gains):+.3f}", f"{min(0.0, *gains):+.3f}"
        shown.rows.append([arm, mean, f"{low:+.3f} to {high:+.3f}", f"{better} of {len(gains)}", str(losses), worst])
    hand = statistics.fmean(site.hand for site in found)
    shown.remarks.append(f"The hand-made policy chosen on train has {hand:.3f} in the mean.")
    seconds, cpu = ([getattr(site, what) for site in found] for what in ("seconds", "cpu"))
    shown.remarks.append(
        f"Trying and deciding took {statistics.median(cpu):.2f} s of CPU in the median, {max(cpu):.1f} s at most;"
        f" by the clock {statistics.median(seconds):.2f} s and {max(seconds):.1f} s."
    )
    return shown


def perTask(found: Sequence[Site], bench: str) -> Table:
    arms = {KNOWN_ALONE: "known", BOTH: "and shared", CLAIMED: "guard", OWN: "own search", BESIDE: "beside it"}
    shown = Table(f"By task, {bench}", ["task", "family", "hand-made", *arms.values(), "s CPU"])
    for site in found:
        told = described(site.scenario)
        name = f"{told.trace} {' '.join(map(str, told.settings.values()))}"
        gains = [f"{site.gains[arm]:+.3f}" for arm in arms]
        shown.rows.append([name, site.family, f"{site.hand:.3f}", *gains, f"{site.cpu:.2f}"])
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("traces", nargs="*", type=Path, help="default: those that ship, and shared ones")
    parser.add_argument("--workbench", action="append", help="may be repeated [default: file_system]")
    parser.add_argument("--evaluations", type=int, default=EVALUATIONS, help="of a site's own search on a task")
    parser.add_argument("--settings", type=int, default=None, help="so many of each trace [default: all]")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--all", action="store_true", help="large traces, too")
    parser.add_argument("--publish", action="store_true", help="write RESULTS.rst's section")
    given = parser.parse_args()
    text = "\n\n".join(run(name, given) for name in given.workbench or ["file_system"])
    print(text)
    if given.publish:
        publish("recommend", "\n".join(["Recommend", "---------", "", INTRODUCTION, "", text]))


def run(workbench: str, given: argparse.Namespace) -> str:
    """Measure a workbench's tasks.  @return: its tables."""
    bench = find(IWorkbench, workbench, "workbench")
    shared = SHARED / workbench
    files = sorted(path for path in shared.glob("*") if path.is_file()) if shared.is_dir() else []
    found = sites(bench, given.traces or [*bench.traces(), *files], sys.maxsize if given.all else LARGE, given.settings)
    for number, site in enumerate(found):
        searchOn(site, given.evaluations, given.seed)
        told = "found" if site.own is not None else "nothing found"
        print(f"{number + 1} of {len(found)}: {described(site.scenario)}: {told}", file=sys.stderr, flush=True)
    for number, site in enumerate(found):
        recommendOn(site, found)
        print(f"{number + 1} of {len(found)}: {site.gains}", file=sys.stderr, flush=True)
    facts = dict(machine())
    about = (
        f"{len(found)} tasks of {len({site.path for site in found})} traces of {len({site.family for site in found})}"
        f" families; searches of {given.evaluations} evaluations, seed {given.seed}; "
        + "; ".join(f"{what} {facts[what]}" for what in ("CPU", "Load", "Date"))
    )
    return "\n".join([about, "", str(table(found, workbench)), "", str(perTask(found, workbench))])


if __name__ == "__main__":
    main()
