"""C{kernelnet exporters}: real systems that components can be made for, and what C{components export --for} writes."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from kernelnet.artifacts import Component
from kernelnet.cli.arguments import compiled, readComponent
from kernelnet.cli.common import jsonOption
from kernelnet.cli.tables import Column, printRows
from kernelnet.exporters.errors import ExportError
from kernelnet.exporters.folder import exportTo
from kernelnet.interfaces import IExporter, IWorkbench
from kernelnet.plugins import PluginError, available, find
from kernelnet.untrusted import plain
from kernelnet.workbench.errors import WorkbenchError

__all__ = ["exportComponent", "exportFile", "exporters"]


@click.command()
@jsonOption
def exporters(asJson: bool) -> None:
    """List what components can be made for (components export --for), what each needs, and whether that is here."""
    found = [_described(exporter) for exporter in available(IExporter)]
    if asJson:
        click.echo(json.dumps(found, indent=2))
        return
    columns = (
        Column("name"),
        Column("description", least=24),
        Column("components of", least=10, leave=2),
        Column("needs", least=16, leave=1),
        Column("here"),
    )
    rows = []
    for each in found:
        benches = ", ".join(each["workbenches"]) or "all workbenches"
        rows.append((each["name"], plain(each["description"]), benches, plain(each["needs"]), _yes(each)))
    printRows(columns, rows)
    for each in found:
        for line in each["missing"]:
            click.echo(f"{each['name']}: {plain(line, 300)}")


def _yes(described: Mapping[str, Any]) -> str:
    return "no" if described["missing"] else "yes"


def _described(exporter: IExporter) -> dict[str, Any]:
    return {
        "name": exporter.name,
        "description": exporter.description,
        "workbenches": list(exporter.workbenches),
        "needs": exporter.needs,
        "missing": list(exporter.missing()),
    }


def exportComponent(target: str, component: Component, digest: str, out: Path) -> None:
    """
    Export what an AI has shared, of the module that others measured.

    @param digest: the component's own.
    @raise click.ClickException: it can't be.
    """
    manifest = component.manifest
    if manifest is None or not component.wasm:
        raise click.ClickException(f"{plain(component.id)} was shared without its module: there is nothing to export")
    if hashlib.sha256(component.wasm).hexdigest() != manifest.wasm_sha256:
        raise click.ClickException(
            f"{plain(component.id)} was shared with another module than its manifest names: it is spoiled"
        )
    about: dict[str, Any] = {"component": component.id, "digest": digest}
    _export(target, _benchNamed(manifest.workbench), component.wasm, out, about)


def exportFile(target: str, path: Path, out: Path) -> None:
    """
    Export a C file of the user's, or what `kernelnet bench train` wrote.

    @raise click.ClickException: it can't be.
    """
    source = readComponent(path)
    named = re.search(r'#\s*include\s*"kn_(\w+)\.h"', source)
    if named is None:
        headers = ", ".join(bench.headerPath.name for bench in available(IWorkbench))
        raise click.ClickException(f"{path} includes no workbench's header; it should include one of {headers}")
    bench = _benchNamed(named[1])
    _export(target, bench, compiled(bench, path, source), out, {"source": path.name})


def _benchNamed(name: str) -> IWorkbench:
    try:
        return find(IWorkbench, name, "workbench")
    except PluginError as error:
        raise click.ClickException(plain(str(error), 300)) from None


def _export(target: str, bench: IWorkbench, wasm: bytes, out: Path, about: Mapping[str, Any]) -> None:
    try:
        exporter = find(IExporter, target, "exporter")
    except PluginError as error:
        raise click.UsageError(plain(str(error), 300)) from None
    try:
        manifest = exportTo(out, exporter, wasm, bench.abiOf(wasm), about)
    except (ExportError, WorkbenchError) as error:
        raise click.ClickException(plain(str(error), 500)) from None
    click.echo(
        f"{out}: {manifest['abi']} for {exporter.name}, module sha256 {manifest['wasm_sha256']}; see {out / 'README'}"
    )
    if taken := manifest.get("bytes_by_slots"):
        sizes = (f"{size / 1e6:.1f} MB with {int(slots):,} slots" for slots, size in taken.items())
        click.echo(f"memory that it takes: {', '.join(sizes)}")
