"""
Trainers that share through a hub, beside as many that work alone and the best of whom is picked.

For each seed two arms get the same total of evaluations, on the same cores, first with all traces before every trainer,
then with one trace after the other:

- connected: one hub and its trainers, as `twistd kernelhub` and `twistd kerneltrainer` would run them, in this process
  (so that traces are read, and hand-made policies measured on them, once; on variants each trainer measures them
  itself), over TLS on the loopback interface, with databases in a temporary folder;
- alone: as many trainers, each with a hub of its own, so that the overhead is the same.

An evaluation is one pass over the training part.  Everything that is measured counts, as what share of the training
part's events it ran: searches, guards, what is claimed in the end, and re-measuring what peers claim.  When an arm's
evaluations are used up all its trainers stop, wherever they are.

With C{--scaling} it is one, two, four and eight trainers on one hub: how many evaluations each of them makes until they
are, in the mean over tasks, where one alone is after `ALONE`.

What an arm has found on a task is the component with the best level on validation among all that its trainers' guards
accepted (of those alone: the best of three), or the hand-made policy chosen on train when there is none; its
score is the development level on held-out data, which nothing that is decided here has seen.
"""

from __future__ import annotations

import argparse
import functools
import math
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from harness import Table, machine
from msgspec.structs import replace
from results import publish
from twisted.internet import task
from twisted.internet.defer import Deferred

from kernelnet.artifacts import Component
from kernelnet.generators.search import Search
from kernelnet.hub import tap
from kernelnet.hub.service import HubService
from kernelnet.identity import StateDirectory
from kernelnet.interfaces import IScenario, IWorkbench
from kernelnet.learning import local_trainer
from kernelnet.learning.hindsight import chosenOnTrain
from kernelnet.learning.known_settings import choose
from kernelnet.learning.local_trainer import IntegratedKernelTrainer
from kernelnet.learning.tasks import taskList
from kernelnet.plugins import find
from kernelnet.trainer.collaboration.offers import SEEK_EVERY
from kernelnet.trainer.connection.addresses import Address
from kernelnet.trainer.connection.config import TrainerConfig
from kernelnet.trainer.service import Trainer
from kernelnet.trainer.storage.knowledge_base import KnownComponent
from kernelnet.workbench import base
from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.machine import Machine
from kernelnet.workbench.variants import KeptVariants

TRAINERS = 3
PLAN = ((1500, 10),)
"""Evaluations of an arm that has all traces at once, all trainers together, and with how many seeds."""

PLAN_OF_EACH = ((700, 10),)
"""The same of an arm that has one trace."""

ALONE = 2000
"""Evaluations of one trainer; where it is then, is what several are to reach."""

NUMBERS = (1, 2, 4, 8)
"""Of trainers."""

MOST = 3 * ALONE // 2
"""Evaluations of several trainers together: if they aren't there by then, they haven't reached it."""

GOAL = 0.7
"""Share of its work that each of several trainers is to save the others."""

RATE = 7.5
"""
Evaluations that a trainer makes in a second, on a trace of five million requests: a round of search, of eight seconds,
is one of 60, a step of a session, of four, one of 30, and a session is sought every ten seconds, or 75.
"""

LARGE = 200_000
"""Traces with more events are left out, but for C{--all}: their evaluations take up to a second."""

PATIENCE = 3600.0
SAME = 1e-9

INTRODUCTION = f"""\
Written by ``together.py --publish``: {TRAINERS} trainers on one hub beside {TRAINERS} that work alone and the best of
whom, by validation, is picked, for the same evaluations in all. An evaluation is a pass over train; searches, guards,
claims and re-measurements all count. The figure is the development level on held-out data, the mean over all tasks; the
best hand-made policy's where the guard accepted nothing. Median and quartiles over seeds. At once: every trainer has
all the traces and goes round their tasks, alone from one that is drawn; each: one trace after the other, with a
budget for each.\
"""

INTRODUCTION_OF_SCALING = """\
Written by ``together.py --scaling --publish``: one, two, four and eight trainers on one hub, all traces before each of
them. An evaluation is a pass over train; searches, guards, claims and re-measurements all count, on variants for each
trainer anew, as if it had a machine of its own. The goal of N trainers is 1 / (0.7 N) of the evaluations that one alone
needs. Median and quartiles over seeds.\
"""

SHARED = Path(__file__).resolve().parents[2] / "shared" / "traces"


KINDS = GUARD, REMEASURED, SEARCH = "guard", "re-measured", "search"
"""Purposes of evaluations."""


