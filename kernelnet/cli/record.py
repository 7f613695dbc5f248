"""C{kernelnet record}: traces of the user's own programs and machine."""

from __future__ import annotations

import importlib
import os
import re
import shlex
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kernelnet.cli.arguments import Mistake, Seconds, checkOut, findWorkbench, oneLine
from kernelnet.cli.progress import Tell, progress
from kernelnet.cli.worth import reuseText
from kernelnet.workbench.errors import TraceError, WorkbenchError

if TYPE_CHECKING:
    from kernelnet.workbench.file_system.record import Recorded

__all__ = ["record"]

SECONDS = 10.0

_MACHINE = {
    "--sched": ("process_manager", "recordSched", "machine.sched.xz", "bursts"),
    "--pointer": ("window_manager", "recordPointer", "mine.pointer.xz", "samples"),
}
"""By option, for what is recorded of the machine: bench, its recorder, the name of the trace, and what it counts."""


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("--sched", is_flag=True, help="Record what this machine's CPUs run, for process_manager.")
@click.option("--pointer", is_flag=True, help="Record how the mouse or finger moves, for window_manager.")
@click.option(
    "--seconds",
    type=Seconds(1, 86400),
    default=None,
    help=f"How long, with --sched or --pointer [default: {SECONDS:g}].",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=None,
    help="The trace to write [default: the program's name, machine or mine, here].",
)
@click.option("--force", is_flag=True, help="Overwrite it if it is there.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def record(
    *, sched: bool, pointer: bool, seconds: float | None, out: Path | None, force: bool, command: tuple[str, ...]
) -> None:
    """
    Make a trace to train on: of the files that a program uses, of what runs on this machine, or of its pointer.

    \b
    kernelnet record -- COMMAND…    runs COMMAND, and writes which pages of files it reads and writes (needs strace)
    kernelnet record --sched        writes which threads get ready when, and how long they run
    kernelnet record --pointer      writes how mouse, touchpad, pen or finger move (needs /dev/input)

    \b
    The others have no recorder here; they read what programs for it write:
    audio           irtt client -i 20ms -o call.json HOST: a call takes a second machine
    graphics        weston-debug timeline, MangoHud, PresentMon: a compositor alone knows its frames
    network_stack   mahimahi: recording a link takes both of its ends
    security        strace -f -o: what is an attack must be said by folders, normal/ and attack/KIND/
    """
    wanted = [option for option, given in (("--sched", sched), ("--pointer", pointer)) if given]
    if len(wanted) > 1:
        raise Mistake("--sched and --pointer are two traces: give one of them")
    if wanted and command:
        raise Mistake(f"{wanted[0]} records the whole machine: give either {wanted[0]} or a command")
    if not wanted and not command:
        raise Mistake(
            "what should be recorded? kernelnet record -- COMMAND…, kernelnet record --sched, or"
            " kernelnet record --pointer"
        )
    if seconds is not None and not wanted:
        raise Mistake("--seconds is for --sched and --pointer: a command is recorded until it ends")
    if wanted:
        name, function, default, counted = _MACHINE[wanted[0]]
        out = out or Path(default)
    else:
        name = "file_system"
        if shutil.which(command[0]) is None:
            raise Mistake(f"there is no program called {command[0]!r}")
        out = out or Path(re.sub(r"[^\w.+-]", "_", Path(command[0]).name) + ".csv.xz")
    checkOut(out, force)
    bench = findWorkbench(name)
    with oneLine(), _kept(out, force) as scratch:
        # Only now: the recorders need more than the base package.
        recorder = importlib.import_module(f"kernelnet.workbench.{name}.record")
        if wanted:
            long = SECONDS if seconds is None else seconds
            with progress() as tell, _ticking(tell, long):
                notes = [f"{getattr(recorder, function)(long, scratch)} {counted}"]
        else:
            # Until it has ended the terminal is the command's.
            with ExitStack() as stack:
                recorded = recorder.recordCommand(
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
    if not wanted and (words := reuseText(recorded.requests, recorded.distinct)):
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
