"""Arguments that the commands about workbenches have in common: their meaning, and how what goes wrong is said."""

from __future__ import annotations

import contextlib
import math
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from zope.interface import Invalid
from zope.interface.verify import verifyObject

from kernelnet.cli.progress import progress
from kernelnet.interfaces import IScenario, IWorkbench
from kernelnet.plugins import PluginError, find
from kernelnet.untrusted import plain
from kernelnet.workbench.account import Account
from kernelnet.workbench.errors import (
    CompileError,
    ComponentError,
    TraceError,
    Trapped,
    WorkbenchError,
    WrongExport,
)

__all__ = [
    "Mistake",
    "Seconds",
    "blocksFor",
    "checkOut",
    "checkedSettings",
    "compiled",
    "failing",
    "findWorkbench",
    "footprint",
    "incomplete",
    "numbers",
    "oneLine",
    "readComponent",
    "taskOptions",
    "tasks",
    "writeFile",
    "writeFound",
]

F = TypeVar("F", bound=Callable[..., Any])

_EXTRA = ("numpy", "wasmtime", "ziglang")

MAX_SOURCE = 1 << 20
"""Bytes of a C file."""


class Mistake(click.ClickException):
    """The command line is wrong: one line, and exit code 2."""

    exit_code = 2


class Seconds(click.FloatRange):
    """A span of time; other than its parent, it has no room for C{nan}."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is not in the range {self._describe_range()}.", param, ctx)
        return number


@contextlib.contextmanager
def oneLine() -> Iterator[None]:
    """Whatever a workbench raises on purpose ends the command with one line and exit code 1."""
    try:
        yield
    except PluginError as error:
        raise Mistake(str(error)) from None
    except WorkbenchError as error:
        raise click.ClickException(str(error)) from None
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        raise click.ClickException(f"{error.name} is missing; pip install 'kernelnet[trainer]' brings it") from None


def taskOptions(function: F) -> F:
    """``--trace``, ``--set`` and ``--capacity``: what is measured on."""
    for option in reversed(
        (
            click.option(
                "--trace",
                "traces",
                multiple=True,
                type=click.Path(path_type=Path),
                help="A trace; may be repeated [default: those that ship with the workbench].",
            ),
            click.option(
                "--set",
                "settings",
                multiple=True,
                metavar="NAME=N",
                help="A setting of the workbench; may be repeated.",
            ),
            click.option(
                "--capacity",
                "capacities",
                multiple=True,
                metavar="N|N%",
                help="Cache size, in blocks or as a share of the trace's distinct blocks; may be repeated.",
            ),
        )
    ):
        function = option(function)
    return function


def findWorkbench(name: str) -> IWorkbench:
    """@raise Mistake: there is none of that name; says which there are."""
    try:
        workbench: IWorkbench = find(IWorkbench, name, "workbench")
    except PluginError as error:
        raise Mistake(str(error)) from None
    if wrong := incomplete(workbench):
        raise click.ClickException(f"the workbench {name} can't be used: {wrong}")
    return workbench


def incomplete(workbench: IWorkbench) -> str:
    """Parts of the interface that a third party's workbench lacks, such as one for an older kernelnet; empty: none."""
    try:
        verifyObject(IWorkbench, workbench, tentative=True)
    except (Invalid, OSError) as error:  # its header is read, too
        return " ".join(str(error).split())
    return ""