class Meter:
    """
    Counts evaluations, of whatever trainer, and says when they are used up.

    @ivar spent: by what they were for.
    @ivar sessions: those of searches that another trainer asked for; they are among the others.
    @ivar trainers: number of them that work.
    @ivar found: components that passed the guard, with the evaluations before that.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._limit = float("inf")
        self._over: Any = None
        self._seek: Any = None
        self._sought = 0
        self.sessions = 0
        self.spent: dict[str, float] = {}
        self.remeasuring = threading.local()
        self.trainers = TRAINERS
        self.found: list[tuple[float, Component]] = []

    def start(self, limit: float, over: Any = None, seek: Any = None) -> None:
        """
        @param over: called, in whatever thread, when they are used up.
        @param seek: the same when it is time to seek a collaboration.
        """
        with self._lock:
            self._limit, self._over, self._seek, self._sought = limit, over, seek, 0
            self.spent, self.sessions, self.found = {}, 0, []

    def keep(self, component: Component) -> None:
        with self._lock:
            self.found.append((sum(self.spent.values()), component))

    def count(self, evaluations: float) -> None:
        if threading.current_thread().name.startswith("kernelnet-measuring"):
            what = SEARCH
        else:
            what = REMEASURED if getattr(self.remeasuring, "now", False) else GUARD
        with self._lock:
            self.spent[what] = self.spent.get(what, 0.0) + evaluations
            spent = sum(self.spent.values())
            over = seek = None
            if spent >= self._limit:
                over, self._over = self._over, None
            elif spent >= (self._sought + 1) * self.trainers * RATE * SEEK_EVERY:
                self._sought += 1
                seek = self._seek
        for due in filter(None, (over, seek)):
            due()


meter = Meter()


def metered(self: Any, wasm: bytes, settings: Any, *arguments: Any, **options: Any) -> Any:
    """`Machine.run`, counted."""
    windows = options.get("windows") or self.trace.windows(arguments[1] if len(arguments) > 1 else "held_out")
    train = self.trace.windows("train")[-1][2]
    meter.count(windows[-1][2] / train)
    return _run(self, wasm, settings, *arguments, **options)


_run = Machine.run
Machine.run = metered  # type: ignore[method-assign]
setattr(local_trainer, "choose", functools.partial(choose, seconds=PATIENCE))  # noqa: B010  # by no clock
base._KEPT = 100  # no trace is read, and nothing hand-made measured, within an arm


class KeptApart:
    """Variants that each trainer keeps for itself, as it would in a process of its own; none outlive their arm."""

    def __init__(self) -> None:
        self.now = threading.local()
        self._of: dict[object, KeptVariants] = {}

    def forget(self) -> None:
        self._of.clear()

    def _ours(self) -> KeptVariants:
        return self._of.setdefault(getattr(self.now, "trainer", None), KeptVariants())

    def scenario(self, *arguments: Any) -> Any:
        """`KeptVariants.scenario`."""
        return self._ours().scenario(*arguments)

    def machine(self, *arguments: Any) -> Any:
        """`KeptVariants.machine`."""
        return self._ours().machine(*arguments)


keptApart = KeptApart()


class Local(IntegratedKernelTrainer):
    """
    It searches for a number of evaluations, however long that takes.

    @ivar ready: it begins when this has fired.
    @ivar first: index of the task that it begins with; C{stopped}: fires when nothing of it runs any more.
    """

    ready: Deferred[None]
    first = 0
    stopped: Deferred[None] | None = None

    async def _start(self) -> None:
        await super()._start()
        for candidates in self._selection._candidates.values():
            at = self.first % len(candidates)
            # Of equals the first is next.
            candidates[:] = [each._replace(at=i) for i, each in enumerate(candidates[at:] + candidates[:at])]
        await self.ready

    def build(self, goal: Any) -> Any:
        evaluations = int(RATE * goal.seconds)
        self._generator = Search(evaluations)
        if goal.requirements:
            meter.sessions += evaluations
        return super().build(replace(goal, seconds=PATIENCE))

    def stop(self) -> Deferred[None]:
        if self.stopped is None:
            self.stopped = super().stop()
        return self.stopped

    def _inThread(self, function: Any, *arguments: Any) -> Any:
        def ours() -> Any:
            keptApart.now.trainer = self
            return function(*arguments)

        return super()._inThread(ours)

    def _named(self, component: Component) -> Component:
        meter.keep(component)
        return super()._named(component)

    def _remeasure(self, component: Any, beside: bool = True) -> Any:
        meter.remeasuring.now = True
        try:
            return super()._remeasure(component, beside)
        finally:
            meter.remeasuring.now = False


class Metered(Trainer):
    """Time goes by evaluations: collaborations are sought by the meter."""

    def _every(self, seconds: float, function: Any) -> None:
        if function.__name__ != "seek":
            super()._every(seconds, function)


class Brisk:
    """A clock of a trainer's work, by which a pause of a second is shorter."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def seconds(self) -> float:
        seconds: float = self._reactor.seconds()
        return seconds

    def callLater(self, delay: float, *arguments: Any, **options: Any) -> Any:
        return self._reactor.callLater(delay / 50, *arguments, **options)


