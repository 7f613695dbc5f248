"""What several tests of window_manager need: components from source, and small movements."""

from __future__ import annotations

import functools
import math
import random
from pathlib import Path

from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.window_manager import WindowManagerWorkbench, workbench
from kernelnet.workbench.window_manager.scenario import WindowManagerScenario

Sample = tuple[int, float, float]
"""Microseconds since the sample before, pixels right and down."""


@functools.cache
def policy(x: str = "return 0;", y: str = "return 0;", sample: str = "", init: str = "", more: str = "") -> bytes:
    """A component of the full ABI, of the bodies of its functions."""
    source = f"""
    #include "kn_window_manager.h"
    {more}
    void kn_init(void) {{ {init} }}
    void kn_sample(u32 elapsed, f64 dx, f64 dy) {{ {sample} }}
    f64 kn_x(u32 age, u32 ahead) {{ {x} }}
    f64 kn_y(u32 age, u32 ahead) {{ {y} }}
    """
    return compileC(source, workbench.headerPath, trusted=True)


@functools.cache
def rank(expression: str) -> bytes:
    """A component of the rank ABI."""
    parameters = ", ".join(f"f64 {feature}" for feature in workbench.abis[1].features)
    source = f'#include "kn_window_manager.h"\nf64 kn_move({parameters}) {{ return {expression}; }}'
    return compileC(source, workbench.headerPath, trusted=True)


def strokes(seconds: float = 60, seed: int = 1, interval: int = 8000) -> list[Sample]:
    """Movements to and fro with noise and pauses: small ones on which predictors differ."""
    rng = random.Random(seed)
    samples: list[Sample] = [(1, 0.0, 0.0)]
    left = seconds * 1e6
    while left > 0:
        steps = max(3, rng.randint(200_000, 900_000) // interval)
        length, angle = rng.lognormvariate(5.0, 0.8), rng.uniform(0, 2 * math.pi)
        at = (0.0, 0.0)
        for step in range(1, steps + 1):
            s = step / steps
            way = length * (s**3 * (10 - 15 * s + 6 * s * s))
            turn = angle + 0.8 * s + rng.gauss(0, 0.02)
            x, y = round(way * math.cos(turn) + rng.gauss(0, 0.3)), round(way * math.sin(turn) + rng.gauss(0, 0.3))
            gap = max(1, round(rng.gauss(interval, 300)))
            samples.append((gap, float(x - at[0]), float(y - at[1])))
            at = (x, y)
            left -= gap
        pause = rng.randint(50_000, 600_000)
        samples.append((pause, 0.0, 0.0))
        left -= pause
    return samples


def write(path: Path, samples: list[Sample]) -> Path:
    """In our own format."""
    lines = [f"{gap} {dx:.10g} {dy:.10g}\n" for gap, dx, dy in samples]
    path.write_text("# kernelnet pointer 1\n" + "".join(lines))
    return path


def smallScenario(folder: Path, samples: list[Sample] | None = None, ahead: int = 16_667) -> WindowManagerScenario:
    """Of a bench of its own, so that nothing is left in the plugin."""
    path = write(folder / "small.pointer", strokes() if samples is None else samples)
    scenario: WindowManagerScenario = WindowManagerWorkbench().scenario(path, {"ahead_us": ahead})
    return scenario
