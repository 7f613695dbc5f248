"""Components and searches of before, as C{kernelnet bench train} begins from or goes on with them."""

from __future__ import annotations

from pathlib import Path

from kernelnet.artifacts import Candidate, Component
from kernelnet.cli.arguments import Mistake, compiled, failing, readComponent
from kernelnet.cli.found_source import REFUSED_WORDS
from kernelnet.interfaces import IScenario, IWorkbench
from kernelnet.learning.saved_search import MAX_BYTES, NotASearch, SavedSearch, decode, searchFile
from kernelnet.learning.submission import makeComponent, measure
from kernelnet.untrusted import plain
from kernelnet.workbench.errors import ComponentError

__all__ = ["asParent", "earlierComponent", "savedSearch"]


def asParent(scenario: IScenario, path: Path, source: str, wasm: bytes) -> Component:
    """
    Worker thread.  A C file of the user's as what a search begins from.

    @raise ComponentError: it fails on the scenario.
    """
    component = makeComponent(scenario, Candidate(source), measure(scenario, wasm))
    component.id = component.name = plain(path.name)
    return component


def savedSearch(path: Path, workbench: IWorkbench) -> SavedSearch:
    """
    The search that wrote a C file.

    @raise Mistake: none did, or it was one on another workbench.
    """
    beside = searchFile(path)
    try:
        with beside.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
        found = decode(data)
    except OSError as error:
        why = error.strerror or str(error)
        raise Mistake(f"--resume {path}: it isn't from bench train: {beside}, which that writes, too: {why}") from None
    except NotASearch as error:
        raise Mistake(f"--resume {path}: {beside} isn't from bench train: {plain(str(error), 200)}") from None
    if found.workbench != workbench.name:
        raise Mistake(f"--resume {path}: that was a search on {plain(found.workbench)}, not on {workbench.name}")
    if found.workbench_digest != workbench.digest:
        raise Mistake(f"--resume {path}: that was a search on another version of {workbench.name}; begin anew")
    return found


def earlierComponent(scenario: IScenario, path: Path) -> Component | None:
    """
    Component that an earlier search wrote, and which passed the guard; C{None}: there is none.

    @raise click.ClickException: it can't be read, doesn't compile or fails: somebody has changed it.
    """
    if not path.exists():
        return None
    source = readComponent(path)
    if REFUSED_WORDS in source:
        return None
    try:
        return asParent(scenario, path, source, compiled(scenario.workbench, path, source))
    except ComponentError as error:
        raise failing(scenario, path, error) from None
