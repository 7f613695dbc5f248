"""
A component in SQLite, measured: SQL on copies of a database, with SQLite's own page cache and with the component's.

The misses are those that SQLite counts.  Beside them stand those of the simulator on the page requests of the same run.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import sqlite3
import statistics
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kernelnet.deploy.errors import DeployError
from kernelnet.deploy.measurement import Measured, Measurement
from kernelnet.deploy.sqlite.tracing import readTrace
from kernelnet.exporters.building import build
from kernelnet.exporters.folder import exportTo
from kernelnet.exporters.sqlite import LIBRARY, exporter
from kernelnet.interfaces import IWorkbench
from kernelnet.workbench.errors import WorkbenchError

__all__ = ["BUILT_IN", "MAX_PAGES", "MAX_SQL", "measure"]

BUILT_IN = "built-in"
"""Name of SQLite's own page cache in tables."""

MAX_SQL = 1 << 28
"""Bytes of the SQL: it is held in memory."""

MAX_PAGES = 1 << 22
"""Pages of the cache, as the library has at most so many slots."""

SECONDS = 3600
"""Wall clock that one run has."""

_RUNNER = Path(__file__).with_name("runner.c")
_COMPONENT = "component"


@dataclass(frozen=True)
class _Run:
    """@ivar content: of the database afterwards; C{report}: of the library, empty without one."""

    counted: Mapping[str, Any]
    content: Mapping[str, Any]
    report: Mapping[str, Any]


class _Bed:
    """A folder with the program that runs SQL, a copy of the database, and the libraries."""

    def __init__(self, folder: Path, sql: Path, pages: int, isCold: bool) -> None:
        self._folder, self._sql, self._pages, self._isCold = folder, sql.resolve(), pages, isCold
        self._base, self._data = folder / "base", folder / "run" / "data.db"
        self._runner = folder / "runner"
        self._libraries: dict[str, Path] = {}

    def prepare(self, database: Path, modules: Mapping[str, bytes], bench: IWorkbench) -> None:
        """
        Copy the database, as it is at one moment whoever else uses it, and build everything.

        @raise DeployError: there is no such database.
        @raise kernelnet.exporters.errors.ExportError: something can't be built.
        """
        right = "--database should be an SQLite database"
        try:
            source = sqlite3.connect(f"file:{quote(str(database.resolve()))}?mode=ro", uri=True)
            copy = sqlite3.connect(self._base)
            try:
                source.backup(copy)
            finally:
                copy.close()
                source.close()
        except sqlite3.Error as error:
            raise DeployError(f"{database} can't be copied ({error}): {right}") from None
        build([_RUNNER], self._runner, flags=["-ldl"], isProgram=True)
        for name, wasm in modules.items():
            exportTo(self._folder / name, exporter, wasm, bench.abiOf(wasm), {})
            self._libraries[name] = self._folder / name / LIBRARY

    def run(self, name: str, traces: Path | None = None) -> _Run:
        """Run the SQL on a fresh copy.  @raise DeployError: it is no SQL for this database."""
        self._data.parent.mkdir()
        try:
            shutil.copyfile(self._base, self._data)
            report = self._folder / "report"
            environment = {
                key: value for key, value in os.environ.items() if key not in ("KERNELNET_TRACE", "KERNELNET_REPORT")
            }
            if name in self._libraries:
                environment |= {"LD_PRELOAD": str(self._libraries[name]), "KERNELNET_REPORT": str(report)}
            if traces is not None:
                environment["KERNELNET_TRACE"] = str(traces)
            counted = self._start(environment, "run", str(self._sql), str(self._pages), str(int(self._isCold)))
            reported = json.loads(report.read_bytes()) if name in self._libraries else {}
            return _Run(counted, self._start(dict(os.environ), "check"), reported)
        finally:
            shutil.rmtree(self._data.parent)

    def _start(self, environment: Mapping[str, str], what: str, *arguments: str) -> dict[str, Any]:
        command = [str(self._runner), what, str(self._data), *arguments]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                errors="replace",
                env=environment,
                cwd=self._folder,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise DeployError(f"the SQL takes more than {SECONDS} s: give less of it") from None
        if done.returncode:
            said = done.stderr.strip().splitlines() or [f"it ended with exit code {done.returncode}"]
            raise DeployError(f"the SQL can't be run on this database: {said[-1]}")
        found: dict[str, Any] = json.loads(done.stdout)
        return found


