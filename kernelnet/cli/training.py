"""A search without a hub, guarded acceptance of what it finds, and its comparison with all that is hand-made."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from kernelnet.artifacts import Candidate, Component
from kernelnet.cli.arguments import Mistake
from kernelnet.cli.found_source import Trained, inOrder
from kernelnet.cli.policy_comparison import MeasuredComponent, Standing, standing
from kernelnet.cli.policy_table import verdictText
from kernelnet.cli.progress import Counted, Tell, progress
from kernelnet.cli.search_plot import drawSearch
from kernelnet.interfaces import IComponentGenerator, IScenario, IWorkbench
from kernelnet.learning.goal import Goal
from kernelnet.learning.hindsight import bestInHindsight
from kernelnet.learning.known_settings import SECONDS, choose
from kernelnet.learning.local_trainer import DEFAULT_GENERATOR
from kernelnet.learning.recommendation import recommend
from kernelnet.learning.saved_search import SavedSearch, encode
from kernelnet.learning.search_results import SearchResults, searchCurve
from kernelnet.learning.search_run import SearchRun
from kernelnet.learning.submission import Measurement, submit
from kernelnet.plugins import available, find
from kernelnet.untrusted import plain
from kernelnet.workbench.engine import cores
from kernelnet.workbench.errors import CompileError, ComponentError
from kernelnet.workbench.suite import UNIT, Suite
from kernelnet.workbench.variants import VariantScenario

__all__ = [
    "Budget",
    "Search",
    "chooseGenerator",
    "isOptimal",
    "standings",
]

LINE_EVERY = 5.0
"""Seconds between two lines of progress without a terminal."""


def chooseGenerator(workbench: IWorkbench, name: str | None) -> IComponentGenerator:
    """
    The generator of that name; without one, the default where it can write for this workbench, else the first that can.

    @raise Mistake: there is none.
    """
    able = [g for g in available(IComponentGenerator) if not g.workbenches or workbench.name in g.workbenches]
    names = [generator.name for generator in able]
    if name is None:
        if not able:
            raise Mistake(f"no generator that is installed writes for {workbench.name}")
        return able[names.index(DEFAULT_GENERATOR) if DEFAULT_GENERATOR in names else 0]
    generator = find(IComponentGenerator, name, "generator")
    if name not in names:
        others = ", ".join(names) or "none"
        raise Mistake(f"the generator {name} does not write for {workbench.name}; those that do: {others}")
    return generator


@dataclass(frozen=True)
class Budget:
    """
    @ivar seconds, evaluations: at most so many, C{None}: as many as there is time for; C{jobs}: at once, C{None}: one
        for each core.
    @ivar untimed: whether nobody has said how many seconds.
    """

    seconds: float
    evaluations: int | None
    jobs: int | None
    untimed: bool

    def __str__(self) -> str:
        if self.evaluations is None:
            return f"{self.seconds:g} s"
        return f"{self.evaluations} evaluations" + ("" if self.untimed else f" in {self.seconds:g} s")


def _search(run: SearchRun, name: str, console: Console, progress: _Progress, quiet: bool) -> Candidate | None:
    """
    Let a generator search in a thread of its own, and show how it gets on, unless C{quiet}.

    Ctrl-C lets it end, and takes what it has found.

    @raise click.ClickException: the generator failed; one line.
    @raise KeyboardInterrupt: at the second Ctrl-C; the generator may not have ended.
    """
    result: list[Candidate | None] = []
    failures: list[BaseException] = []
    # A join of the thread that Ctrl-C interrupts would take it for ended (https://github.com/python/cpython/issues/89437).
    ended = threading.Event()

    def work() -> None:
        try:
            result.append(run.search())
        except BaseException as error:
            failures.append(error)
        finally:
            ended.set()

    threading.Thread(target=work, name="kernelnet-search", daemon=True).start()
    try:
        if quiet:
            ended.wait()
        elif console.is_terminal:
            progress.bar(ended, console)
        else:
            progress.lines(ended, console)
    except KeyboardInterrupt:
        run.finish()
        console.print("ending; what was found will be judged; Ctrl-C once more ends at once", soft_wrap=True)
        try:
            ended.wait()
        except KeyboardInterrupt:
            run.cancel()
            raise
    if failures:
        raise click.ClickException(f"the generator {name} failed: {_where(failures[0])}")
    return result[0]


def _where(error: BaseException) -> str:
    """An exception of somebody else's program, and where it came from, in one line."""
    text, trace = f"{type(error).__name__}: {error}", error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is not None:
        text += f" ({trace.tb_frame.f_code.co_filename}:{trace.tb_lineno})"
    return plain(" ".join(text.split()), 500)


