"""C{kernelnet bench}: measure and search on a workbench, without a hub."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

import click
from msgspec.structs import replace
from rich.console import Console

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
from kernelnet.cli.plot_plan import plans
from kernelnet.cli.policy_comparison import (
    MeasuredComponent,
    Standing,
    measureBaselines,
    printLegend,
    printStanding,
    standing,
    steps,
    toJson,
    unitOf,
)
from kernelnet.cli.progress import Counted, progress
from kernelnet.interfaces import IScenario
from kernelnet.learning.hindsight import chosenOnTrain
from kernelnet.learning.submission import measure
from kernelnet.workbench.errors import ComponentError

__all__ = ["REFUSED", "bench"]

REFUSED = 3
"""Exit code of a search whose result did not pass the guard."""


@click.group()
def bench() -> None:
    """Measure components on a workbench, search for better ones, and draw how they compare; needs no hub."""


@bench.command()
@click.argument("workbench", shell_complete=workbenchNames)
@click.option(
    "--component",
    "components",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A C file for one of the workbench's ABIs; may be repeated [default: only the hand-made policies].",
)
@taskOptions
@jsonOption
def run(
    *,
    workbench: str,
    components: tuple[Path, ...],
    traces: tuple[Path, ...],
    settings: tuple[str, ...],
    capacities: tuple[str, ...],
    asJson: bool,
) -> None:
    """
    Measure C files of your own on WORKBENCH beside its hand-made policies and its optimum.

    One table for each trace and setting; `kernelnet workbenches` lists the names.
    """
    bench = findWorkbench(workbench)
    sources = [(path, readComponent(path)) for path in components]
    with oneLine():
        modules = [(path, compiled(bench, path, source)) for path, source in sources]
        # All of them first: a mistake in the last one is told before anything is measured.
        scenarios = [s for _, s in tasks(bench, traces, settings, capacities, several=True, quiet=asJson)]
        found: list[Standing] = []
        console, counted = _console(), Counted(sum(len(modules) + steps(scenario) for scenario in scenarios))
        for scenario in scenarios:
            with progress(asJson) as tell:
                found.append(_measured(scenario, modules, counted.to(tell)))
            if not asJson:
                printStanding(found[-1], console)
    if asJson:
        click.echo(toJson(found))
    else:
        printLegend(found[-1], console)


@bench.command()
@click.argument("workbench", shell_complete=workbenchNames)
@taskOptions
@click.option("--seconds", type=Seconds(1, 86400), default=60.0, show_default=True, help="How long to search.")
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
    default="score",
    show_default=True,
    help="What to improve: the score, or the fuel, for doing the same as --parent.",
)
@click.option("--parent", type=click.Path(path_type=Path), default=None, help="A C file to begin from.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The C file to write.")
@click.option("--force", is_flag=True, help="Overwrite it if it is there.")
@click.option("--keep-refused", "keepRefused", is_flag=True, help="Write what the guard refused, too.")
@jsonOption
def train(
    *,
    workbench: str,
    traces: tuple[Path, ...],
    settings: tuple[str, ...],
    capacities: tuple[str, ...],
    seconds: float,
    generatorName: str | None,
    seed: int | None,
    objective: str,
    parent: Path | None,
    out: Path,
    force: bool,
    keepRefused: bool,
    asJson: bool,
) -> None:
    """
    Search for a component of WORKBENCH on traces, and write it as a C file.

    The search sees the training part of each trace only.  What it finds is written if it passes the guard: if it is
    better on the validation part than the hand-made policy that is best on train.  Several traces, or several
    capacities, make one task, and what is found for it a generalist.

    Exit code 3: nothing passed the guard, and no file was written (but for --keep-refused).
    """
    from kernelnet.cli import training
    from kernelnet.workbench.suite import Suite

    bench = findWorkbench(workbench)
    console, errors = _console(), _console(stderr=True)
    with oneLine():
        generator = training.chooseGenerator(bench, generatorName)
        checkOut(out, force)
        if objective == "fuel" and parent is None:
            raise Mistake("--objective fuel takes --parent FILE.c: what to do the same as")
        source = readComponent(parent) if parent is not None else ""
        wasm = compiled(bench, parent, source) if parent is not None else b""
        chosen = tasks(bench, traces, settings, capacities, several=False, quiet=asJson)
        try:
            scenario = Suite([part for _, part in chosen]) if len(chosen) > 1 else chosen[0][1]
        except ValueError as error:
            raise Mistake(f"{error}; the same trace was given twice") from None
        with progress(asJson) as tell:
            begun, measured = None, Counted(steps(scenario) + (parent is not None)).to(tell)
            if parent is not None:
                try:
                    begun = training.asParent(scenario, parent, source, wasm)
                except ComponentError as error:
                    raise failing(scenario, parent, error) from None
                measured()
            measureBaselines(scenario, measured)  # outside of the time that the search has
        seed = secrets.randbits(31) if seed is None else seed
        told = f"{seconds:g} s, objective {objective}"
        errors.print(f"{generator.name} searches {told}, seed {seed}, on {scenario.trace}", soft_wrap=True)
        trained = training.train(
            scenario,
            generator,
            seconds=seconds,
            seed=seed,
            objective=objective,
            console=errors,
            parent=begun,
            quiet=asJson,
        )
        again = [training.againCommand(bench.name, out, path, part.settings) for path, part in chosen]
        written = trained.found is not None and (trained.accepted or keepRefused)
        if written:
            text = training.sourceFile(scenario, trained, generator=generator.name, seed=seed, told=told, again=again)
            writeFound(out, text.encode("utf-8", "surrogateescape"), force)
            if trained.found is not None:
                trained.found.file, trained.found.name = str(out), out.name
        shown = [trained.found] if trained.found is not None else []
        if begun is not None and begun.manifest is not None and begun.manifest.report is not None:
            shown.append(
                MeasuredComponent(begun.id, begun.manifest.report, begun.manifest.abi, str(parent), note="parent")
            )
        found = [standing(part, measured) for part, measured in _parts(scenario, shown)]
    if asJson:
        click.echo(toJson(found))
    else:
        for each, following in itertools.zip_longest(found, found[1:]):
            printStanding(each, console)
            if following is None or following.unit != each.unit:
                printLegend(each, console)
    verdict = "accepted" if trained.accepted else "refused"
    console = errors if asJson else console
    unit = f"; scores in {unitOf(scenario)}" if len(chosen) > 1 and trained.found is not None else ""
    console.print(f"{verdict}: {trained.reason}{unit}", soft_wrap=True)
    if written:
        console.print(f"written: {out}; measure it again:", soft_wrap=True)
        for command in again:
            console.print(f"  {command}", soft_wrap=True)
    elif objective == "score" and _nothingToGain(scenario):
        console.print("nothing was written; there is nothing to gain: a hand-made policy is as good as the optimum")
    else:
        console.print("nothing was written; more --seconds or another --seed may help", soft_wrap=True)
    if not trained.accepted:
        raise SystemExit(REFUSED)


@bench.command()
@click.argument("workbench", shell_complete=workbenchNames)
@taskOptions
@click.option(
    "--component",
    "components",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A C file to draw beside the hand-made policies, such as one that bench train wrote; may be repeated.",
)
@click.option(
    "--over",
    metavar="NAME=A,B,…",
    default=None,
    help="A setting and its values, for the x axis [default: cache sizes where there is a cache, else the traces].",
)
@click.option(
    "--part",
    type=click.Choice(["train", "validation", "held-out"]),
    default="held-out",
    show_default=True,
    help="Which part's scores.",
)
@click.option("--level", is_flag=True, help="Draw shares of the distance from reference to optimum, not scores.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The picture, .png or .svg.")
@click.option("--force", is_flag=True, help="Overwrite it if it is there.")
def plot(
    *,
    workbench: str,
    traces: tuple[Path, ...],
    settings: tuple[str, ...],
    capacities: tuple[str, ...],
    components: tuple[Path, ...],
    over: str | None,
    part: str,
    level: bool,
    out: Path,
    force: bool,
) -> None:
    """
    Draw how the policies of WORKBENCH compare: all hand-made ones, the optimum, and C files of your own.

    For a page cache: miss ratio over cache size, a panel for each trace.  It needs matplotlib: pip install
    'kernelnet[plot]'.
    """
    from kernelnet.cli import plotting

    bench = findWorkbench(workbench)
    sources = [(path, readComponent(path)) for path in components]
    if out.suffix.lower() not in plotting.SUFFIXES:
        raise Mistake(f"{out}: the picture's name should end in {' or '.join(plotting.SUFFIXES)}")
    checkOut(out, force)
    plotting.checkMatplotlib()
    with oneLine():
        modules = [(path, compiled(bench, path, source)) for path, source in sources]
        chosen = plans(bench, traces, settings, capacities, over)
        counted = Counted(sum(len(modules) + steps(scenario) for plan in chosen for scenario in plan.scenarios))
        with progress() as tell:
            measured = counted.to(tell)
            panels = [
                (plan, plotting.measured(plan.scenarios, lambda scenario: _measured(scenario, modules, measured)))
                for plan in chosen
            ]
        data = plotting.draw(panels, part.replace("-", "_"), out.suffix.lower().removeprefix("."), level=level)
        writeFile(out, data, force)
    runs = sum(len(standing.policies) for _, found in panels for standing in found)
    click.echo(f"drawn: {out}, of {runs} measurements")


def _measured(scenario: IScenario, modules: Sequence[tuple[Path, bytes]], counted: Callable[[], object]) -> Standing:
    """
    Modules beside all that the bench has.

    @param counted: called after each measurement.
    @raise click.ClickException: one of them fails.
    """
    measured = []
    for path, wasm in modules:  # first: what fails is told before the rest is measured
        try:
            each = measure(scenario, wasm)
        except ComponentError as error:
            raise failing(scenario, path, error) from None
        measured.append(MeasuredComponent(path.name, each.report, each.abi, str(path), note=each.abi))
        counted()
    return standing(scenario, measured, counted)


def _nothingToGain(scenario: IScenario) -> bool:
    """Whether the policy that must be beaten, the best on train, is on validation what nobody can beat."""
    best = scenario.baselines()[chosenOnTrain(scenario)]
    return best.splits["validation"].score <= scenario.optimum()["validation"]


def _parts(scenario: IScenario, found: list[MeasuredComponent]) -> list[tuple[IScenario, list[MeasuredComponent]]]:
    """Each scenario with what was measured there; after the parts of a suite the suite itself."""
    from kernelnet.cli.training import inOrder
    from kernelnet.workbench.suite import Suite

    reports = [inOrder(scenario, each.report) for each in found]
    parts = [
        (part, [replace(each, report=its[at][1]) for each, its in zip(found, reports, strict=True)])
        for at, (part, _) in enumerate(inOrder(scenario, None))
    ]
    return [*parts, (scenario, found)] if isinstance(scenario, Suite) else parts


def _console(stderr: bool = False) -> Console:
    # As they are: what looks like markup in a file's name is none.
    return Console(markup=False, emoji=False, highlight=False, stderr=stderr)