def tasks(
    workbench: IWorkbench,
    traces: Sequence[Path],
    settings: Sequence[str],
    capacities: Sequence[str],
    *,
    several: bool,
    quiet: bool = False,
) -> list[tuple[Path, IScenario]]:
    """
    Worker thread.  The tasks that are asked for: each trace with each setting, as an `IScenario`.

    @param traces: empty: those that ship with the workbench.
    @param settings: C{NAME=N}, from the command line; C{capacities}: blocks or C{N%}, each a task of its own.
    @param several: where no setting is asked for, take all that a trainer trains with, instead of the default.
    @param quiet: show no progress.
    @raise Mistake: they can't be understood, a setting isn't one, or a trace isn't there.
    @raise click.ClickException: a trace can't be read.
    """
    paths = list(traces) or list(workbench.traces())
    if not paths:
        raise Mistake(f"no trace ships with {workbench.name}: give one by --trace")
    given = numbers(settings)
    if "capacity" in given and capacities:
        raise Mistake("give either --capacity or --set capacity=…")
    found = []
    with progress(quiet) as tell:
        for path in paths:
            if not path.is_file():
                raise Mistake(
                    f"{path}: {'not a file' if path.exists() else 'No such file'}; --trace takes a trace file"
                )
            tell(f"reading {path.name}", 0, None)
            with checkedSettings(workbench):
                if capacities:
                    each = [{**given, "capacity": blocksFor(workbench, path, text, given)} for text in capacities]
                else:
                    each = list(workbench.tasks(path)) if several and not given else [given]
                found += [(path, workbench.scenario(path, chosen)) for chosen in each]
    for told in dict.fromkeys(told for _, scenario in found for told in _doubts(scenario)):
        click.echo(f"note: {plain(told, 1000)}", err=True)
    return found


def _doubts(scenario: IScenario) -> list[str]:
    """Sentences about what may be understood wrongly in a trace, such as that only a sample of it is taken."""
    account = getattr(getattr(getattr(scenario, "machine", None), "trace", None), "account", None)
    return account.doubts if isinstance(account, Account) else []


@contextlib.contextmanager
def checkedSettings(workbench: IWorkbench) -> Iterator[None]:
    """
    Where scenarios are made.

    @raise Mistake: a setting is none.
    @raise click.ClickException: a trace is none, or one for another workbench.
    """
    try:
        yield
    except TraceError as error:
        raise click.ClickException(f"{error} ({workbench.name} reads {workbench.formats})") from None
    except (ComponentError, CompileError):
        raise
    except WorkbenchError as error:
        raise Mistake(str(error)) from None


def numbers(settings: Sequence[str]) -> dict[str, int]:
    """Settings that ``--set`` gives.  @raise Mistake: it can't be understood."""
    given: dict[str, int] = {}
    for text in settings:
        name, equals, number = text.partition("=")
        name = name.strip()
        if not equals or not name or not re.fullmatch(r"\s*[+-]?[0-9]{1,18}\s*", number):
            raise Mistake(f"--set {text}: it should be NAME=N with a whole number, such as capacity=1024")
        if name in given:
            raise Mistake(f"--set {name} is given twice")
        given[name] = int(number)
    return given


def blocksFor(workbench: IWorkbench, path: Path, text: str, settings: Mapping[str, int]) -> int:
    """Blocks that ``--capacity`` says; bytes, where C{settings} make an object cache of it."""
    from kernelnet.workbench.file_system.capacity import blocksOf, bytesOf

    if text.strip().endswith("%") and not text.strip(" 0.%"):
        raise Mistake(f"--capacity {text}: a cache needs more than nothing, such as 10% or 1024")
    chosen = {name: number for name, number in settings.items() if name == "bytes"}
    whole = footprint(workbench.scenario(path, chosen))
    if whole is None:
        raise Mistake(f"the traces of {workbench.name} have no blocks for a cache: --set has its settings")
    return bytesOf(whole, text) if chosen.get("bytes") else blocksOf(whole, text)


def footprint(scenario: IScenario) -> int | None:
    """
    Number of distinct blocks of its trace, or bytes of all objects in an object cache; C{None} where it has none.
    """
    trace = getattr(getattr(scenario, "machine", None), "trace", None)
    whole = getattr(trace, "footprint" if scenario.settings.get("bytes") else "distinct", None)
    return whole if isinstance(whole, int) and "capacity" in scenario.settings else None


