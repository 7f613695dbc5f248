"""What the tests of process_manager need: small logs, policies from source, and where the real logs are."""

from __future__ import annotations

import functools
import random
from pathlib import Path

from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.process_manager import ProcessManagerWorkbench, workbench
from kernelnet.workbench.process_manager.abis import ABIS
from kernelnet.workbench.process_manager.readers import FIRST_LINE
from kernelnet.workbench.process_manager.scenario import ProcessManagerScenario
from tests.workbench.process_manager_reference import Job

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "traces" / "process_manager"
"""Logs that may lie beside the repository; they aren't ours to ship."""

HEADER = workbench.headerPath


def writeLog(path: Path, jobs: list[Job]) -> Path:
    lines = [f"{job.arrival} {job.run} {job.key}" + (f" {job.estimate}" if job.estimate else "") for job in jobs]
    path.write_text("\n".join([FIRST_LINE, *lines, ""]))
    return path


def someJobs(count: int = 200, seed: int = 1, gap: float = 40) -> list[Job]:
    """Sizes with a heavy tail, some of them known by their key, some estimated; several at a time."""
    rng = random.Random(seed)
    jobs: list[Job] = []
    now = 0
    for _ in range(count):
        # The first comes at 0, like in every log once it is read.
        now += rng.choice((0, 0, int(rng.expovariate(0.5 / gap)))) if jobs else 0
        key = rng.randrange(8)
        run = 1 + (key * 13 + rng.randrange(3) if key < 5 else int(10 * rng.paretovariate(1.1)) % 900)
        jobs.append(Job(now, run, f"{'ab'[key % 2]}/{key}", rng.choice((0, 0, run, 2 * run + 3))))
    return jobs


def smallScenario(folder: Path, jobs: list[Job] | None = None, **settings: int) -> ProcessManagerScenario:
    """A scenario of a bench of its own, so that nothing is left in the plugin; arrivals are as they are."""
    path = writeLog(folder / "small.sched", someJobs() if jobs is None else jobs)
    complete = {"load_permille": 0, "bound_us": 10, "tick_us": 4, "quantum_us": 16, "switch_us": 1, **settings}
    scenario: ProcessManagerScenario = ProcessManagerWorkbench().scenario(path, complete)
    return scenario


@functools.cache
def policy(source: str) -> bytes:
    """A policy compiled from source, with the header included."""
    return compileC(f'#include "{HEADER.name}"\n{source}', HEADER, trusted=True)


@functools.cache
def rank(expression: str) -> bytes:
    """A rank function, of an expression in C."""
    arguments = ", ".join(f"f64 {name}" for name in ABIS[1].features)
    return policy(f"f64 kn_rank({arguments}) {{ return {expression}; }}")