@dataclass
class Result:
    """
    What one arm found: levels on held-out data by task, and what it took.

    @ivar course: after how many evaluations of all trainers which level was reached, the mean over tasks.
    """

    levels: list[float] = field(default_factory=list)
    course: list[tuple[float, float]] = field(default_factory=list)
    accepted: int = 0
    seconds: float = 0.0
    spent: dict[str, float] = field(default_factory=dict)
    sessions: int = 0


async def arm(
    bench: Any, paths: Sequence[Path], budget: int, seed: int, *, connected: bool, count: int = TRAINERS
) -> Result:
    """Run one arm until its budget is used up.  @param count: of trainers."""
    from twisted.internet import reactor as r

    reactor: Any = r
    over: Deferred[None] = Deferred()
    meter.trainers = count
    keptApart.forget()
    scenarios = [task.open() for task in taskList(bench, paths)]
    with tempfile.TemporaryDirectory(prefix="kernelnet-together-") as folder:
        states = [StateDirectory(Path(folder) / str(at)) for at in range(1 if connected else count)]
        hubs = [await startHub(reactor, state) for state in states]
        trainers: list[Metered] = []
        learners: list[Local] = []
        for at in range(count):
            hub, state = (hubs[0], states[0]) if connected else (hubs[at], states[at])
            name = f"AI_{at}"
            local = Local("file_system", paths, Search(), seed * 1000 + at, name, workbenches=[bench.name])
            local.ready = Deferred()
            learners.append(local)
            if not connected:
                # Nobody deals them tasks: it is by chance that they don't all begin with the same.
                local.first = random.Random(seed * 1000 + at).randrange(len(scenarios))
            config = TrainerConfig(name, state, hubs=(Address("localhost", _port(hub)),))
            trainers.append(Metered(config, local, reactor, clock=cast(Any, Brisk(reactor))))
        for trainer in trainers:
            trainer.ended.addErrback(lambda failure: None if over.called else over.errback(failure))
            trainer.startService()
        try:
            # What a hub knows of who is there it tells before a search on a new trace has measured what is hand-made.
            while not all(isThere(trainer, count if connected else 1) for trainer in trainers):
                await task.deferLater(reactor, 0.02)

            def seek() -> None:
                for trainer in trainers:
                    trainer.seek()

            began = time.monotonic()
            meter.start(
                budget,
                lambda: reactor.callFromThread(over.callback, None),
                lambda: reactor.callFromThread(seek),
            )
            for learner in learners:
                learner.ready.callback(None)
            await over
            found = list(meter.found)
            result = Result(seconds=time.monotonic() - began, spent=meter.spent, sessions=meter.sessions)
        finally:
            meter.start(float("inf"))
            for trainer in trainers:
                await trainer.stopService()
            # They wait for no guard that is under way; it would count in the next arm.
            while not all(learner.stopped is not None and learner.stopped.called for learner in learners):
                await task.deferLater(reactor, 0.02)
            for hub in hubs:
                await hub.stopService()
        own = [known for t in trainers for known in t.knowledge.components.values() if known.source == t.profile.aiId]
    result.accepted = len(own)
    result.levels = [level(scenario, own) for scenario in scenarios]
    result.course = course(scenarios, found)
    return result


def course(scenarios: Sequence[IScenario], found: Sequence[tuple[float, Component]]) -> list[tuple[float, float]]:
    """After each component by how many evaluations which level was reached: of the best by validation on each task."""
    hand = [each.developmentLevel(each.baselines()[chosenOnTrain(each)]) for each in scenarios]
    best, levels = [-math.inf] * len(scenarios), list(hand)
    steps = [(0.0, statistics.fmean(levels))]
    for spent, component in sorted(found, key=lambda each: each[0]):
        claim = component.claim
        for at, scenario in enumerate(scenarios):
            if claim is None or (claim.trace_digest, claim.settings) != (scenario.traceDigest, scenario.settings):
                continue
            validation = scenario.developmentLevel(scenario.measure(component.wasm, upTo="validation"), "validation")
            if validation > best[at]:
                best[at], levels[at] = validation, component.development_level or 0.0
                steps.append((spent, statistics.fmean(levels)))
    return steps