def readComponent(path: Path) -> str:
    """
    A C file of the user's.

    @raise click.ClickException: it can't be read, or is none.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_SOURCE + 1)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise Mistake(f"{path}: {error.strerror}; it should be a C file") from None
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from None
    if data.startswith(b"\0asm"):
        raise click.ClickException(f"{path}: this is a WebAssembly module; give the C source that it was made of")
    if len(data) > MAX_SOURCE:
        raise click.ClickException(f"{path}: more than {MAX_SOURCE >> 20} MiB; it should be one C file")
    if not data.strip():
        raise click.ClickException(f"{path}: it is empty; it should be a C file")
    if b"\0" in data:
        raise click.ClickException(f"{path}: not a text file; it should be C source")
    return data.decode("utf-8", errors="surrogateescape")


def compiled(workbench: IWorkbench, path: Path, source: str) -> bytes:
    """
    Worker thread.  A C file of the user's, as a module.

    @raise click.ClickException: with the compiler's message, which is about the user's file.
    """
    from kernelnet.workbench.compiler import compileC

    try:
        return compileC(source, workbench.headerPath, trusted=True)
    except CompileError as error:
        message, header = str(error).replace("component.c", path.name), workbench.headerPath.name
        alone = f"a component has no files, no clock and no C library, only {header} and kn.h"
        if undefined := dict.fromkeys(re.findall(r"undefined symbol: (\w+)", message)):
            raise click.ClickException(f"{path} calls {', '.join(undefined)}, which isn't there: {alone}") from None
        hint = ""
        if re.search(r"'kn_\w+\.h' file not found", message):
            hint = f"\n({workbench.name} has the header {header}; is this for another workbench?)"
        elif absent := re.search(r":([0-9]+):[0-9]+: fatal error: (?:cannot open file )?'(.*?)'", message):
            text = f"{path}, line {absent[1]}, includes {absent[2]}, which isn't there: {alone}"
            raise click.ClickException(text) from None
        raise click.ClickException(f"{path} does not compile:\n{message}{hint}") from None


def failing(scenario: IScenario, path: Path, error: ComponentError) -> click.ClickException:
    """Error about a component that fails: what it does, and how its functions should be, if they aren't."""
    workbench = scenario.workbench
    what = str(error)
    if isinstance(error, Trapped):
        what = f"it crashes: {error}"
    text = f"{path} fails on the trace {plain(scenario.trace)}: {what}"
    if isinstance(error, WrongExport):
        kinds = "; ".join(f"{abi.identifier} has {', '.join(abi.required)}" for abi in workbench.abis)
        text += f"; of {workbench.name}'s ABIs {kinds}, as {workbench.headerPath.name} declares them: include it"
    return click.ClickException(text)


def checkOut(path: Path, force: bool) -> None:
    """
    See before the work whether its result can be written.

    @raise Mistake: it is there already, is a folder, or its folder is missing or can't be written to.
    """
    if path.is_dir():
        raise Mistake(f"{path} is a folder; --out takes a file")
    if path.exists() and not force:
        raise Mistake(f"{path} is there already; --force overwrites it")
    if not path.parent.is_dir():
        raise Mistake(f"there is no folder {path.parent}")
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # as `writeFile` will
        os.close(descriptor)
        Path(name).unlink()
    except OSError as error:
        raise Mistake(f"{path.parent} can't be written to: {error.strerror or error}") from None


def writeFound(path: Path, data: bytes, force: bool) -> None:
    """
    As `writeFile`, for what took long to find: if it can't be written there, it is kept elsewhere.

    @raise click.ClickException: it can't be written there, and where it is instead.
    """
    try:
        writeFile(path, data, force)
    except click.ClickException as error:
        try:
            descriptor, kept = tempfile.mkstemp(prefix="kernelnet-", suffix=path.suffix)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
        except OSError:
            click.echo(data)
            kept = "standard output"
        raise click.ClickException(f"{error.message}; what was found is kept: {kept}") from None


def writeFile(path: Path, data: bytes, force: bool) -> None:
    """
    Write a file whole or not at all.

    @raise click.ClickException: it can't be written, or has come to be meanwhile.
    """
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
            mask = os.umask(0)
            os.umask(mask)
            temporary.chmod(0o666 & ~mask)
            if force:
                temporary.replace(path)
            else:
                os.link(temporary, path)  # in contrast to a rename, it fails if there is one
        finally:
            temporary.unlink(missing_ok=True)
    except FileExistsError:
        raise click.ClickException(f"{path} has come to be meanwhile; --force overwrites it") from None
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror or error}") from None