class _Progress:
    """Progress that a generator tells in its own thread, and how it is shown."""

    def __init__(self, budget: Budget, scenario: IScenario, results: SearchResults) -> None:
        self._budget, self._scenario, self._results = budget, scenario, results
        self._before = len(results.known)
        self._began = time.monotonic()
        self._told: tuple[int, int] | None = None

    def tell(self, generation: int, best: int) -> None:
        self._told = (generation, best)

    def text(self) -> str:
        if self._told is None:
            return "starting"
        generation, best = self._told
        if isinstance(self._scenario, Suite):
            # Its scores are in a unit that nobody has a feeling for.
            reached = f"level {1 - best / (UNIT * len(self._scenario.parts)):.3f}"
        else:
            reached = f"{best} {self._scenario.workbench.unit}"
        return f"generation {generation}, {self._results.evaluations} evaluations, best on train {reached}"

    def done(self) -> tuple[float, float]:
        """Part that is done, and the whole."""
        if self._budget.evaluations is not None:
            return self._results.evaluations - self._before, self._budget.evaluations
        return time.monotonic() - self._began, self._budget.seconds

    def left(self) -> str:
        done, total = self.done()
        return f"{max(0, total - done):5.0f} {'s' if self._budget.evaluations is None else 'evaluations'} left"

    def bar(self, ended: threading.Event, console: Console) -> None:
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as shown:
            task = shown.add_task(self.text(), total=self.done()[1])
            while not ended.wait(0.2):
                shown.update(task, completed=self.done()[0], description=self.text())
        console.print(self.text(), markup=False, highlight=False)

    def lines(self, ended: threading.Event, console: Console) -> None:
        while not ended.wait(LINE_EVERY):
            console.print(f"{self.left()}  {self.text()}", markup=False, highlight=False, soft_wrap=True)


class Search:
    """
    A search on the training part, and the guard's judgement of what it found.

    @ivar results: all that it has measured, or an earlier one has that it goes on with.
    @ivar workbench: name of the task's.
    """

    def __init__(
        self,
        scenario: IScenario,
        generator: IComponentGenerator,
        budget: Budget,
        *,
        seed: int,
        objective: str,
        parent: Component | None,
        results: SearchResults,
        costs: list[float],
        before: int = 0,
    ) -> None:
        """
        @param objective: C{"score"}, or C{"fuel"}: to do the same as C{parent}, for less.
        @param costs: see `kernelnet.generators.evolution.portfolio`; C{before}: evaluations of the earlier search.
        """
        self.results = results
        self.workbench = scenario.workbench.name
        self._scenario, self._generator, self._budget = scenario, generator, budget
        self._seed, self._objective, self._parent = seed, objective, parent
        self._memory: dict[str, Any] = {"costs": costs}
        self._seconds = 0.0
        self._shown = _Progress(budget, scenario, results)
        parents = [parent] if parent is not None else []
        self._run = SearchRun(
            scenario,
            generator,
            Goal(scenario.workbench.name, budget.seconds, objective, parents=parents),
            seed=seed,
            evaluations=None if budget.evaluations is None else before + budget.evaluations,
            jobs=budget.jobs or cores(),
            memory=self._memory,
            results=results,
            onProgress=self._shown.tell,
        )

    def run(self, console: Console, quiet: bool) -> Candidate | None:
        """
        Search.  @param console: for progress; C{quiet}: there is none.

        @raise click.ClickException: the generator failed.
        """
        began = time.monotonic()
        self._run.prepare()
        try:
            return _search(self._run, self._generator.name, console, self._shown, quiet)
        finally:
            self._seconds = time.monotonic() - began

    def state(
        self, tasks: Sequence[tuple[Path, IScenario]], earlier: SavedSearch | None, *, parent: str, parent_name: str
    ) -> bytes:
        """All that it takes to go on, as the contents of a file."""
        return encode(
            SavedSearch(
                workbench=self._scenario.workbench.name,
                workbench_digest=self._scenario.workbench.digest,
                trace_digest=self._scenario.traceDigest,
                tasks=[(str(path.absolute()), dict(each.settings)) for path, each in tasks],
                generator=self._generator.name,
                seed=self._seed,
                objective=self._objective,
                parent=parent,
                parent_name=parent_name,
                timed=self._budget.evaluations is None,
                seconds=round(self._seconds + (earlier.seconds if earlier is not None else 0.0), 3),
                # What it was asked for anew, but may have been ended before it was where the earlier one had been.
                evaluations=max(self.results.evaluations, earlier.evaluations if earlier is not None else 0),
                costs=list(self._memory.get("costs", [])),
                results=self.results.kept(),
            )
        )

    def judge(self, candidate: Candidate | None, name: str, earlier: Component | None, quiet: bool) -> Trained:
        """
        Put what was found to the guard; where it refuses that, the settings that ship.

        @param name: of the file that it is for; C{earlier}: what it has to be better than, too.
        """
        generator = self._generator
        component, reason = None, f"the generator {generator.name} had nothing to offer"
        with progress(quiet) as tell:
            if candidate is not None:
                tell("putting it to the guard", 0, None)
                component, reason = self._run.judge(candidate, parent=self._parent, known=earlier)
            if component is None and self._objective == "score":
                tell("trying known settings", 0, None)
                # By a number of evaluations the result must not depend on the time.
                seconds = SECONDS if self._budget.evaluations is None else self._budget.seconds
                jobs = self._budget.jobs or cores()
                known = choose(self._scenario, generator, seconds=seconds, jobs=jobs, known=earlier)
                if known.component is not None and known.best is not None:
                    candidate, component = known.best.candidate, known.component
                    reason = f"{known.reason}; a known setting, since of what was found: {reason}"
        if candidate is None:
            return Trained(False, reason)
        if component is not None and component.manifest is not None and component.manifest.report is not None:
            measured = Measurement(component.wasm, component.manifest.abi, component.manifest.report)
            component.id = plain(name)
        else:
            try:
                measured = submit(self._scenario, candidate.source, trusted=True)
            except (CompileError, ComponentError):
                return Trained(False, reason, candidate)
        note = f"{'found' if component is not None else 'refused'}, {measured.abi}"
        found = MeasuredComponent(name, measured.report, measured.abi, note=note, wasm=measured.wasm)
        return Trained(component is not None, reason, candidate, found, measured.wasm, component)

    def picture(self, tell: Tell, path: Path) -> bytes:
        """The course of the search; see `kernelnet.learning.search_results.searchCurve`."""
        counted = Counted(len(self.results.improvements)).to(tell)
        curve = searchCurve(self._scenario, self.results, counted)
        return drawSearch(self._scenario, curve, self.results.evaluations, path.suffix.lower().removeprefix("."))


