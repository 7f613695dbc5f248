"""What several tests of graphics need: components from source, and small sessions."""

from __future__ import annotations

import functools
import random
from pathlib import Path

from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.graphics import GraphicsWorkbench, workbench
from kernelnet.workbench.graphics.frames import Frames
from kernelnet.workbench.graphics.scenario import GraphicsScenario

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "traces" / "graphics"
"""Recordings that may lie beside the repository; they aren't ours to ship."""


@functools.cache
def policy(
    vblank: str = "return 5000;",
    commit: str = "return 5000;",
    done: str = "",
    init: str = "",
    more: str = "",
) -> bytes:
    """A component of the full ABI, of the bodies of its functions."""
    source = f"""
    #include "kn_graphics.h"
    {more}
    void kn_init(u32 period, u32 miss) {{ {init} }}
    f64 kn_vblank(u32 refreshes) {{ {vblank} }}
    f64 kn_commit(u64 surface, u32 at) {{ {commit} }}
    void kn_done(u32 work, u32 missed) {{ {done} }}
    """
    return compileC(source, workbench.headerPath, trusted=True)


def fixed(budget: object) -> bytes:
    """Always this budget, in microseconds."""
    return policy(f"return {budget};", f"return {budget};")


@functools.cache
def rank(expression: str) -> bytes:
    parameters = ", ".join(f"f64 {feature}" for feature in workbench.abis[1].features)
    source = f'#include "kn_graphics.h"\nf64 kn_budget({parameters}) {{ return {expression}; }}'
    return compileC(source, workbench.headerPath, trusted=True)


def session(count: int = 1000, seed: int = 1) -> Frames:
    """
    Frames of a few windows that are busy for a while: work depends on what has changed, and sometimes on nothing known.
    """
    rng = random.Random(seed)
    frames = Frames(Path("made"), period=16_667)
    cost = {name: rng.randrange(100, 3000) for name in "abcdef"}
    begin, open_ = 0, ["a"]
    for number in range(count):
        if number % 50 == 0:
            open_ = rng.sample(sorted(cost), rng.randrange(1, 4))
        changed = [(name, rng.choice([0, 0, 0, rng.randrange(9000)])) for name in open_ if rng.random() < 0.7]
        work = 200 + sum(cost[name] for name, _ in changed) + rng.randrange(200)
        frames.add(begin, work * (8 if rng.random() < 0.02 else 1), changed)
        begin += 16_667 * rng.choice([1, 1, 1, 1, 2, 5])
    return frames


def writeSession(path: Path, frames: Frames) -> Path:
    """In our own format, not compressed."""
    lines = ["# kernelnet repaint 1: begin_us cpu_us gpu_us surfaces"]
    lines += [f"# period {frames.period}"] if frames.period else []
    for begin, work, commits in zip(frames.begin, frames.work, frames.commits, strict=True):
        changed = ",".join(f"{name}@{at}" if at else name for name, at in commits)
        lines.append(f"{begin} {work} 0 {changed or '-'}")
    path.write_text("\n".join(lines) + "\n")
    return path


def smallScenario(folder: Path, frames: Frames | None = None, **settings: int) -> GraphicsScenario:
    """A scenario of a bench of its own, so that nothing is left in the plugin."""
    path = writeSession(folder / "small.repaint", session() if frames is None else frames)
    scenario: GraphicsScenario = GraphicsWorkbench().scenario(path, settings)
    return scenario
