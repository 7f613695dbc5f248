"""C{kernelnet deploy}: exports put to use on this machine."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import click

from kernelnet.deploy.sqlite.installation import DeployError
from kernelnet.deploy.sqlite.tracing import traceCommand
from kernelnet.exporters.errors import ExportError
from kernelnet.exporters.folder import MANIFEST
from kernelnet.interfaces import IWorkbench
from kernelnet.plugins import PluginError, find
from kernelnet.untrusted import plain
from kernelnet.workbench.errors import WorkbenchError
from kernelnet.workbench.sandbox import MAX_MODULE

__all__ = ["deploy"]

_MAX_MANIFEST = 1 << 20


@click.group()
def deploy() -> None:
    """Put to use, on this machine, what `components export --for` made."""


@deploy.command(context_settings={"ignore_unknown_options": True})
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("sqlite-trace"),
    show_default=True,
    help="Write to this new folder.",
)
def trace(folder: Path, command: tuple[str, ...], out: Path) -> None:
    """
    Write the page requests of COMMAND's SQLite, as it makes them: a file for each connection.

    DIR is an export for sqlite; its component decides meanwhile.  The requests are those of the program whatever
    decides, so a search on them is a search for this program: kernelnet bench train file_system.
    """
    wasm = _moduleOf(folder)
    try:
        bench = find(IWorkbench, "file_system", "workbench")
        traced = traceCommand(wasm, bench.abiOf(wasm), out, command)
    except (DeployError, ExportError, PluginError, WorkbenchError) as error:
        raise click.ClickException(plain(str(error), 500)) from None
    # Standard output is the command's.
    if traced.exitCode:
        click.echo(f"the command ended with exit code {traced.exitCode}", err=True)
    if not traced.traces:
        raise click.ClickException(
            "the command asked SQLite for no page: does it load SQLite as a shared library (libsqlite3.so.0)?"
        )
    for each in traced.traces[:20]:
        click.echo(f"{each.path}: {each.requests} requests for {each.pages} pages", err=True)
    if len(traced.traces) > 20:
        click.echo(f"and {len(traced.traces) - 20} more, which are shorter", err=True)
    again = ["kernelnet", "bench", "train", "file_system", "--trace", str(traced.traces[0].path), "--out", "found.c"]
    click.echo(f"search for a policy on the longest:\n  {shlex.join(again)}", err=True)


def _moduleOf(folder: Path) -> bytes:
    """
    Module of an export for SQLite.

    @raise click.ClickException: it is none.
    """
    right = "it should be what `kernelnet components export --for sqlite` made"
    try:
        with (folder / MANIFEST).open("rb") as file:
            manifest = json.loads(file.read(_MAX_MANIFEST))
        with (folder / "component.wasm").open("rb") as file:
            wasm = file.read(MAX_MODULE + 1)
    except (OSError, ValueError, RecursionError):
        raise click.ClickException(f"{folder} is no export; {right}") from None
    if not isinstance(manifest, dict) or manifest.get("exporter") != "sqlite":
        raise click.ClickException(f"{folder} is an export for something else; {right}")
    return wasm
