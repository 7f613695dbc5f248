"""C{kernelnet bench train}: the command."""

from __future__ import annotations

import itertools
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kernelnet.cli.arguments import (
    Mistake,
    Seconds,
    checkOut,
    compiled,
    failing,
    findWorkbench,
    oneLine,
    readComponent,
    taskOptions,
    tasks,
    writeFile,
    writeFound,
)
from kernelnet.cli.common import jsonOption
from kernelnet.cli.completion import generatorNames, workbenchNames
from kernelnet.cli.language_models import asking, ledgerBeside, modelOptions, printCosts
from kernelnet.cli.policy_comparison import Standing, measureBaselines, steps, toJson, unitOf
from kernelnet.cli.policy_table import printLegend, printStanding
from kernelnet.cli.progress import Counted, progress
from kernelnet.cli.tables import plainConsole
from kernelnet.interfaces import IScenario, IWorkbench
from kernelnet.interrupt import held
from kernelnet.workbench.errors import ComponentError

if TYPE_CHECKING:
    from rich.console import Console

    from kernelnet.cli.training import Search
    from kernelnet.learning.saved_search import SavedSearch

__all__ = ["REFUSED", "train"]

REFUSED = 3
"""Exit code of a search whose result did not pass the guard."""

LEAST_MEMORY = (1 << 20) + (1 << 16)
"""Bytes: a component's stack, which our compiler puts first, and a page."""

SECONDS = 60.0
A_DAY = 86400.0

Tasks = list[tuple[Path, IScenario]]


