"""C{kernelnet bench}: measure and search on a workbench, without a hub."""

from __future__ import annotations

import itertools
from pathlib import Path

import click

from kernelnet.cli.arguments import (
    compiled,
    findWorkbench,
    oneLine,
    readComponent,
    taskOptions,
    tasks,
    writeFile,
)
from kernelnet.cli.bench_train import REFUSED, train
from kernelnet.cli.common import jsonOption
from kernelnet.cli.completion import workbenchNames
from kernelnet.cli.component_measurement import Member, asClaimed, asItIs, claimSteps
from kernelnet.cli.inspection import inspect
from kernelnet.cli.plot_plan import costPlans, plans
from kernelnet.cli.policy_comparison import Standing, steps, toJson
from kernelnet.cli.policy_table import printLegend, printStanding, printVerdict
from kernelnet.cli.progress import Counted, progress
from kernelnet.cli.tables import plainConsole

__all__ = ["REFUSED", "bench"]


@click.group()
def bench() -> None:
    """Measure components on a workbench, search for better ones, and draw how they compare; needs no hub."""


bench.add_command(inspect)
bench.add_command(train)


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

    One table for each trace and setting, on the trace as it is; with --component one for each of them, on those
    variants of the trace that its claim is measured on, hand-made policies too.  `kernelnet workbenches` lists the
    names.
    """
    bench = findWorkbench(workbench)
    sources = [(path, readComponent(path)) for path in components]
    with oneLine():
        members = [Member(path, source, compiled(bench, path, source)) for path, source in sources]
        # All of them first: a mistake in the last one is told before anything is measured.
        scenarios = [s for _, s in tasks(bench, traces, settings, capacities, several=True, quiet=asJson)]
        found: list[Standing] = []
        each: list[Member | None] = [*members] or [None]
        counted = Counted(sum(claimSteps(scenario, member) for scenario in scenarios for member in each))
        console = plainConsole()
        for scenario, member in itertools.product(scenarios, each):
            with progress(asJson) as tell:
                found.append(asClaimed(scenario, member, counted.to(tell)))
            if not asJson:
                printStanding(found[-1], console)
                printVerdict(found[-1], console)
    if asJson:
        click.echo(toJson(found))
    else:
        printLegend(found[-1], console)


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
@click.option("--cost", is_flag=True, help="Draw scores over nanoseconds an event, and whom nobody beats in both.")
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
    cost: bool,
    out: Path,
    force: bool,
) -> None:
    """
    Draw how the policies of WORKBENCH compare: all hand-made ones, the optimum, and C files of your own.

    For a page cache: miss ratio over cache size, a panel for each trace.  All are measured on the trace as it is, where
    they can be compared.  With --cost: scores over nanoseconds an event, a panel for each trace and setting.  It needs
    matplotlib: pip install 'kernelnet[plot]'.
    """
    from kernelnet.cli import plotting
    from kernelnet.cli.cost_plot import drawCost
    from kernelnet.cli.pictures import checkPicture
    from kernelnet.workbench.engine import cores

    bench = findWorkbench(workbench)
    sources = [(path, readComponent(path)) for path in components]
    checkPicture(out, force)
    with oneLine():
        members = [Member(path, source, compiled(bench, path, source)) for path, source in sources]
        chosen = (costPlans if cost else plans)(bench, traces, settings, capacities, over)
        counted = Counted(sum(len(members) + steps(scenario) for plan in chosen for scenario in plan.scenarios))
        with progress() as tell:
            told = counted.to(tell)
            panels = [
                (
                    plan,
                    plotting.measured(
                        plan.scenarios,
                        lambda scenario: asItIs(scenario, members, told, costs=cost),
                        # What runs beside it would make it slower.
                        1 if cost else cores(),
                    ),
                )
                for plan in chosen
            ]
        draw = drawCost if cost else plotting.draw
        data = draw(panels, part.replace("-", "_"), out.suffix.lower().removeprefix("."), level=level)
        writeFile(out, data, force)
    runs = sum(len(standing.policies) for _, found in panels for standing in found)
    click.echo(f"drawn: {out}, of {runs} measurements")