def measure(
    wasm: bytes,
    bench: IWorkbench,
    *,
    database: Path,
    sql: Path,
    pages: int = 0,
    beside: Sequence[str] = (),
    runs: int = 3,
    isCold: bool = False,
) -> Measurement:
    """
    Measure a component; the library is made anew of its module.

    @param bench: C{file_system}.
    @param database: a file that stays as it is.
    @param sql: a file of statements; what they may reach is the copy alone.
    @param pages: of the cache; 0: as SQLite and the SQL have it.
    @param beside: hand-made policies of the bench, which are measured too.
    @param runs: of each, in turns, so that what else the machine does falls on all.
    @param isCold: the system's own cache has nothing of the database when a run begins.
    @raise DeployError: database or SQL are none.
    @raise kernelnet.exporters.errors.ExportError: something can't be built here.
    @raise WorkbenchError: there is no such policy.
    """
    if (size := sql.stat().st_size) > MAX_SQL:
        raise DeployError(f"{sql} has {size} bytes; at most {MAX_SQL} are run")
    unknown = sorted(set(beside) - set(bench.baselineNames))
    if unknown:
        raise DeployError(f"there is no policy {unknown[0]!r} to measure beside: {', '.join(bench.baselineNames)}")
    modules = {_COMPONENT: wasm, **{name: bench.baselineModule(name) for name in beside}}
    names = [BUILT_IN, *modules]
    with tempfile.TemporaryDirectory(prefix="kernelnet-sqlite-") as temporary:
        folder = Path(temporary)
        bed = _Bed(folder, sql, pages, isCold)
        bed.prepare(database, modules, bench)
        found: dict[str, list[_Run]] = {name: [] for name in names}
        for _ in range(runs):
            for name in names:
                found[name].append(bed.run(name))
        traces = folder / "traces"
        traces.mkdir()
        traced = bed.run(_COMPONENT, traces)
        spoiled = _spoiled(found, traced)
        simulated, digest = _simulated(bench, traces, int(traced.report["slots"]), modules, spoiled)
    version = traced.counted["sqlite"]
    return Measurement(
        target=exporter.name,
        wasm_sha256=hashlib.sha256(wasm).hexdigest(),
        workbench=bench.name,
        unit=bench.unit,
        workload=sql.name,
        workload_digest=digest,
        settings={"capacity": int(traced.report["slots"])},
        component=_measured(_COMPONENT, found[_COMPONENT], simulated.get(_COMPONENT)),
        beside=[
            # SQLite's own keeps what was used last, as LRU does
            _measured(name, found[name], simulated.get("lru" if name == BUILT_IN else name))
            for name in names
            if name != _COMPONENT
        ],
        spoiled=spoiled,
        system=f"{platform.system()} {platform.release()}; SQLite {version}",
        hardware=f"{platform.machine()}, {os.cpu_count()} cores",
    )


def _measured(name: str, runs: Sequence[_Run], simulated: int | None) -> Measured:
    """Medians of a policy's runs."""

    def median(what: str) -> float:
        return float(statistics.median(run.counted[what] for run in runs))

    figures = {
        "hits": median("hits"),
        "reads": median("reads"),
        "disk_kilobytes": median("disk_bytes") / 1000,
        "cpu_seconds": median("cpu_seconds"),
        "seconds": median("seconds"),
        "component_kilobytes": float(runs[0].report.get("component_bytes", 0)) / 1000,
    }
    return Measured(name, median("misses"), simulated, len(runs), figures)


def _spoiled(found: Mapping[str, Sequence[_Run]], traced: _Run) -> list[str]:
    """Sentences that say why this doesn't count."""
    own, sentences = found[BUILT_IN], []
    if len({run.counted["result"] for run in own}) > 1 or len({run.content["content"] for run in own}) > 1:
        sentences.append(
            "the SQL gives something else each time, SQLite's own cache too: it should use neither random() nor time"
        )
    for name, runs in {**found, _COMPONENT: [*found[_COMPONENT], traced]}.items():
        if not all(run.content["integrity"] for run in runs):
            sentences.append(f"{name}: the database is not as it should be afterwards (integrity_check)")
        if len({run.counted["misses"] for run in runs}) > 1:
            sentences.append(f"{name}: not the same number of misses in each run")
        if failures := [run.report["failure"] for run in runs if run.report.get("failures")]:
            sentences.append(f"{name}: it broke, and FIFO took over: {failures[0]}")
        if sentences or name == BUILT_IN:
            continue
        if any(run.counted["result"] != own[0].counted["result"] for run in runs):
            sentences.append(f"{name}: the SQL has another result than with SQLite's own cache")
        if any(run.content["content"] != own[0].content["content"] for run in runs):
            sentences.append(f"{name}: the database has another content than with SQLite's own cache")
    return sentences


def _simulated(
    bench: IWorkbench, traces: Path, slots: int, modules: Mapping[str, bytes], spoiled: list[str]
) -> tuple[dict[str, int], str]:
    """Misses of each policy by the simulator, and the trace's digest; nothing, if the bench takes no such trace."""
    found = sorted(map(readTrace, traces.iterdir()), key=lambda each: each.requests)
    if not found or not found[-1].requests:
        spoiled.append("SQLite asked for no page through the component's cache")
        return {}, ""
    if found[-1].pages <= slots:
        spoiled.append(
            f"the cache of {slots} pages holds all {found[-1].pages} that were asked for, so that none has to go:"
            " take a smaller --cache"
        )
    try:
        scenario = bench.scenario(found[-1].path, {"capacity": slots})
        simulated = {}
        for name, wasm in {"lru": bench.baselineModule("lru"), **modules}.items():
            simulated[name] = sum(split.score for split in scenario.measure(wasm).splits.values())
    except WorkbenchError as error:
        spoiled.append(f"the simulator can't run these requests: {error}")
        return {}, ""
    return simulated, scenario.traceDigest
