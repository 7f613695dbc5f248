"""C{kernelnet deploy}: exports put to use on this machine."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from kernelnet.cli.arguments import numbers
from kernelnet.cli.common import jsonOption, stateOption
from kernelnet.cli.completion import aiIds
from kernelnet.cli.observations import leave, spoolOf
from kernelnet.cli.progress import progress
from kernelnet.cli.tables import Column, printRows
from kernelnet.deploy.bpf_tcp import loading
from kernelnet.deploy.errors import DeployError
from kernelnet.deploy.measurement import FEWEST, MOST_SECONDS, Measurement
from kernelnet.deploy.sqlite import measurement as sqlite
from kernelnet.deploy.sqlite.measurement import MAX_PAGES
from kernelnet.deploy.sqlite.tracing import traceCommand
from kernelnet.exporters.errors import ExportError
from kernelnet.exporters.folder import MANIFEST
from kernelnet.interfaces import IWorkbench
from kernelnet.plugins import PluginError, find
from kernelnet.untrusted import plain
from kernelnet.workbench.errors import WorkbenchError
from kernelnet.workbench.network_stack import workbench as network_stack
from kernelnet.workbench.sandbox import MAX_MODULE

__all__ = ["deploy"]

_MAX_MANIFEST = 1 << 20

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)

_KERNELS = "cubic,bbr,reno"


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
    capacity = ["--capacity", str(traced.slots)] if traced.slots else []
    chosen = ["--trace", str(traced.traces[0].path), *capacity, "--out", "found.c"]
    again = ["kernelnet", "bench", "train", "file_system", *chosen]
    click.echo(f"search for a policy on the longest:\n  {shlex.join(again)}", err=True)


@deploy.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--database", type=_FILE, help="sqlite: run on copies of this database.")
@click.option("--sql", type=_FILE, help="sqlite: run the statements of this file.")
@click.option(
    "--cache",
    type=click.IntRange(1, MAX_PAGES),
    metavar="PAGES",
    help="sqlite: pages of SQLite's cache [default: as SQLite and the SQL have it].",
)
@click.option("--cold", is_flag=True, help="sqlite: empty the system's cache of the database before each run.")
@click.option(
    "--trace",
    type=_FILE,
    help="bpf-tcp: a link, as mahimahi has it [default: the first of our own].",
)
@click.option("--set", "settings", multiple=True, metavar="NAME=N", help="bpf-tcp: a setting of the workbench.")
@click.option(
    "--seconds", type=click.IntRange(FEWEST, MOST_SECONDS), default=30, show_default=True, help="bpf-tcp: of each run."
)
@click.option(
    "--beside",
    metavar="NAME,…",
    help="Measure these beside it: for sqlite hand-made policies, such as lru,arc [default: none]; for bpf-tcp the"
    f" kernel's own [default: {_KERNELS}].",
)
@click.option("--runs", type=click.IntRange(1, 100), default=3, show_default=True, help="Runs of each, in turns.")
@click.option(
    "--share", metavar="AI_ID", shell_complete=aiIds, help="Have this trainer tell its hub what was measured."
)
@stateOption
@jsonOption
@click.pass_context
def measure(
    context: click.Context,
    /,
    folder: Path,
    share: str | None,
    state: Path | None,
    asJson: bool,
    **given: object,
) -> None:
    """
    Measure an export in the real system that it is for, beside that system's own, and beside the simulator.

    All is made anew of DIR's component.wasm; nothing else of DIR is used.  A run that was disturbed doesn't count.
    """
    target, wasm, about = _readAll(folder)
    spool = spoolOf(share, state) if share is not None else None
    if target not in _MEASURES:
        right = ", ".join(sorted(_MEASURES))
        raise click.ClickException(f"{folder} is an export for {plain(target, 40)!r}; measured are exports for {right}")
    options, run = _MEASURES[target]
    for name in given:
        if name not in options and context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT:
            raise click.UsageError(f"--{name.replace('_', '-')} is not for exports for {target}")
    try:
        with progress(asJson) as tell:
            tell(f"measuring in the real system, for {target}", 0, None)
            measurement = run(wasm, **{name: given[name] for name in options})
    except (DeployError, ExportError, PluginError, WorkbenchError) as error:
        raise click.ClickException(plain(str(error), 500)) from None
    if asJson:
        click.echo(json.dumps({**dataclasses.asdict(measurement), "valid": measurement.isValid}, indent=2))
    else:
        _show(measurement)
    if not measurement.isValid:
        raise click.exceptions.Exit(1)
    if spool is not None:
        leave(spool, measurement, about)
        if not asJson:
            click.echo(f"left for {share}, which tells its hub of it")


def _show(measurement: Measurement) -> None:
    """The real score and the simulated one side by side, of the system's own and of the component; then the figures."""
    policies = (*measurement.beside, measurement.component)
    figures = list(measurement.component.figures)
    columns = (
        Column("policy"),
        Column(f"real, {measurement.unit}", right=True),
        Column("simulated", right=True),
        Column("difference", right=True),
        *(Column(name.replace("_", " "), leave=1 + at, right=True) for at, name in enumerate(figures)),
    )
    rows = []
    for each in policies:
        beside = each.simulated
        simulated = "" if beside is None else f"{beside:,.0f}"
        difference = "" if not beside else f"{100 * (each.real - beside) / beside:+.2f} %"
        more = (_figure(each.figures.get(name)) for name in figures)
        rows.append((plain(each.name), f"{each.real:,.0f}", simulated, difference, *more))
    printRows(columns, rows)
    settings = ", ".join(f"{name} {value}" for name, value in measurement.settings.items())
    runs = measurement.component.runs
    click.echo(
        f"{plain(measurement.workload)}, {settings}; {f'medians of {runs} runs' if runs > 1 else 'one run'};"
        f" {measurement.system}, {measurement.hardware}"
    )
    for own in measurement.beside[:1]:
        if measurement.isValid and own.real:
            change = 100 * (measurement.component.real - own.real) / own.real
            word = "fewer" if change < 0 else "more"
            click.echo(f"{abs(change):.1f} % {word} {measurement.unit} than {plain(own.name)}; valid")
    for line in measurement.spoiled:
        click.echo(f"not valid: {plain(line, 300)}", err=True)