def isThere(trainer: Trainer, count: int) -> bool:
    """Whether a trainer knows of so many that they are there, itself among them."""
    return sum(info.connected for info in trainer.knowledge.ais.values()) >= count


def _port(hub: HubService) -> int:
    assert hub.hub is not None and hub.hub.status.port is not None
    return hub.hub.status.port


async def startHub(reactor: Any, state: StateDirectory) -> HubService:
    state.open()
    options = tap.Options()
    options.parseOptions(["--state", str(state.path), "--port", "0", "--dashboard", "off"])
    hub = HubService(reactor, state, options.config)
    hub.startService()
    await hub.started
    return hub


def level(scenario: IScenario, known: list[KnownComponent]) -> float:
    """Level on held-out of what is best on validation, or of the hand-made policy chosen on train."""
    claims = [(each, each.component.claim) for each in known]
    task = scenario.traceDigest, scenario.settings
    ours = [each for each, claim in claims if claim is not None and (claim.trace_digest, claim.settings) == task]
    if not ours:
        return scenario.developmentLevel(scenario.baselines()[chosenOnTrain(scenario)])
    best = max(ours, key=lambda k: k.level if k.level is not None else -math.inf)
    return best.component.development_level or 0.0


# --- figures


@dataclass
class Row:
    """
    What each arm had with each seed.

    @ivar paths: the traces that are before every trainer; C{name}: what they are called.
    """

    name: str
    paths: list[Path]
    connected: list[Result] = field(default_factory=list)
    alone: list[Result] = field(default_factory=list)

    def pairs(self) -> list[tuple[float, float]]:
        """Connected and alone: the level of each task with each seed."""
        return [
            pair
            for ours, theirs in zip(self.connected, self.alone, strict=True)
            for pair in zip(ours.levels, theirs.levels, strict=True)
        ]

    def runs(self) -> list[tuple[float, float]]:
        """The same of each seed, the mean over all tasks."""
        return list(zip(_means(self.connected), _means(self.alone), strict=True))


def _means(results: list[Result]) -> list[float]:
    return [statistics.fmean(result.levels) for result in results]


def spread(values: list[float]) -> str:
    """Median and quartiles."""
    if len(values) < 2:
        return f"{values[0]:.3f}"
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:.3f} ({low:.3f}–{high:.3f})"


def outcomes(pairs: list[tuple[float, float]]) -> tuple[int, int, int]:
    """Wins, ties and losses of the first."""
    wins = sum(ours > theirs + SAME for ours, theirs in pairs)
    losses = sum(theirs > ours + SAME for ours, theirs in pairs)
    return wins, len(pairs) - wins - losses, losses


def signTest(wins: int, losses: int) -> float:
    """How likely so uneven a count is if both are equally good: the exact sign test, two-sided."""
    n = wins + losses
    return min(1.0, 2 * sum(math.comb(n, k) for k in range(min(wins, losses) + 1)) / 2**n) if n else 1.0


def table(title: str, rows: list[Row], budget: int) -> Table:
    heads = [
        "traces",
        "seeds",
        "connected",
        "alone, the best",
        "difference",
        "win / tie / loss",
        "s connected",
        "s alone",
    ]
    found = Table(title, heads)
    for row in rows:
        ours, theirs = zip(*row.runs(), strict=True)
        found.rows.append(
            [
                row.name,
                str(len(ours)),
                spread(list(ours)),
                spread(list(theirs)),
                f"{statistics.fmean(ours) - statistics.fmean(theirs):+.3f}",
                "{} / {} / {}".format(*outcomes(row.runs())),
                f"{statistics.median(result.seconds for result in row.connected):.1f}",
                f"{statistics.median(result.seconds for result in row.alone):.1f}",
            ]
        )
    runs = [pair for row in rows for pair in row.runs()]
    tasks = [pair for row in rows for pair in row.pairs()]
    difference = statistics.fmean(ours - theirs for ours, theirs in runs)
    wins, ties, losses = outcomes(runs)
    found.remarks = [
        f"{budget} evaluations an arm. Connected is better by {difference:+.4f} in the mean over all seeds and traces; "
        f"it wins {wins}, ties {ties} and loses {losses} of {len(runs)} runs (sign test: p ="
        f" {signTest(wins, losses):.2g}); by task {{}} / {{}} / {{}}.".format(*outcomes(tasks)),
        spending(rows),
    ]
    return found


