"""C{kernelnet bench train}: a search without a hub, guarded acceptance, and the C file that comes of it."""

from __future__ import annotations

import shlex
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from kernelnet.artifacts import Candidate, Component, Report
from kernelnet.cli.arguments import Mistake
from kernelnet.cli.policy_comparison import MeasuredComponent, settingsText, unitOf
from kernelnet.cli.progress import progress
from kernelnet.interfaces import IComponentGenerator, IScenario, IWorkbench
from kernelnet.learning.goal import Goal
from kernelnet.learning.local_trainer import DEFAULT_GENERATOR
from kernelnet.learning.search_run import SearchRun
from kernelnet.learning.submission import Measurement, makeComponent, measure, submit
from kernelnet.plugins import available, find
from kernelnet.untrusted import plain
from kernelnet.workbench.compiler import compileC, compilerVersion
from kernelnet.workbench.errors import CompileError, ComponentError
from kernelnet.workbench.suite import UNIT, Suite

__all__ = ["Trained", "againCommand", "asParent", "chooseGenerator", "inOrder", "sourceFile", "train"]

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


@dataclass
class Trained:
    """
    @ivar found: what the search found, measured on all parts; C{None} if there was nothing that runs.
    @ivar accepted: whether it passed the guard, and C{reason}: why, for people.
    @ivar candidate: as the generator wrote it, and C{wasm}: what that compiles to.
    """

    accepted: bool
    reason: str
    candidate: Candidate | None = None
    found: MeasuredComponent | None = None
    wasm: bytes = b""


def _search(run: SearchRun, name: str, console: Console, progress: _Progress, quiet: bool) -> Candidate | None:
    """
    Let a generator search in a thread of its own, and show how it gets on, unless C{quiet}.

    @raise click.ClickException: the generator failed; one line.
    @raise KeyboardInterrupt: after the generator has ended.
    """
    result: list[Candidate | None] = []
    failures: list[BaseException] = []

    def work() -> None:
        try:
            result.append(run.search())
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work, name="kernelnet-search", daemon=True)
    thread.start()
    try:
        if quiet:
            thread.join()
        elif console.is_terminal:
            progress.bar(thread, console)
        else:
            progress.lines(thread, console)
    except KeyboardInterrupt:
        run.cancel()
        thread.join()
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

    def __init__(self, seconds: float, scenario: IScenario) -> None:
        self._seconds, self._scenario = seconds, scenario
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
        return f"generation {generation}, best on train {reached}"

    def bar(self, thread: threading.Thread, console: Console) -> None:
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as shown:
            task = shown.add_task(self.text(), total=self._seconds)
            while thread.is_alive():
                thread.join(0.2)
                shown.update(task, completed=time.monotonic() - self._began, description=self.text())
        console.print(self.text(), markup=False, highlight=False)

    def lines(self, thread: threading.Thread, console: Console) -> None:
        while thread.is_alive():
            thread.join(LINE_EVERY)
            left = max(0.0, self._began + self._seconds - time.monotonic())
            console.print(f"{left:5.0f} s left  {self.text()}", markup=False, highlight=False, soft_wrap=True)


def asParent(scenario: IScenario, path: Path, source: str, wasm: bytes) -> Component:
    """
    Worker thread.  A C file of the user's as what a search begins from.

    @raise ComponentError: it fails on the scenario.
    """
    component = makeComponent(scenario, Candidate(source), measure(scenario, wasm))
    component.id = component.name = plain(path.name)
    return component


def train(
    scenario: IScenario,
    generator: IComponentGenerator,
    *,
    seconds: float,
    seed: int,
    objective: str,
    console: Console,
    parent: Component | None = None,
    quiet: bool = False,
) -> Trained:
    """
    Search on the training part, and put what was found to the guard.

    @param objective: C{"score"}, or C{"fuel"}: to do the same as C{parent}, for less.
    @param console: for progress; C{quiet}: there is none.
    @raise click.ClickException: the generator failed.
    """
    shown = _Progress(seconds, scenario)
    goal = Goal(scenario.workbench.name, seconds, objective, parents=[parent] if parent is not None else [])
    run = SearchRun(scenario, generator, goal, seed=seed, onProgress=shown.tell)
    run.prepare()
    candidate = _search(run, generator.name, console, shown, quiet)
    if candidate is None:
        return Trained(False, f"the generator {generator.name} had nothing to offer")
    with progress(quiet) as tell:
        tell("putting it to the guard", 0, None)
        component, reason = run.judge(candidate, parent=parent)
    if component is not None and component.manifest is not None and component.manifest.report is not None:
        measured = Measurement(component.wasm, component.manifest.abi, component.manifest.report)
    else:
        try:
            measured = submit(scenario, candidate.source, trusted=True)
        except (CompileError, ComponentError):
            return Trained(False, reason, candidate)
    note = f"{'found' if component is not None else 'refused'}, {measured.abi}"
    found = MeasuredComponent("found", measured.report, measured.abi, note=note)
    return Trained(component is not None, reason, candidate, found, measured.wasm)