@click.command()
@click.argument("workbench", shell_complete=workbenchNames)
@taskOptions
@click.option("--seconds", type=Seconds(1, A_DAY), default=None, help=f"How long to search [default: {SECONDS:g}].")
@click.option(
    "--evaluations",
    type=click.IntRange(1, 1_000_000),
    default=None,
    help="How many modules to measure: the same seed then finds the same on every machine.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 1024),
    default=None,
    help="How many to measure at once; the result is the same [default: one for each core].",
)
@click.option(
    "--generator",
    "generatorName",
    default=None,
    shell_complete=generatorNames,
    help="Who writes it [default: search, where it can].",
)
@click.option("--seed", type=click.IntRange(0, (1 << 63) - 1), default=None, help="[default: a random one]")
@click.option(
    "--objective",
    type=click.Choice(["score", "fuel"]),
    default=None,
    help="What to improve: the score, or the fuel, for doing the same as --parent  [default: score]",
)
@click.option(
    "--memory",
    type=click.IntRange(LEAST_MEMORY, 1 << 30),
    default=None,
    metavar="BYTES",
    help="Of linear memory at most, 1 MiB of stack among it, for where it shall run [default: what the bench allows].",
)
@click.option("--parent", type=click.Path(path_type=Path), default=None, help="A C file to begin from.")
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    default=None,
    help="A C file that an earlier search wrote (or should have): go on with that search.",
)
@click.option("--out", type=click.Path(path_type=Path), default=None, help="The C file to write [default: --resume's].")
@click.option("--plot", "picture", type=click.Path(path_type=Path), default=None, help="Draw the search, .png or .svg.")
@click.option("--force", is_flag=True, help="Overwrite files that are there.")
@click.option("--keep-refused", "keepRefused", is_flag=True, help="Write what the guard refused, too.")
@modelOptions
@jsonOption
def train(
    *,
    workbench: str,
    traces: tuple[Path, ...],
    settings: tuple[str, ...],
    capacities: tuple[str, ...],
    seconds: float | None,
    evaluations: int | None,
    jobs: int | None,
    generatorName: str | None,
    seed: int | None,
    objective: str | None,
    memory: int | None,
    parent: Path | None,
    resume: Path | None,
    out: Path | None,
    picture: Path | None,
    force: bool,
    keepRefused: bool,
    llmOptions: dict[str, Any],
    asJson: bool,
) -> None:
    """
    Search for a component of WORKBENCH on traces, and write it as a C file.

    The search sees the training part of each trace only.  What it finds is written if it passes the guard: if it is
    better on the validation part than every hand-made policy.  Several traces, or several capacities, make one task,
    and what is found for it a generalist.

    Ctrl-C ends the search, and what it has found is judged and written; a second one ends at once.  Whatever ended it,
    FILE.search lies beside the C file, by which --resume FILE goes on.

    Exit code 3: nothing passed the guard, and no C file was written (but for --keep-refused).
    """
    from kernelnet.cli import found_source, resumption, training
    from kernelnet.cli.pictures import checkPicture
    from kernelnet.cli.worth import nothingToLearn
    from kernelnet.learning.saved_search import searchFile
    from kernelnet.learning.search_results import SearchResults

    bench = findWorkbench(workbench)
    console, errors = plainConsole(), plainConsole(stderr=True)
    saved = None
    if resume is not None:
        given = {"--generator": generatorName, "--seed": seed, "--objective": objective, "--parent": parent}
        if named := [name for name, value in given.items() if value is not None]:
            raise Mistake(f"--resume {resume} goes on with what that search had: leave out {', '.join(named)}")
        saved = resumption.savedSearch(resume, bench)
        if (evaluations is None) is not saved.timed:
            how = "--seconds" if saved.timed else "--evaluations"
            raise Mistake(f"--resume {resume}: that search was given {how}; go on with {how}, and not with the other")
        out = out or resume
    if out is None:
        raise Mistake("Missing option '--out': the C file to write")
    with oneLine():
        generator = training.chooseGenerator(bench, saved.generator if saved is not None else generatorName)
        objective = saved.objective if saved is not None else objective or "score"
        if out != resume:
            checkOut(out, force)
            if searchFile(out).exists() and not force:
                raise Mistake(
                    f"{searchFile(out)} is there already: --resume {out} goes on with it, --force begins anew"
                )
            if force:
                ledgerBeside(out).unlink(missing_ok=True)
        generator = asking(generator, llmOptions, ledgerBeside(out))
        if picture is not None:
            checkPicture(picture, force)
        if objective == "fuel" and parent is None and saved is None:
            raise Mistake("--objective fuel takes --parent FILE.c: what to do the same as")
        if saved is not None and saved.parent:
            parent, source = Path(saved.parent_name), saved.parent
        else:
            source = readComponent(parent) if parent is not None else ""
        wasm = compiled(bench, parent, source) if parent is not None else b""
        chosen = _tasks(bench, traces, settings, capacities, saved, quiet=asJson)
        scenario = _scenario(chosen, saved, resume)
        with progress(asJson) as tell:
            begun, measured = None, Counted(steps(scenario) + (parent is not None)).to(tell)
            if parent is not None:
                try:
                    begun = resumption.asParent(scenario, parent, source, wasm)
                except ComponentError as error:
                    raise failing(scenario, parent, error) from None
                measured()
            earlier = resumption.earlierComponent(scenario, resume) if resume is not None else None
            measureBaselines(scenario, measured)  # outside of the time that the search has
        if words := nothingToLearn(scenario):
            errors.print(f"warning: {words}", soft_wrap=True)
        seed = saved.seed if saved is not None else secrets.randbits(31) if seed is None else seed
        budget = training.Budget(seconds or (A_DAY if evaluations else SECONDS), evaluations, jobs, seconds is None)
        told = f"{budget}, objective {objective}"
        begins = f", goes on after {saved.evaluations} evaluations" if saved is not None else ""
        errors.print(f"{generator.name} searches {told}, seed {seed}, on {scenario.trace}{begins}", soft_wrap=True)
        search = training.Search(
            scenario,
            generator,
            budget,
            seed=seed,
            objective=objective,
            parent=begun,
            results=SearchResults(saved.results if saved is not None else None),
            costs=saved.costs if saved is not None else [],
            before=saved.evaluations if saved is not None else 0,
        )
        goesOn = ""
        try:
            try:
                _bound(chosen, memory)
                candidate = search.run(errors, asJson)
            finally:
                _bound(chosen, None)
                # At once, whatever ended it: what follows may be interrupted, too.
                with held():
                    goesOn = _kept(search, out, errors, chosen, saved, parent=parent, source=source)
            trained = search.judge(candidate, out.name, earlier, asJson)
        except (KeyboardInterrupt, click.ClickException):
            if goesOn:
                errors.print(goesOn, soft_wrap=True)
            raise
        again = [found_source.againCommand(bench.name, out, path, part.settings) for path, part in chosen]
        written = trained.found is not None and (trained.accepted or keepRefused)
        if written:
            text = found_source.sourceFile(
                scenario, trained, generator=generator.name, seed=seed, told=told, again=again
            )
            writeFound(out, text.encode("utf-8", "surrogateescape"), force or out == resume)
            if trained.found is not None:
                trained.found.file = str(out)
        if picture is not None:
            with progress(asJson) as tell:
                writeFile(picture, search.picture(tell, picture), force)
        with progress(asJson) as tell:
            found = training.standings(
                scenario,
                trained,
                lambda: tell("comparing", 0, None),
                objective=objective,
                parent=begun,
                parentFile=str(parent),
                earlier=earlier,
            )
    _told(found, asJson)
    verdict = "accepted" if trained.accepted else "refused"
    console = errors if asJson else console
    unit = f"; scores in {unitOf(scenario)}" if len(chosen) > 1 and trained.found is not None else ""
    console.print(f"{verdict}: {trained.reason}{unit}", soft_wrap=True)
    if picture is not None:
        console.print(f"drawn: {picture}", soft_wrap=True)
    if written:
        console.print(f"written: {out}; measure it again:", soft_wrap=True)
        for command in again:
            console.print(f"  {command}", soft_wrap=True)
    elif objective == "score" and training.isOptimal(scenario):
        console.print("nothing was written; there is nothing to gain: a hand-made policy is as good as the optimum")
    else:
        more = "--evaluations" if evaluations else "--seconds"
        console.print(f"nothing was written; more {more} or another --seed may help", soft_wrap=True)
    if goesOn:
        console.print(goesOn, soft_wrap=True)
    printCosts(ledgerBeside(out), console)
    console.print(found[-1].verdict, soft_wrap=True)
    if not trained.accepted:
        raise SystemExit(REFUSED)


