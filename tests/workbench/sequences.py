"""What the security bench's tests need: small data sets, detectors from source, and the scores that they give."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.machine import Arena
from kernelnet.workbench.security import SecurityWorkbench, readers, workbench
from kernelnet.workbench.security.machine import SecurityMachine
from kernelnet.workbench.security.scenario import SecurityScenario
from kernelnet.workbench.security.trace import Trace, makeTrace

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "traces" / "security"
"""Data sets that may lie beside the repository; they aren't ours to ship."""

Labelled = tuple[str, Any]


def writeDataSet(path: Path, sequences: Iterable[Labelled]) -> Path:
    """Our own format; calls are numbers or names."""
    lines = [f"{label} {' '.join(str(call) for call in calls)}" for label, calls in sequences]
    path.write_text("".join(f"{line}\n" for line in [readers.FIRST_LINE, *lines]))
    return path


def made(sequences: Iterable[Labelled]) -> Trace:
    """The same without a file; calls are numbers, or characters."""
    result = []
    for label, calls in sequences:
        what, kind, instance = [*label.split(":"), "", ""][:3]
        numbers = np.array([call if isinstance(call, int) else ord(call) for call in calls], np.uint32)
        result.append(readers.Sequence(what, kind, instance, numbers))
    return makeTrace("made", result)


def behaviour(rng: random.Random, calls: int, habit: float, length: int) -> list[int]:
    """Calls that mostly follow each other as they always do (7 behind 3, …), and otherwise come as they like."""
    sequence = [rng.randrange(calls)]
    while len(sequence) < length:
        follows = sequence[-1] * 5 + 3 if rng.random() < habit else rng.randrange(calls)
        sequence.append(follows % calls)
    return sequence


def mixture(seed: int = 1, learned: int = 40, normal: int = 120, kinds: int = 8, each: int = 5) -> list[Labelled]:
    """Normal behaviour of strong habits, and attacks of weaker ones, which detectors find to different degrees."""
    rng = random.Random(seed)
    result: list[Labelled] = []
    for number in range(learned + normal):
        label = "learn" if number < learned else "normal"
        result.append((label, behaviour(rng, 24, rng.uniform(0.7, 1), rng.randint(20, 90))))
    for kind in range(kinds):
        for instance in range(each):
            habit = 0.35 + 0.06 * kind
            result.append((f"attack:k{kind}:{instance}", behaviour(rng, 24, habit, rng.randint(20, 90))))
    return result


def smallScenario(folder: Path, sequences: Iterable[Labelled] | None = None) -> SecurityScenario:
    """A scenario of a bench of its own, so that nothing is left in the plugin."""
    path = writeDataSet(folder / "small.txt", mixture() if sequences is None else sequences)
    scenario: SecurityScenario = SecurityWorkbench().scenario(path)
    return scenario


@functools.cache
def detector(source: str) -> bytes:
    """A component compiled from source, with the header included."""
    return compileC(f'#include "kn_security.h"\n{source}', workbench.headerPath, trusted=True)


def ranking(expression: str) -> bytes:
    """A component of the rank ABI."""
    return detector(f"f64 kn_rank(KN_SECURITY_FEATURES) {{ return {expression}; }}")


class _Watched(SecurityMachine):
    scores: list[float]

    def score(self, driver: Any, arena: Arena, start: int, end: int) -> tuple[int, dict[str, int]]:
        result = super().score(driver, arena, start, end)
        self.scores = arena.memory.read(arena.at["scores"], self.trace.sequences, "<f8").tolist()
        return result


def scores(trace: Trace, wasm: bytes) -> list[float]:
    """What a component says of each sequence under test, in the order of C{trace}."""
    machine = _Watched(trace)
    machine.run(wasm, {})
    machine.close()
    return machine.scores[trace.learned :]