def sourceFile(
    scenario: IScenario, trained: Trained, *, generator: str, seed: int, told: str, again: Sequence[str]
) -> str:
    """
    The C file: what the generator wrote, with a comment that says what it is and how it was measured.

    @param told: how it was searched for, for people; C{again}: the commands that measure it again.
    """
    candidate = trained.candidate
    assert candidate is not None
    workbench = scenario.workbench
    lines = [f"A component for kernelnet's workbench {workbench.name}, found by `kernelnet bench train`.", ""]
    if not trained.accepted:
        lines.append("REFUSED: it did not pass the guard, so there is no reason to believe that it is any good.")
    lines += [
        f"what       {candidate.note or 'the generator does not say'}",
        f"kind       {'generalist' if isinstance(scenario, Suite) else 'specialist'}",
        f"guard      {trained.reason}",
        *([f"           in {unitOf(scenario)}"] if isinstance(scenario, Suite) else []),
        f"generator  {generator}, seed {seed}, {told}",
        f"workbench  sha256 {workbench.digest}",
        f"compiler   {compilerVersion()}",
    ]
    if trained.found is not None:
        lines += [f"engine     {trained.found.report.engine}", f"ABI        {trained.found.abi}"]
    for part, report in inOrder(scenario, trained.found.report if trained.found is not None else None):
        lines += [
            "",
            f"trace      {part.trace}, sha256 {part.traceDigest}",
            f"settings   {settingsText(part.settings)}",
            *_scoreLines(part, report),
        ]
    lines += ["", "Measure it again:", *(f"    {command}" for command in again)]
    comment = "".join(f" * {_tame(line)}".rstrip() + "\n" for line in lines)
    source = candidate.source if candidate.source.endswith("\n") else candidate.source + "\n"
    text = f"/*\n{comment} */\n{source}"
    if trained.wasm and compileC(text, workbench.headerPath, trusted=True) != trained.wasm:
        # It depends on its lines' numbers: what was measured must be what is written.
        text = f"{source}/*\n{comment} */\n"
    return text


def inOrder(scenario: IScenario, report: Report | None) -> list[tuple[IScenario, Report | None]]:
    """The parts of a suite, or the one scenario, each with its report; by trace and settings."""
    if not isinstance(scenario, Suite):
        return [(scenario, report)]
    reports: Sequence[Report | None] = report.parts if report is not None else [None] * len(scenario.parts)
    pairs = list(zip(scenario.parts, reports, strict=True))
    return sorted(pairs, key=lambda pair: (pair[0].trace, sorted(pair[0].settings.items())))


def _scoreLines(scenario: IScenario, report: Report | None) -> list[str]:
    if report is None:
        return []
    unit, reference, ideal = scenario.workbench.unit, scenario.workbench.reference, scenario.workbench.optimumName
    lines = [f"{'':<11}{unit[:16]:>16}{'events':>12}{'fuel':>16}   level ({reference} 0, {ideal} 1)"]
    for split, score in report.splits.items():
        level = scenario.developmentLevel(report, split)
        row = f"{split.replace('_', '-'):<11}{score.score:>16}{score.events:>12}{score.fuel:>16}   {level:.4f}"
        lines.append(row + "".join(f"  {name} {value}" for name, value in score.metrics.items()))
    return lines


def _tame(line: str) -> str:
    """Words of a generator's or a file's name, fit for a comment: they can't end it, nor begin another line."""
    return plain(line, 1000).replace("*/", "* /").replace("/*", "/ *").rstrip("\\")


def againCommand(workbench: str, out: Path, trace: Path, settings: Mapping[str, int]) -> str:
    """Command that measures what was written again, on one trace."""
    words = ["kernelnet", "bench", "run", workbench, "--component", str(out), "--trace", str(trace)]
    for name, value in settings.items():
        words += ["--set", f"{name}={value}"]
    return shlex.join(words)