def _kept(
    search: Search,
    out: Path,
    errors: Console,
    chosen: Tasks,
    saved: SavedSearch | None,
    *,
    parent: Path | None,
    source: str,
) -> str:
    """
    Write beside C{out} what it takes to go on.

    @return: words for how to go on; empty: nothing was measured, or it can't be written.
    """
    from kernelnet.learning.saved_search import searchFile

    if not search.results.evaluations:
        return ""
    beside = searchFile(out)
    try:
        name = parent.name if parent is not None else ""
        writeFile(beside, search.state(chosen, saved, parent_name=name, parent=source), True)
    except click.ClickException as error:
        # What was found is judged and written all the same, perhaps elsewhere.
        errors.print(f"warning: nothing can go on with this search: {error.message}", soft_wrap=True)
        return ""
    return f"go on: kernelnet bench train {search.workbench} --resume {out} (with {beside.name} beside it)"


def _bound(chosen: Tasks, memory: int | None) -> None:
    """Give all that is measured on these so many bytes at most; C{None}: as many as the bench allows."""
    from kernelnet.workbench.base import BaseScenario

    for _, part in chosen:
        if isinstance(part, BaseScenario):
            part.machine.memoryBound = memory


def _tasks(
    bench: IWorkbench,
    traces: tuple[Path, ...],
    settings: tuple[str, ...],
    capacities: tuple[str, ...],
    saved: SavedSearch | None,
    *,
    quiet: bool,
) -> Tasks:
    """Those that are asked for; where none are, those of the search that is gone on with."""
    if saved is None or traces or settings or capacities:
        return tasks(bench, traces, settings, capacities, several=False, quiet=quiet)
    found: Tasks = []
    for path, chosen in saved.tasks:
        each = [f"{name}={value}" for name, value in chosen.items()]
        found += tasks(bench, (Path(path),), each, (), several=False, quiet=quiet)
    return found


def _scenario(chosen: Tasks, saved: SavedSearch | None, resume: Path | None) -> IScenario:
    """@raise Mistake: two are the same; or they aren't those of the search that is gone on with."""
    from kernelnet.workbench.suite import Suite

    try:
        scenario = Suite([part for _, part in chosen]) if len(chosen) > 1 else chosen[0][1]
    except ValueError as error:
        raise Mistake(f"{error}; the same trace was given twice") from None
    if saved is not None:
        settings = [settings for _, settings in saved.tasks]
        same = scenario.traceDigest == saved.trace_digest and [part.settings for _, part in chosen] == settings
        if not same:
            raise Mistake(f"--resume {resume} was a search on other traces or settings than these")
    return scenario


def _told(found: list[Standing], asJson: bool) -> None:
    if asJson:
        click.echo(toJson(found))
        return
    console = plainConsole()
    for each, following in itertools.zip_longest(found, found[1:]):
        printStanding(each, console)
        if following is None or following.unit != each.unit:
            printLegend(each, console)