def reached(result: Result, level: float) -> float:
    """Evaluations of all trainers after which a level was reached; infinite: it was not."""
    return next((spent for spent, found in result.course if found >= level - SAME), math.inf)


def at(result: Result, spent: float) -> float:
    """Level after so many evaluations of all trainers."""
    return [level for when, level in result.course if when <= spent][-1]


def scaling(bench: str, traces: int, results: Mapping[int, list[Result]]) -> Table:
    """@param results: by the number of trainers, of each seed one."""
    heads = ["trainers", "evaluations of each", "of one alone", "goal", "got there", f"level at {ALONE} in all"]
    found = Table(f"{bench}, how many evaluations several trainers save each other", heads)
    alone = results[1]
    levels = [at(one, ALONE) for one in alone]
    needed = [reached(one, level) for one, level in zip(alone, levels, strict=True)]
    # Where one alone has found nothing there is nothing to be reached.
    told = [place for place, spent in enumerate(needed) if spent > 0]
    for count, several in results.items():
        each = [reached(several[place], levels[place]) / count for place in told]
        share = [ours / needed[place] for ours, place in zip(each, told, strict=True)]
        found.rows.append(
            [
                str(count),
                _orMore(each, MOST / count),
                "" if count == 1 else _orMore(share, math.inf, ".2f"),
                "" if count == 1 else f"{1 / (GOAL * count):.2f}",
                f"{sum(map(math.isfinite, each))} of {len(each)}",
                spread([at(one, ALONE) for one in several]),
            ]
        )
    found.remarks.append(
        f"{traces} traces, {len(alone)} seeds. Medians of the evaluations that each trainer makes until the level is"
        f" reached, the mean over all tasks, that one alone has after {ALONE}, beside those after which it was there,"
        f" seed by seed; with {len(alone) - len(told)} of the seeds one alone had found nothing, and there is nothing"
        " to reach."
    )
    every = [result for several in results.values() for result in several]
    spent = {what: sum(result.spent.get(what, 0.0) for result in every) for what in KINDS}
    shares = ", ".join(f"{what} {each / sum(spent.values()):.0%}" for what, each in spent.items())
    found.remarks.append(f"Evaluations were for: {shares}.")
    return found


def _orMore(values: Sequence[float], most: float, form: str = ".0f") -> str:
    """Median; where it was not reached, that it is more than what there was."""
    if not values:
        return "–"
    middle = statistics.median_high(values)
    return format(middle, form) if math.isfinite(middle) else f"> {most:{form}}" if math.isfinite(most) else "not there"


def spending(rows: list[Row]) -> str:
    """What evaluations were for."""
    parts = []
    for name in ("connected", "alone"):
        results = [result for row in rows for result in getattr(row, name)]
        spent = {what: sum(result.spent.get(what, 0.0) for result in results) for what in KINDS}
        total = sum(spent.values())
        shares = ", ".join(f"{what} {share / total:.0%}" for what, share in spent.items() if share)
        if asked := sum(result.sessions for result in results):
            shares += f" (for requests and sessions {asked / total:.0%})"
        parts.append(f"{name}: {shares}, {statistics.fmean(r.accepted for r in results):.1f} components a run")
    return f"Spent {'; '.join(parts)}."


# --- running


def usable(bench: Any, folder: Path, large: bool) -> list[Path]:
    """The traces of a folder that can be read, and aren't too long."""
    found = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else bench.traces():
        try:
            scenarios = [task.open() for task in taskList(bench, [path])]
        except (TraceError, OSError):
            continue  # such as a licence beside the traces
        if large or max(sum(scenario.events.values()) for scenario in scenarios) <= LARGE:
            found.append(path)
    return found


