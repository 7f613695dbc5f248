"""Requests for pages as SQLite makes them, hits included, which can't be seen from outside."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kernelnet.deploy.errors import DeployError
from kernelnet.exporters.folder import exportTo
from kernelnet.exporters.sqlite import LIBRARY, exporter
from kernelnet.workbench.abi import Abi

__all__ = ["MAX_FILES", "CacheTrace", "Traced", "readTrace", "traceCommand"]

MAX_FILES = 10_000
"""Maximum number of traces that are looked at when a command has ended: one for each connection that it opened."""


@dataclass(frozen=True)
class CacheTrace:
    """@ivar requests, pages: number of requests in the file, and of different pages among them."""

    path: Path
    requests: int
    pages: int


@dataclass(frozen=True)
class Traced:
    """
    @ivar traces: of each cache that was asked for anything, the longest first.
    @ivar exitCode: the command's.
    @ivar slots: pages of the cache that was asked most; 0: it isn't known, as the command didn't end by itself.
    """

    traces: Sequence[CacheTrace]
    exitCode: int
    slots: int


def traceCommand(wasm: bytes, abi: Abi, out: Path, command: Sequence[str]) -> Traced:
    """
    Run a command whose SQLite decides by a component, and write the requests of each cache to a file in a new folder.

    The library is made anew of the module: an export may come from a stranger.

    @raise DeployError: the folder is there already, or the command can't be run.
    @raise kernelnet.exporters.errors.ExportError: it can't be made here.
    """
    try:
        out.mkdir(parents=True)
    except FileExistsError:
        raise DeployError(f"{out} is there already: give another --out") from None
    except OSError as error:
        raise DeployError(f"can't make {out}: {error.strerror}") from None
    isKept = False
    try:
        with tempfile.TemporaryDirectory(prefix="kernelnet-sqlite-") as folder:
            made = Path(folder, "made")
            exportTo(made, exporter, wasm, abi, {})
            preloaded = ":".join(filter(None, [str(made / LIBRARY), os.environ.get("LD_PRELOAD", "")]))
            report = Path(folder, "report")
            own = {"KERNELNET_TRACE": str(out.resolve()), "KERNELNET_REPORT": str(report)}
            code = _run(command, {**os.environ, "LD_PRELOAD": preloaded, **own})
            slots = int(json.loads(report.read_bytes())["slots"]) if report.exists() else 0
        traces = [readTrace(path) for path in sorted(out.iterdir())[:MAX_FILES]]
        found = sorted((each for each in traces if each.requests), key=lambda each: -each.requests)
        for each in traces:
            if not each.requests:
                each.path.unlink()
        isKept = bool(found)
        return Traced(found, code, slots)
    finally:
        if not isKept:
            for path in out.iterdir():
                path.unlink()
            out.rmdir()


def _run(command: Sequence[str], environment: dict[str, str]) -> int:
    """To its end: Ctrl-C is the command's own affair."""
    try:
        process = subprocess.Popen(list(command), env=environment)
    except OSError as error:
        raise DeployError(f"can't run {command[0]}: {error.strerror}") from None
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def readTrace(path: Path) -> CacheTrace:
    """Count what is in a trace that the library wrote."""
    count, pages = 0, set[bytes]()
    with path.open("rb") as lines:
        for line in lines:
            count += 1
            pages.add(line)
    return CacheTrace(path, count, len(pages))
