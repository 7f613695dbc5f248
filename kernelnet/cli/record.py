"""C{kernelnet record}: traces of the user's own programs and machine."""

from __future__ import annotations

import dataclasses
import importlib
import os
import re
import shlex
import shutil
import tempfile
import threading
import time
from collections.abc import Container, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from kernelnet.cli.arguments import Mistake, Seconds, checkOut, findWorkbench, oneLine
from kernelnet.cli.progress import Tell, progress
from kernelnet.cli.worth import reuseText
from kernelnet.interfaces import IWorkbench
from kernelnet.learning.tasks import FALLBACK
from kernelnet.plugins import available
from kernelnet.untrusted import plain
from kernelnet.workbench.errors import TraceError, WorkbenchError
from kernelnet.workbench.recording import Recorder

if TYPE_CHECKING:
    from kernelnet.workbench.file_system.record import Recorded

__all__ = ["record"]

SECONDS = 10.0

FILES = FALLBACK
"""The workbench of what a command does with files."""

_META = f"{__name__}.brought"


class _Record(click.Command):
    """With an option for each recorder that a workbench brings; they are looked for when the command is asked for."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        each = _brought(ctx).recorders.items()
        return [*(_optionOf(name, recorder) for name, recorder in each), *super().get_params(ctx)]

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_help_text(ctx, formatter)
        rows = [("kernelnet record -- COMMAND…", "runs it, and writes which pages of files it uses (needs strace)")]
        brought = _brought(ctx)
        rows += [(f"kernelnet record {r.option}", f"writes {r.writes}") for r in brought.recorders.values()]
        with formatter.section("What is written"):
            formatter.write_dl(rows)
        if brought.others:
            with formatter.section("The others have no recorder here; they read what programs for it write"):
                formatter.write_dl(brought.others)


class _Brought(NamedTuple):
    """
    @ivar recorders: by workbench.
    @ivar others: workbenches without one, and what records for them.
    """

    recorders: dict[str, Recorder]
    others: list[tuple[str, str]]


def _brought(ctx: click.Context) -> _Brought:
    """Recorders of all workbenches; one that is no use is named, once for a call, and the others are as usual."""
    if _META in ctx.meta:
        return ctx.meta[_META]  # type: ignore[no-any-return]
    found = ctx.meta[_META] = _Brought({}, [])
    own = click.Command.get_params(ctx.command, ctx)
    taken = {word for parameter in own for word in (*parameter.opts, parameter.name)}
    # Ours come first: nobody takes an option from them.
    for bench in sorted(available(IWorkbench), key=lambda one: not type(one).__module__.startswith("kernelnet.")):
        try:
            recorder, words = getattr(bench, "recorder", None), getattr(bench, "recordedBy", "")
            wrong = _wrongWith(bench.name, recorder, taken)
        except Exception as error:
            recorder, words = None, ""
            wrong = f"{type(error).__name__}: {error}"
        if wrong:
            if not ctx.resilient_parsing:  # a shell that completes
                click.echo(f"left out: the recorder of the workbench {bench.name}: {plain(wrong, 200)}", err=True)
        elif isinstance(recorder, Recorder):
            found.recorders[bench.name] = recorder
            taken |= {recorder.option, recorder.parameter}
        elif words:
            found.others.append((bench.name, str(words)))
    return found


def _wrongWith(name: str, recorder: object, taken: Container[str | None]) -> str:
    """Reason why a workbench's recorder is no use; empty: it is, or there is none."""
    if recorder is None:
        return ""
    if not isinstance(recorder, Recorder):
        return f"it is {recorder!r}, and no Recorder"
    for field in dataclasses.fields(recorder):
        if not isinstance(text := getattr(recorder, field.name), str) or not text:
            return f"its {field.name} is {text!r}, and no text"
    if not re.fullmatch(r"--[a-z][a-z0-9-]*", recorder.option, re.ASCII):
        return f"its option is {recorder.option!r}, and not such as --sched"
    if recorder.option in taken or recorder.parameter in taken:
        return f"there is an option {recorder.option} already"
    _optionOf(name, recorder)
    return ""


def _optionOf(name: str, recorder: Recorder) -> click.Option:
    return click.Option([recorder.option], is_flag=True, help=f"{recorder.help}, for {name}.")


