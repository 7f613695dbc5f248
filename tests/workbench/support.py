"""What several of these tests need: small traces, policies from source, and where the real traces are."""

from __future__ import annotations

import functools
import lzma
import random
from pathlib import Path

from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.file_system import FileSystemWorkbench, workbench
from kernelnet.workbench.file_system.scenario import FileSystemScenario

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "traces" / "file_system"
"""Traces that may lie beside the repository; they aren't ours to ship."""

HEADER = workbench.headerPath


def sharedTraces(*names: str) -> list[Path]:
    """Those of C{names} that are there."""
    return [SHARED / name for name in names if (SHARED / name).exists()]


def writeTrace(path: Path, ids: list[int]) -> Path:
    path.write_text("".join(f"{number}\n" for number in ids))
    return path


def mixture(requests: int = 2000, seed: int = 1) -> list[int]:
    """A loop with a skewed load and one-hit wonders: a small trace on which policies differ."""
    rng = random.Random(seed)
    ids: list[int] = []
    for number in range(requests):
        kind = rng.random()
        if kind < 0.5:
            ids.append(int(rng.paretovariate(1.0)) % 200)
        elif kind < 0.8:
            ids.append(1000 + number % 120)
        else:
            ids.append(10_000 + number)
    return ids


def loop(requests: int, length: int = 100) -> list[int]:
    """
    A loop, in which often another block is requested three times, and never again.

    In a cache of a third of the length nothing made by hand is as good as to stick to what is there, also where a
    request is missing here and there: for LIRS and S3-FIFO the further requests are reason to keep the block.
    """
    ids: list[int] = []
    at = 0
    while len(ids) < requests:
        ids.append(at % length)
        at += 1
        if at % 5 == 0:
            other = 1_000_000 + at
            ids.append(other)
            for _ in range(2):
                ids += [*((at + step) % length for step in range(6)), other]
                at += 6
    return ids[:requests]


def smallScenario(folder: Path, ids: list[int] | None = None, capacity: int = 32) -> FileSystemScenario:
    """A scenario of a bench of its own, so that nothing is left in the plugin."""
    path = writeTrace(folder / "small.txt", mixture() if ids is None else ids)
    scenario: FileSystemScenario = FileSystemWorkbench().scenario(path, {"capacity": capacity})
    return scenario


@functools.cache
def policy(source: str) -> bytes:
    """A policy compiled from source, with the header included."""
    return compileC(f'#include "kn_file_system.h"\n{source}', HEADER, trusted=True)


def baselineSource(name: str) -> str:
    return HEADER.with_name("baselines").joinpath(f"{name}.c").read_text(encoding="utf-8")


def readXz(path: Path) -> list[int]:
    return [int(line) for line in lzma.open(path).read().split()]
