"""C{kernelnet recommend}: what to use on a trace, of all that is known, in about a second and without a search."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
import msgspec

from kernelnet.cli.arguments import (
    Mistake,
    Seconds,
    checkOut,
    findWorkbench,
    incomplete,
    oneLine,
    taskOptions,
    tasks,
    writeFound,
)
from kernelnet.cli.common import jsonOption
from kernelnet.cli.completion import workbenchNames
from kernelnet.cli.progress import progress
from kernelnet.cli.tables import plainConsole
from kernelnet.interfaces import IWorkbench
from kernelnet.plugins import available
from kernelnet.untrusted import plain
from kernelnet.workbench.errors import TraceError

__all__ = ["recommend"]


@click.command()
@click.argument("workbench", required=False, shell_complete=workbenchNames)
@taskOptions
@click.option(
    "--from",
    "sources",
    multiple=True,
    metavar="SOURCE",
    help="Where shared components are: a dashboard's address, a state directory of a hub or a trainer, a C file or a"
    " folder of these; may be repeated [default: this user's hub, if there is one].",
)
@click.option("--alone", is_flag=True, help="Try what ships, and nothing that others shared.")
@click.option(
    "--seconds", type=Seconds(0.1, 3600), default=5.0, show_default=True, help="How long to try settings at most."
)
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Write what is recommended, if it is C.")
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
@click.option(
    "--token-file",
    type=click.File("r"),
    help="A viewer's token, where SOURCE is an address [default: $KERNELNET_TOKEN].",
)
@click.option(
    "--ca",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The hub's certificate authority, where SOURCE is an https address.",
)
@jsonOption
def recommend(
    *,
    workbench: str | None,
    traces: tuple[Path, ...],
    settings: tuple[str, ...],
    capacities: tuple[str, ...],
    sources: tuple[str, ...],
    alone: bool,
    seconds: float,
    out: Path | None,
    force: bool,
    token_file: Any,
    ca: Path | None,
    asJson: bool,
) -> None:
    """
    Say what to use on a trace, of all that is known: without a search, and with or without a hub.

    Settings that ship, and the best few that others shared and somebody else has confirmed, are measured on train and
    validation of the trace, as the hand-made policies are.  The best is recommended: none of them was searched for on
    this trace, unless who shared it has the same one.  What others shared has to be better on variants of the trace,
    too.  Each --trace, and each --capacity, is a task of its own.

    Without WORKBENCH it is the one that reads the traces.
    """
    from kernelnet.cli.shared_components import sharedFrom
    from kernelnet.cli.training import chooseGenerator
    from kernelnet.learning.known_settings import fewOf
    from kernelnet.learning.recommendation import recommendKnown
    from kernelnet.workbench.engine import cores

    if alone and sources:
        raise Mistake("give either --from or --alone")
    bench = findWorkbench(workbench) if workbench is not None else _benchOf(traces)
    if out is not None:
        checkOut(out, force)
    token = os.environ.get("KERNELNET_TOKEN", "") if token_file is None else token_file.read(4096).strip()
    console = plainConsole()
    told: list[dict[str, Any]] = []
    with oneLine():
        chosen = tasks(bench, traces, settings, capacities, several=False, quiet=asJson)
        if out is not None and len(chosen) > 1:
            raise Mistake("--out takes one task: give one --trace, and one --capacity at most")
        digests = {scenario.traceDigest for _, scenario in chosen}
        carriers = [] if alone else sharedFrom(sources, bench, digests, token=token, authority=ca)
        owners = {carrier.component.digest: carrier.owner for carrier in carriers}
        shared = fewOf(carriers)
        generator = chooseGenerator(bench, None)
        for path, scenario in chosen:
            with progress(asJson) as tell:
                known = recommendKnown(
                    *(scenario, generator, shared, owners),
                    seconds=seconds,
                    jobs=cores(),
                    name=out.name if out is not None else "",
                    tell=tell,
                )
            found, use = known.found, known.use
            setting = ", ".join(f"{name} {value}" for name, value in scenario.settings.items())
            heads = f"{plain(path.name)}, {setting}: tried {found.tried} settings in {found.seconds:.1f} s"
            heads += f", {found.shared} of them shared" + (f"; {known.failed} failed" if known.failed else "")
            told.append(
                {
                    "trace": str(path),
                    "settings": dict(scenario.settings),
                    "tried": found.tried,
                    "shared": found.shared,
                    "failed": known.failed,
                    "seconds": found.seconds,
                    "reason": found.reason,
                    "use": use.use.name,
                    "kind": known.kind,
                    "what": known.note,
                    "level": use.use.level,
                    "interval": use.use.interval,
                    "rival": use.rival.name if use.rival is not None else None,
                    "gain": use.gain,
                    "gain_interval": use.gainInterval,
                    "sure": use.isSure,
                    "verdict": str(use),
                }
            )
            if not asJson:
                console.print(heads, soft_wrap=True, markup=False)
                console.print(f"  {found.reason}", soft_wrap=True, markup=False)
                if known.note:
                    console.print(f"  {use.use.name}: {known.note}", soft_wrap=True, markup=False)
            if out is not None and found.component is not None:
                writeFound(out, found.component.implementation.encode("utf-8", "surrogateescape"), force)
            if not asJson:
                if out is not None:
                    done = "written" if found.component is not None else "not written, it is a hand-made policy"
                    console.print(f"  {done}: {out}", soft_wrap=True, markup=False)
                console.print(str(use), soft_wrap=True, markup=False)
    if asJson:
        click.echo(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())


def _benchOf(traces: tuple[Path, ...]) -> IWorkbench:
    """@raise Mistake: it is not for one workbench alone that they are."""
    if not traces:
        raise Mistake("give --trace FILE, or a WORKBENCH, whose own traces are taken")
    benches: list[IWorkbench] = []
    for bench in available(IWorkbench):
        try:
            if not incomplete(bench) and all(bench.inspect(path) for path in traces if path.is_file()):
                benches.append(bench)
        except TraceError:
            continue
    if len(benches) == 1:
        return benches[0]
    names = ", ".join(bench.name for bench in benches or available(IWorkbench))
    which = "more than one workbench reads" if benches else "no workbench reads"
    raise Mistake(f"{which} {', '.join(map(str, traces))}: name one of {names}")