@click.command(cls=_Record, context_settings={"allow_interspersed_args": False})
@click.option(
    "--seconds",
    type=Seconds(1, 86400),
    default=None,
    help=f"How long this machine is recorded [default: {SECONDS:g}].",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=None,
    help="The trace to write [default: the program's name, or the recorder's, here].",
)
@click.option("--force", is_flag=True, help="Overwrite it if it is there.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def record(*, seconds: float | None, out: Path | None, force: bool, command: tuple[str, ...], **given: bool) -> None:
    """Make a trace to train on: of the files that a program uses, or of this machine."""
    recorders = _brought(click.get_current_context()).recorders
    options = [recorder.option for recorder in recorders.values()]
    wanted = {name: recorder for name, recorder in recorders.items() if given.get(recorder.parameter)}
    if len(wanted) > 1:
        several = " and ".join(recorder.option for recorder in wanted.values())
        raise Mistake(f"{several} are different traces: give one of them")
    [(name, recorder)] = wanted.items() or [(FILES, None)]
    if recorder is not None and command:
        raise Mistake(f"{recorder.option} records the whole machine: give either {recorder.option} or a command")
    if recorder is None and not command:
        ways = ["-- COMMAND…", *options]
        raise Mistake(f"what should be recorded? {' or '.join(f'kernelnet record {way}' for way in ways)}")
    if seconds is not None and recorder is None:
        raise Mistake(f"--seconds is for {' and '.join(options)}: a command is recorded until it ends")
    if recorder is not None:
        out = out or Path(recorder.trace)
    else:
        if shutil.which(command[0]) is None:
            raise Mistake(f"there is no program called {command[0]!r}")
        out = out or Path(re.sub(r"[^\w.+-]", "_", Path(command[0]).name) + ".csv.xz")
    checkOut(out, force)
    bench = findWorkbench(name)
    with oneLine(), _kept(out, force) as scratch:
        if recorder is not None:
            long = SECONDS if seconds is None else seconds
            with progress() as tell, _ticking(tell, long):
                notes = [f"{recorder.record(long, scratch)} {recorder.counts}"]
        else:
            # Only now: it needs more than the base package.
            files = importlib.import_module(f"kernelnet.workbench.{FILES}.record")
            # Until it has ended the terminal is the command's.
            with ExitStack() as stack:
                recorded = files.recordCommand(
                    list(command), scratch, lambda: stack.enter_context(progress())("writing the trace", 0, None)
                )
            notes = _notes(recorded)
        with progress() as tell:
            tell("reading it", 0, None)
            try:
                bench.scenario(scratch, {})
            except TraceError as error:
                for note in notes:
                    click.echo(note, err=True)
                raise click.ClickException(
                    f"{out.name} would be useless: {error.wrong}; {error.right}; nothing was written"
                ) from None
    # Standard output is the command's.
    click.echo(f"written: {out}, {notes[0]}", err=True)
    for note in notes[1:]:
        click.echo(note, err=True)
    if recorder is None and (words := reuseText(recorded.requests, recorded.distinct)):
        click.echo(words, err=True)
        return
    again = shlex.join(["kernelnet", "bench", "run", name, "--trace", str(out)])
    click.echo(f"measure the hand-made policies on it:\n  {again}", err=True)


@contextmanager
def _kept(out: Path, force: bool) -> Iterator[Path]:
    """A file of the same name in a folder beside it, which becomes C{out} if all goes well; else nothing is left."""
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
        scratch = Path(folder, out.name)
        try:
            yield scratch
            if force:
                scratch.replace(out)
            else:
                os.link(scratch, out)  # in contrast to a rename, it fails if there is one
        except FileExistsError:
            raise click.ClickException(f"{out} has come to be meanwhile; --force overwrites it") from None
        except WorkbenchError as error:
            raise click.ClickException(str(error).replace(str(scratch), str(out))) from None


@contextmanager
def _ticking(tell: Tell, seconds: float) -> Iterator[None]:
    """Tell of the time that goes by."""
    ended, began = threading.Event(), time.monotonic()

    def tick() -> None:
        while not ended.wait(0.2):
            tell("recording", min(seconds, time.monotonic() - began), seconds)

    thread = threading.Thread(target=tick, name="kernelnet-record", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _notes(recorded: Recorded) -> list[str]:
    """Lines to be said of a `kernelnet.workbench.file_system.record.Recorded`."""
    notes = [f"{recorded.requests} requests for {recorded.distinct} pages"]
    if recorded.exitCode:
        notes.append(f"the command ended with exit code {recorded.exitCode}")
    if recorded.mapped:
        notes.append(f"files were mapped into memory {recorded.mapped} times; what was read there can't be seen")
    if recorded.cut:
        notes.append("it was too long: only its beginning is in the trace")
    return notes