def standings(
    scenario: IScenario,
    trained: Trained,
    measured: Callable[[], object],
    *,
    objective: str,
    parent: Component | None,
    parentFile: str,
    earlier: Component | None,
) -> list[Standing]:
    """
    Worker thread.  What was found beside the hand-made policies, on what its claim is measured on; without anything
    found, these on the trace as it is.  After the parts of a suite comes the suite itself, which has the verdict.

    @param objective: see `Search`.
    @param earlier: what an earlier search has found, and this one goes on with.
    """
    shown: list[MeasuredComponent] = []
    drawnBy, met = "", scenario
    if trained.found is not None:
        drawnBy, met = trained.found.name, scenario.forModule(trained.wasm)
        if isinstance(met, VariantScenario):
            trained.found.variantLevels = met.levels(trained.wasm)
        shown.append(trained.found)
    if parent is not None and parent.manifest is not None:
        # Not its own claim: that was measured on what it draws itself.
        report = met.measure(parent.wasm)
        shown.append(
            MeasuredComponent(parent.id, report, parent.manifest.abi, parentFile, note="parent", wasm=parent.wasm)
        )
    reports = [inOrder(met, each.report) for each in shown]
    found = []
    for at, (part, _) in enumerate(inOrder(met, None)):
        its = [replace(each, report=report[at][1]) for each, report in zip(shown, reports, strict=True)]
        found.append(standing(part, its, measured, sure=True, costs=True, drawnBy=drawnBy))
    if isinstance(met, Suite):
        found.append(standing(met, shown, measured, sure=True, drawnBy=drawnBy))
    if trained.accepted and parent is not None and objective == "fuel":
        found[-1].verdict = f"use {drawnBy} in place of {parent.id}: {trained.reason}"
    else:
        best = trained.component or earlier
        found[-1].verdict = verdictText(found[-1], recommend(met if best is None else scenario, best))
    return found


def isOptimal(scenario: IScenario) -> bool:
    """Whether a hand-made policy is on validation what nobody can beat."""
    best = scenario.baselines()[bestInHindsight(scenario, "validation")]
    return best.splits["validation"].score <= scenario.optimum()["validation"]