class Comparison:
    """
    All arms on some traces, seed by seed, so that one that is cut short has as many of each.

    @ivar tables: one for each plan that was begun.
    """

    def __init__(self, bench: Any, paths: list[Path], minutes: float) -> None:
        self._bench, self._paths = bench, paths
        self._deadline = time.monotonic() + 60 * minutes
        self.tables: list[Table] = []

    async def scale(self, seeds: int) -> None:
        """One trainer and several on one hub, all traces before each."""
        self._prepare()
        results: dict[int, list[Result]] = {count: [] for count in NUMBERS}
        for seed in range(1, seeds + 1):
            if time.monotonic() > self._deadline:
                break
            for count in NUMBERS:
                budget = ALONE if count == 1 else MOST
                results[count].append(await arm(self._bench, self._paths, budget, seed, connected=True, count=count))
            self.tables = [scaling(self._bench.name, len(self._paths), results)]
            print(f"after seed {seed}\n{self.tables[0]}", file=sys.stderr, flush=True)
            for count, several in results.items():
                print(count, [(round(spent), round(level, 4)) for spent, level in several[-1].course], file=sys.stderr)

    def _prepare(self) -> None:
        self._bench._variants = keptApart
        for each in taskList(self._bench, self._paths):
            scenario = each.open()  # once, and outside of what is counted
            scenario.baselines(), scenario.optimum(), scenario.patterns()

    async def run(self, plans: Sequence[tuple[str, int, int]]) -> None:
        """@param plans: C{at-once} or C{each}, the budget, and how many seeds."""
        self._prepare()
        for how, budget, seeds in plans:
            await self._run(how, budget, seeds)

    async def _run(self, how: str, budget: int, seeds: int) -> None:
        rows = [Row(f"all {len(self._paths)} at once", self._paths)]
        if how == "each":
            rows = [Row(path.name.partition(".")[0], [path]) for path in self._paths]
        for seed in range(1, seeds + 1):
            if time.monotonic() > self._deadline:
                break
            for row in rows:
                # each arm is first every other time
                for connected in (True, False) if seed % 2 else (False, True):
                    result = await arm(self._bench, row.paths, budget, seed, connected=connected)
                    (row.connected if connected else row.alone).append(result)
            found = table(f"{self._bench.name}, {how.replace('-', ' ')}, {budget} evaluations", rows, budget)
            print(f"after seed {seed}\n{found}", file=sys.stderr, flush=True)
            self.tables = [*(self.tables[:-1] if seed > 1 else self.tables), found]


def main() -> None:
    parser = argparse.ArgumentParser(description="Trainers that share through a hub beside as many that work alone.")
    parser.add_argument("--workbench", default="file_system")
    parser.add_argument("--traces", type=Path, help="a folder [../shared/traces/WORKBENCH, else those that ship]")
    parser.add_argument("--only", choices=("at-once", "each"), help="all traces before every trainer, or one an arm")
    parser.add_argument("--seeds", type=int, help="of each budget [10]")
    parser.add_argument(
        "--budget", type=int, action="append", help="evaluations of an arm, instead of the plans'; may be repeated"
    )
    parser.add_argument("--minutes", type=float, default=1e6, help="begin no other seed after so long")
    parser.add_argument("--all", action="store_true", help=f"traces of more than {LARGE:,} events, too")
    parser.add_argument("--quick", action="store_true", help="two seeds, the first budgets")
    parser.add_argument("--scaling", action="store_true", help="1, 2, 4 and 8 trainers; see above")
    parser.add_argument("--publish", action="store_true", help="write the section of RESULTS.rst")
    options = parser.parse_args()
    bench = find(IWorkbench, options.workbench, "workbench")
    plans = [
        (how, budget, 2 if options.quick else options.seeds or seeds)
        for how, plan in (("at-once", PLAN), ("each", PLAN_OF_EACH))
        for budget, seeds in ([(budget, 10) for budget in options.budget or ()] or plan[: 1 if options.quick else None])
        if options.only in (None, how)
    ]
    paths = usable(bench, options.traces or SHARED / bench.name, options.all)
    began = time.monotonic()
    before = dict(machine())
    comparison = Comparison(bench, paths, options.minutes)
    try:
        work = comparison.scale(options.seeds or 10) if options.scaling else comparison.run(plans)
        task.react(lambda _: Deferred.fromCoroutine(work))
    except SystemExit as end:
        if end.code:
            raise
    text = "\n".join(str(table) for table in comparison.tables)
    print(text)
    if options.publish:
        about = [f":{name}: {before[name]}" for name in ("Date", "CPU", "Python", "Load")]
        about.append(f":Took: {(time.monotonic() - began) / 60:.0f} minutes")
        name, title, told = "together", "Together", INTRODUCTION
        if options.scaling:
            name, title, told = "more_trainers", "More trainers", INTRODUCTION_OF_SCALING
        publish(name, "\n".join([title, "-" * len(title), "", told, "", *about, "", text]))


if __name__ == "__main__":
    main()
