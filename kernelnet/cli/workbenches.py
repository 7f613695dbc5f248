"""C{kernelnet workbenches}: what components can be made for; it needs the base package only."""

from __future__ import annotations

import importlib.metadata
import json
from typing import Any

import click
from rich.text import Text

from kernelnet.cli.arguments import incomplete
from kernelnet.cli.common import jsonOption
from kernelnet.cli.completion import workbenchNames
from kernelnet.cli.tables import Column, plainConsole, printRows
from kernelnet.interfaces import IWorkbench
from kernelnet.plugins import available
from kernelnet.untrusted import plain

__all__ = ["workbenches"]


@click.command()
@click.argument("name", required=False, shell_complete=workbenchNames)
@jsonOption
def workbenches(name: str | None, asJson: bool) -> None:
    """List the workbenches: what components can be made for, and what they are measured against; NAME: one in full."""
    found = []
    for workbench in available(IWorkbench):
        if wrong := incomplete(workbench):
            click.echo(f"left out: {workbench.name} of {_package(workbench)}: {wrong}", err=True)
        elif name in (None, workbench.name):
            found.append(_described(workbench))
    if name is not None and not found:
        names = ", ".join(workbench.name for workbench in available(IWorkbench))
        raise click.UsageError(f"unknown workbench {plain(name, 64)!r}; there are: {names}")
    if asJson:
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
            Column("traces", leave=4, right=True),
        )
        printRows(columns, [_row(bench) for bench in found])
        click.echo("all of one: kernelnet workbenches NAME")


def _row(bench: dict[str, Any]) -> tuple[str, ...]:
    counts = (str(len(bench["baselines"])), str(len(bench["traces"])))
    return (bench["name"], plain(bench["description"]), bench["reference"], bench["optimum"], *counts)


def _print(bench: dict[str, Any]) -> None:
    console = plainConsole()
    console.print(Text(f"{bench['name']}: {bench['description']}", "bold"), soft_wrap=True)
    for label, value in (
        ("from", bench["reference"] + " to " + bench["optimum"] + f", in {bench['unit']}"),
        ("hand-made", ", ".join(bench["baselines"])),
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
