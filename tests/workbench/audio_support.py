"""What several tests of audio need: components from source, and small calls."""

from __future__ import annotations

import functools
import random
from collections.abc import Sequence
from pathlib import Path

from kernelnet.workbench.audio import AudioWorkbench, workbench
from kernelnet.workbench.audio.readers import FIRST_LINE
from kernelnet.workbench.audio.scenario import AudioScenario
from kernelnet.workbench.compiler import compileC

__all__ = ["fixed", "policy", "rank", "smallScenario", "varied", "writeCall"]


@functools.cache
def policy(target: str = "return delay;", arrive: str = "", init: str = "", more: str = "") -> bytes:
    """A component of the full ABI, of the bodies of its functions."""
    source = f"""
    #include "kn_audio.h"
    {more}
    void kn_init(u32 late_ms, u32 scale_cost, u32 down_ms, u32 up_ms, u32 base_ms) {{ {init} }}
    void kn_arrive(i32 ahead, u32 transit) {{ {arrive} }}
    f64 kn_target(u32 delay) {{ {target} }}
    """
    return compileC(source, workbench.headerPath, trusted=True)


def fixed(delay: object) -> bytes:
    """Always this delay."""
    return policy(f"return {delay};")


@functools.cache
def rank(expression: str) -> bytes:
    parameters = ", ".join(f"f64 {feature}" for feature in workbench.abis[1].features)
    source = f'#include "kn_audio.h"\nf64 kn_delay({parameters}) {{ return {expression}; }}'
    return compileC(source, workbench.headerPath, trusted=True)


def varied(frames: int = 2000, seed: int = 1) -> list[int]:
    """Transits with queues that fill and empty, some spikes, and frames that are lost (-1)."""
    rng = random.Random(seed)
    transits: list[int] = []
    queue = 0.0
    filling = 0.0
    while len(transits) < frames:
        if rng.random() < 0.01:
            filling = rng.choice([0.0, 2.0, 5.0, 15.0])
        queue = max(0.0, min(400.0, queue + filling - 4.0))
        spike = rng.choice([0, 0, 0, 40_000, 700_000]) if rng.random() < 0.01 else 0
        transits.append(-1 if rng.random() < 0.02 else int(queue * 1000) + rng.randrange(900) + spike)
    return transits


def writeCall(path: Path, transits: Sequence[int], start: int = 0) -> Path:
    """In our own format; a transit below 0 is a frame that was lost."""
    came = [(at, 20_000 * at, 20_000 * at + each) for at, each in enumerate(transits, start) if each >= 0]
    path.write_text(FIRST_LINE + "\n" + "".join(f"{at} {sent} {received}\n" for at, sent, received in came))
    return path


def smallScenario(folder: Path) -> AudioScenario:
    """Of a bench of its own, so that nothing is left in the plugin."""
    scenario: AudioScenario = AudioWorkbench().scenario(writeCall(folder / "small.owd", [*varied(1500), 0, 0]))
    return scenario