def _figure(value: float | None) -> str:
    """As short as it says what it is."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value == int(value) or value >= 1000 else f"{value:.2f}"


def _inSqlite(
    wasm: bytes,
    *,
    database: Path | None,
    sql: Path | None,
    cache: int | None,
    cold: bool,
    beside: str | None,
    runs: int,
) -> Measurement:
    """@raise click.UsageError: what is to be run is missing."""
    if database is None or sql is None:
        raise click.UsageError("an export for sqlite is measured with --database FILE and --sql FILE")
    bench = find(IWorkbench, "file_system", "workbench")
    others = _names(beside or "")
    return sqlite.measure(
        wasm, bench, database=database, sql=sql, pages=cache or 0, beside=others, runs=runs, isCold=cold
    )


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _inKernel(
    wasm: bytes, *, trace: Path | None, settings: tuple[str, ...], seconds: int, beside: str | None, runs: int
) -> Measurement:
    from kernelnet.deploy.bpf_tcp import measurement as bpf_tcp

    return bpf_tcp.measure(
        wasm,
        network_stack,
        trace=trace,
        settings=numbers(settings),
        seconds=seconds,
        beside=_names(_KERNELS if beside is None else beside),
        runs=runs,
        tell=lambda line: click.echo(line, err=True),
    )


_MEASURES: Mapping[str, tuple[tuple[str, ...], Callable[..., Measurement]]] = {
    "bpf-tcp": (("trace", "settings", "seconds", "beside", "runs"), _inKernel),
    "sqlite": (("database", "sql", "cache", "cold", "beside", "runs"), _inSqlite),
}
"""By the exporter's name: options of `measure` that are for it, and what measures, given the module and these."""


@deploy.command()
@jsonOption
def status(asJson: bool) -> None:
    """List congestion controls of kernelnet's that are in the kernel."""
    try:
        found = loading.loaded()
    except DeployError as error:
        raise click.ClickException(plain(str(error), 500)) from None
    if asJson:
        click.echo(json.dumps([dataclasses.asdict(each) for each in found], indent=2))
        return
    if not found:
        click.echo("no congestion control of kernelnet's is in the kernel")
    for each in found:
        click.echo(f"{plain(each.name)}{' (of a measurement)' if each.isMeasured else ''}")


@deploy.command()
@click.argument("names", nargs=-1, metavar="[NAME…]")
def unload(names: tuple[str, ...]) -> None:
    """
    Take congestion controls of kernelnet's out of the kernel: those of these names, or all.

    Connections that have one keep it until they end.  What `deploy measure` uses goes at its end, or with the next one.
    """
    try:
        found = [each for each in loading.loaded() if not each.isMeasured]
        for name in names:
            if name not in {each.name for each in found}:
                there = ", ".join(each.name for each in found) or "none"
                raise click.ClickException(f"{plain(name, 40)} isn't loaded; there is {plain(there, 300)}")
        for each in found:
            if not names or each.name in names:
                loading.unload(each)
                click.echo(f"unloaded {plain(each.name)}")
    except DeployError as error:
        raise click.ClickException(plain(str(error), 500)) from None


def _moduleOf(folder: Path) -> bytes:
    """
    Module of an export for SQLite.

    @raise click.ClickException: it is none.
    """
    target, wasm = _read(folder)
    if target != "sqlite":
        raise click.ClickException(
            f"{folder} is an export for something else;"
            " it should be what `kernelnet components export --for sqlite` made"
        )
    return wasm


def _read(folder: Path) -> tuple[str, bytes]:
    """
    Name of the exporter that made a folder, and the module in it: nothing else of it is ever run.

    @raise click.ClickException: it is no export.
    """
    target, wasm, _ = _readAll(folder)
    return target, wasm


def _readAll(folder: Path) -> tuple[str, bytes, Mapping[str, Any]]:
    """
    The same with the manifest.

    @raise click.ClickException: it is no export.
    """
    try:
        with (folder / MANIFEST).open("rb") as file:
            manifest = json.loads(file.read(_MAX_MANIFEST))
        with (folder / "component.wasm").open("rb") as file:
            wasm = file.read(MAX_MODULE + 1)
        target = manifest["exporter"]
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        raise click.ClickException(
            f"{folder} is no export; it should be what `kernelnet components export --for sqlite` or the like made"
        ) from None
    return (target if isinstance(target, str) else "", wasm, manifest)
