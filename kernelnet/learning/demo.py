"""A demonstration of the learning half, alone: learn, build and measure once, without a hub."""

from __future__ import annotations

import math
import time
from typing import Any

from kernelnet.artifacts import Component, Verdict
from kernelnet.interfaces import ILocalTrainer
from kernelnet.learning.goal import Goal

__all__ = ["DEMO_SEARCHES", "DEMO_SECONDS", "demo"]

DEMO_SEARCHES = 3
DEMO_SECONDS = 6.0
"""Maximum number of searches, and seconds of each."""


async def demo(trainer: ILocalTrainer) -> dict[str, Any]:
    """See `kernelnet.learning.local_trainer.IntegratedKernelTrainer.run_comprehensive_demo`."""
    began = time.monotonic()
    await trainer.start()
    try:
        patterns = await trainer.learn()
        built: list[tuple[float, Component]] = []
        for _ in range(min(DEMO_SEARCHES, len(trainer.tasks()))):
            levels = {component.digest: level for level, component in built}
            parents = [component for _, component in built]
            goal = Goal("", DEMO_SECONDS, patterns=patterns, parents=parents, levels=levels)
            component = await trainer.build(goal)
            if component is not None and (told := await trainer.remeasure(component)).verdict is Verdict.CONFIRMED:
                # by validation: the best of several held-out scores would be better than what it promises
                level = told.validationLevel
                built.append((level if level is not None else -math.inf, component))
                built.sort(key=lambda each: -each[0])
        best = built[0][1] if built else None
    finally:
        await trainer.stop()
    return {
        "patterns_learned": len(patterns),
        "components_built": len(built),
        "performance_gain": best.development_level if best is not None else 0.0,
        "best_component": best.id if best is not None else None,
        "seconds": time.monotonic() - began,
    }
