"""
A policy learned from a program's own page requests, in SQLite: beside SQLite's own page cache and hand-made ones.

All by the commands that a user types.  C{deploy trace} records a shop (`shop.py`) on weekdays under the program
C{sqlite3}; C{bench train} searches on that; what it found is exported, and C{deploy measure} runs the shop's evenings:
another seed, another mix.  Misses are SQLite's own count, reads are the process's, with the database in the system's
cache and without.

Then one table of the one component: what its author claims, what a peer measures, and what the simulator, libCacheSim
and SQLite count.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness import Table, machine
from results import publish
from shop import EVENINGS, WEEKDAYS, makeDatabase, statements

from kernelnet.artifacts import Candidate, Component, Report
from kernelnet.exporters import plugin_cache
from kernelnet.interfaces import IScenario
from kernelnet.learning.acceptance import accept
from kernelnet.learning.verification import remeasureAmong
from kernelnet.workbench.file_system import workbench

GOAL = -5.0
"""Per cent of the misses of SQLite's own page cache."""

BESIDE = ("lru", "s3fifo", "arc")


@dataclass(frozen=True)
class Program:
    """@ivar sql: its statements; C{trace}: the page requests that they make."""

    name: str
    sql: Path
    trace: Path

    def scenario(self, pages: int) -> IScenario:
        return workbench.scenario(self.trace, {"capacity": pages})


def kernelnet(*arguments: str | Path | int | float) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "kernelnet", *map(str, arguments)], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"kernelnet {arguments[0]} {arguments[1]} ended with exit code {done.returncode}")
    return done.stdout


MIXES = {"weekdays": (1, WEEKDAYS), "evenings": (2, EVENINGS)}


def recorded(folder: Path, name: str, steps: int, pages: int) -> Program:
    """A program, and its requests as they are whatever decides: LRU does here."""
    seed, mix = MIXES[name]
    sql, data, out = folder / f"{name}.sql", folder / f"{name}.db", folder / f"{name}-trace"
    sql.write_text(f"PRAGMA cache_size = {pages};\n" + "\n".join(statements(seed, steps, mix)) + "\n")
    data.write_bytes((folder / "shop.db").read_bytes())
    kernelnet("deploy", "trace", folder / "lru", "--out", out, "--", "sqlite3", data, f".read {sql}")
    return Program(name, sql, max(out.iterdir(), key=lambda path: path.stat().st_size))


def claimed(source: str, scenario: IScenario) -> Component:
    """What its author would say of it to all."""
    component, why = accept(scenario, Candidate(source), generator="search", seed=1)
    if component is None:
        sys.exit(f"the guard refuses what was found: {why}")
    return component


def confirmed(component: Component, trace: Path) -> tuple[str, Report | None]:
    """In a process of its own: what a peer says, who has the trace and the component as it was shared."""
    verdict, _, report = remeasureAmong(component, workbench, [trace])
    return verdict.value, report


def misses(report: Report | None) -> str:
    if report is None:
        return ""
    score, events = (sum(getattr(s, what) for s in report.splits.values()) for what in ("score", "events"))
    return f"{score:,} ({score / events:.4f})"


def measured(export: Path, database: Path, program: Program, runs: int, *, cold: bool = False) -> dict[str, Any]:
    command: list[str | Path | int] = ["deploy", "measure", export, "--database", database, "--sql", program.sql]
    command += ["--runs", runs, "--beside", ",".join(BESIDE), "--json", *(["--cold"] if cold else [])]
    found: dict[str, Any] = json.loads(kernelnet(*command))
    return found


def compared(title: str, found: dict[str, Any]) -> Table:
    """Each policy beside SQLite's own."""
    heads = ["policy", "misses", "beside built-in", "beside simulator", "reads", "CPU s", "beside built-in", "seconds"]
    table = Table(title, [*heads, "KB read from disk"])
    own = found["beside"][0]
    for each in [*found["beside"], {**found["component"], "name": "**learned**"}]:
        figures, cpu = each["figures"], own["figures"]["cpu_seconds"]
        isOwn = each is own
        table.rows.append(
            [
                each["name"],
                f"{each['real']:,.0f}",
                "" if isOwn else f"{100 * (each['real'] / own['real'] - 1):+.2f} %",
                "" if isOwn else f"{100 * (each['real'] / each['simulated'] - 1):+.2f} %",
                f"{figures['reads']:,.0f}",
                f"{figures['cpu_seconds']:.3f}",
                "" if isOwn else f"{100 * (figures['cpu_seconds'] / cpu - 1):+.1f} %",
                f"{figures['seconds']:.3f}",
                f"{figures['disk_kilobytes']:,.0f}",
            ]
        )
    return table


