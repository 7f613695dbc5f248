"""C{kernelnet workbenches}: what components can be made for; it needs the base package only."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Sequence
from typing import Any

import click
import msgspec
from rich.text import Text

from kernelnet.cli.arguments import incomplete, oneLine
from kernelnet.cli.common import jsonOption
from kernelnet.cli.completion import workbenchNames
from kernelnet.cli.progress import progress
from kernelnet.cli.tables import Column, plainConsole, printRows
from kernelnet.interfaces import IWorkbench
from kernelnet.plugins import available
from kernelnet.untrusted import plain

__all__ = ["workbenches"]

OBJECTIVE = "performance"
"""Specialization that has no workbench, since it has one aim on all of them."""

OBJECTIVE_IN_FULL = (
    ("from", "a component that a second AI has confirmed, to the same decisions on every split for less fuel"),
    ("hand-made", "the component itself: one that does anything else, or takes as much fuel, is refused"),
    ("optimum", "unknown: nobody can say how little fuel would do"),
    ("traces", "those of the component's own workbench"),
    ("generator", "search, which rewrites the component's source where its objective is fuel"),
)


@click.command()
@click.argument("name", required=False, shell_complete=workbenchNames)
@click.option(
    "--room",
    is_flag=True,
    help="Measure all hand-made policies on the traces that ship, and show the best in hindsight beside the optimum.",
)
@jsonOption
def workbenches(name: str | None, room: bool, asJson: bool) -> None:
    """
    List the workbenches: what components can be made for, and what they are measured against; NAME: one in full.

    With --room it measures how much a component can be better than every hand-made policy: that takes minutes for all
    of them, and the trainer's packages.
    """
    if name == OBJECTIVE:
        _printObjective(room, asJson)
        return
    benches = []
    for workbench in available(IWorkbench):
        if wrong := incomplete(workbench):
            click.echo(f"left out: {workbench.name} of {_package(workbench)}: {wrong}", err=True)
        elif name in (None, workbench.name):
            benches.append(workbench)
    if name is not None and not benches:
        names = ", ".join([*(workbench.name for workbench in available(IWorkbench)), OBJECTIVE])
        raise click.UsageError(f"unknown workbench {plain(name, 64)!r}; there are: {names}")
    found = [_described(workbench) for workbench in benches]
    if room:
        _room(benches, found, asJson)
    elif asJson:
        click.echo(json.dumps(found, indent=2))
    elif name is not None:
        for bench in found:
            _print(bench)
    else:
        columns = (
            Column("name"),
            Column("description", least=40),
            Column("from", leave=2),
            Column("to", leave=2),
            Column("hand-made", leave=3, right=True),
            Column("tuned", leave=5, right=True),
            Column("traces", leave=4, right=True),
        )
        printRows(columns, [_row(bench) for bench in found])
        click.echo(f"and {OBJECTIVE}, on each of them: the same decisions for less fuel")
        click.echo("all of one: kernelnet workbenches NAME; measured, what can be gained: kernelnet workbenches --room")


def _room(benches: Sequence[IWorkbench], found: list[dict[str, Any]], asJson: bool) -> None:
    """@raise click.ClickException: the trainer's packages are missing, or a trace can't be read."""
    with oneLine():
        from kernelnet.cli.room import measureRoom, printRoom

        with progress(asJson) as tell:
            rooms = measureRoom(benches, tell)
    if asJson:
        told = [{**bench, "room": msgspec.to_builtins(rooms[bench["name"]])} for bench in found]
        click.echo(json.dumps(told, indent=2))
    else:
        printRoom(benches, rooms)


def _printObjective(room: bool, asJson: bool) -> None:
    """@raise click.UsageError: it is no workbench, and can't be shown as one."""
    if room or asJson:
        raise click.UsageError(f"{OBJECTIVE} is an objective, no workbench: it has neither --room nor --json")
    click.echo(f"{OBJECTIVE}: an objective on every workbench: the same decisions for less fuel")
    for label, value in OBJECTIVE_IN_FULL:
        click.echo(f"  {label:<10}{value}")


def _row(bench: dict[str, Any]) -> tuple[str, ...]:
    counts = (str(len(bench["baselines"])), str(len(bench["tuned"])), str(len(bench["traces"])))
    return (bench["name"], plain(bench["description"]), bench["reference"], bench["optimum"], *counts)


def _print(bench: dict[str, Any]) -> None:
    console = plainConsole()
    console.print(Text(f"{bench['name']}: {bench['description']}", "bold"), soft_wrap=True)
    for label, value in (
        ("from", bench["reference"] + " to " + bench["optimum"] + f", in {bench['unit']}"),
        ("hand-made", ", ".join(bench["baselines"])),
        ("tuned", ", ".join(bench["tuned"]) or "none of them"),
        ("ABIs", ", ".join(bench["abis"])),
        ("traces", ", ".join(bench["traces"]) or "none ships with it"),
        ("reads", bench["formats"]),
        ("package", bench["package"]),
    ):
        console.print(Text(f"  {label:<10}", "dim").append(value, "not dim"), soft_wrap=True)


def _described(workbench: IWorkbench) -> dict[str, Any]:
    return {
        "name": workbench.name,
        "description": workbench.description,
        "reference": workbench.reference,
        "optimum": workbench.optimumName,
        "unit": workbench.unit,
        "abis": [abi.identifier for abi in workbench.abis],
        "baselines": list(workbench.baselineNames),
        "tuned": [name for name in workbench.baselineNames if name in getattr(workbench, "tuned", ())],
        "traces": [path.name for path in workbench.traces()],
        "formats": workbench.formats,
        "package": _package(workbench),
    }


def _package(workbench: IWorkbench) -> str:
    """The distribution that the plugin comes from, with its version; its module where no distribution has it."""
    module: str = type(workbench).__module__.partition(".")[0]
    # By its own name first: the table of all distributions does not know what an editable install has.
    for name in (module, *importlib.metadata.packages_distributions().get(module, [])):
        try:
            return f"{importlib.metadata.metadata(name)['Name']} {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            continue
    return module
