"""C{kernelnet workbenches}: what components can be made for; it needs the base package only."""

from __future__ import annotations

import importlib.metadata
import json
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kernelnet.cli.arguments import incomplete
from kernelnet.cli.common import jsonOption
from kernelnet.interfaces import IWorkbench
from kernelnet.plugins import available

__all__ = ["workbenches"]


@click.command()
@jsonOption
def workbenches(asJson: bool) -> None:
    """List the workbenches: what components can be made for, and what they are measured against."""
    found = []
    for workbench in available(IWorkbench):
        if wrong := incomplete(workbench):
            click.echo(f"left out: {workbench.name} of {_package(workbench)}: {wrong}", err=True)
        else:
            found.append(_described(workbench))
    if asJson:
        click.echo(json.dumps(found, indent=2))
        return
    console = Console()
    table = Table(title="workbenches", title_justify="left", show_lines=True)
    for column in ("name", "what it is"):
        table.add_column(column, no_wrap=column == "name")
    for bench in found:
        # As they are: what looks like markup is none.
        lines = Text(bench["description"], "bold")
        for label, value in (
            ("from", bench["reference"] + " to " + bench["optimum"] + f", in {bench['unit']}"),
            ("by hand", ", ".join(bench["baselines"])),
            ("ABIs", ", ".join(bench["abis"])),
            ("traces", ", ".join(bench["traces"]) or "none ships with it"),
            ("reads", bench["formats"]),
            ("package", bench["package"]),
        ):
            lines.append(f"\n{label}: ", "dim").append(value, "not bold")
        table.add_row(Text(bench["name"]), lines)
    console.print(table)


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