def oneTable(component: Component, source: Path, programs: Sequence[Program], pages: int, real: Sequence[Any]) -> Table:
    """The same component by everybody who can measure it, on the program that it was trained on and on the other."""
    table = Table("The same component, by everybody who measures it", ["misses (ratio)", *(p.name for p in programs)])
    assert component.manifest is not None
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        verdict, report = pool.apply(confirmed, (component, programs[0].trace))
    table.rows += [
        ["claimed: on variants of the trace, as all claims are", misses(component.manifest.report), ""],
        [f"a peer, in a process of its own: {verdict}", misses(report), ""],
    ]
    export = source.with_name("libcachesim")
    kernelnet("components", "export", source, "--for", "libcachesim", "--out", export)
    counts: dict[str, list[str]] = {"simulator": [], "libCacheSim": [], "SQLite": []}
    for program, found in zip(programs, real, strict=True):
        scenario = program.scenario(pages)
        counts["simulator"].append(misses(scenario.measure(component.wasm)))
        requests = [int(line) for line in program.trace.read_text().split()]
        theirs = plugin_cache.misses(requests, pages, library=export / "eviction.so")
        counts["libCacheSim"].append(f"{theirs:,} ({theirs / len(requests):.4f})")
        own = found["component"]
        counts["SQLite"].append(f"{own['real']:,.0f} ({own['real'] / (own['real'] + own['figures']['hits']):.4f})")
    table.rows += [
        ["the simulator, on the trace as it is", *counts["simulator"]],
        ["libCacheSim, on the trace as it is", *counts["libCacheSim"]],
        ["SQLite's own count, running", *counts["SQLite"]],
    ]
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description="Policies in SQLite, by its own count of misses.")
    parser.add_argument("--pages", type=int, default=650, help="of SQLite's cache; the database has about 6,000")
    parser.add_argument("--steps", type=int, default=60_000, help="of either program")
    parser.add_argument("--seconds", type=int, default=120, help="for the search")
    parser.add_argument("--runs", type=int, default=5, help="of each policy")
    parser.add_argument("--publish", action="store_true", help="write the section of RESULTS.rst")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kernelnet-bench-") as temporary:
        folder = Path(temporary)
        makeDatabase(folder / "shop.db")
        lru = workbench.folder / "baselines" / "lru.c"
        kernelnet("components", "export", lru, "--for", "sqlite", "--out", folder / "lru")
        weekdays, evenings = (recorded(folder, name, options.steps, options.pages) for name in MIXES)
        found = folder / "learned.c"
        task = ("--trace", weekdays.trace, "--capacity", options.pages, "--seed", 1, "--seconds", options.seconds)
        kernelnet("bench", "train", "file_system", *task, "--out", found)
        component = claimed(found.read_text("utf-8"), weekdays.scenario(options.pages))
        export, database = folder / "export", folder / "shop.db"
        kernelnet("components", "export", found, "--for", "sqlite", "--out", export)
        warm, cold = (measured(export, database, evenings, options.runs, cold=cold) for cold in (False, True))
        trained = measured(export, database, weekdays, 1)
        if warm["wasm_sha256"] != hashlib.sha256(component.wasm).hexdigest():
            sys.exit("what was measured is not what was claimed")
        change = 100 * (warm["component"]["real"] / warm["beside"][0]["real"] - 1)
        tables = [
            compared(f"SQLite, evenings: seed 2, another mix; medians of {options.runs} runs", warm),
            compared("The same, with nothing of the database in the system's cache at the beginning", cold),
            oneTable(component, found, (weekdays, evenings), options.pages, (trained, warm)),
        ]
    heading = "A learned policy in SQLite"
    tables[0].remarks.append(
        f"Goal: {GOAL} % misses; {'reached' if change <= GOAL else 'missed'}: {change:+.2f} %.  Each run had the same"
        " results and left the same content, whatever decided."
    )
    facts = {**dict(machine()), "Date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"}
    said = ", ".join(f"{facts[name]}" for name in ("Date", "CPU", "System", "SQLite") if name in facts)
    about = f"""\
``deploy_sqlite.py --publish``, {said}, load {facts.get("Load", "?")}: a shop's database of 24 MB, a cache of
{options.pages} pages, {options.steps:,} steps of its program.  Trained for {options.seconds} s on the page requests of
*weekdays* (seed 1), as ``kernelnet deploy trace`` wrote them, and measured on *evenings*, another mix of seed 2.
"""
    text = "\n".join([heading, "-" * len(heading), "", about, *map(str, tables)])
    print(text)
    if options.publish:
        publish("deploy_sqlite", text)


if __name__ == "__main__":
    main()
