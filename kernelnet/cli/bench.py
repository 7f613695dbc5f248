"""C{kernelnet bench}: measure and search on a workbench, without a hub."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from kernelnet.cli.arguments import (
    Mistake,
    compiled,
    failing,
    findWorkbench,
    oneLine,
    readComponent,
    settingsOf,
    taskOptions,
)
from kernelnet.cli.standing import Found, Standing, printLegend, printStanding, standing, toJson
from kernelnet.workbench.errors import ComponentError

__all__ = ["bench"]


@click.group()
def bench() -> None:
    """Measure components on a workbench, search for better ones, and draw how they compare; needs no hub."""


@bench.command()
@click.argument("workbench")
@click.option(
    "--component",
    "components",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A C file for one of the workbench's ABIs; may be repeated [default: only the hand-made policies].",
)
@taskOptions
@click.option("--json", "asJson", is_flag=True, help="Print JSON.")
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
        paths = list(traces) or bench.traces()
        if not paths:
            raise Mistake(f"no trace ships with {bench.name}: give one by --trace")
        # All of them first: a mistake in the last one is told before anything is measured.
        scenarios = [
            bench.scenario(path, task) for path in paths for task in settingsOf(bench, path, settings, capacities)
        ]
        found: list[Standing] = []
        console = Console(markup=False, emoji=False, highlight=False)
        for scenario in scenarios:
            measured = []
            for path, wasm in modules:
                try:
                    report, abi = scenario.measure(wasm), bench.abiOf(wasm).identifier
                except ComponentError as error:
                    raise failing(scenario, path, error) from None
                measured.append(Found(path.name, report, abi, str(path), note=abi))
            found.append(standing(scenario, measured))
            if not asJson:
                printStanding(found[-1], console)
    if asJson:
        click.echo(toJson(found))
    else:
        printLegend(found[-1], console)
