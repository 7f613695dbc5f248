"""A demonstration of the learning half, alone: learn, build and measure once, without a hub."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred

from kernelnet.artifacts import Component, Verdict
from kernelnet.interfaces import ILocalTrainer
from kernelnet.learning.goal import Goal

__all__ = ["DEMO_SEARCHES", "DEMO_SECONDS", "demo"]

DEMO_SEARCHES = 3
DEMO_SECONDS = 6.0
"""Maximum number of searches, and seconds of each."""


async def demo(
    trainer: ILocalTrainer, validationLevels: Callable[[Sequence[Component]], Deferred[dict[str, float]]]
) -> dict[str, Any]:
    """
    See `kernelnet.learning.local_trainer.IntegratedKernelTrainer.run_comprehensive_demo`.

    @param validationLevels: fires with the level that each component, by its id, has on validation.
    """
    began = time.monotonic()
    await trainer.start()
    try:
        patterns = await trainer.learn()
        built: list[Component] = []
        for _ in range(min(DEMO_SEARCHES, len(trainer.tasks()))):
            goal = Goal("", DEMO_SECONDS, patterns=patterns, parents=list(built))
            component = await trainer.build(goal)
            if component is not None and (await trainer.remeasure(component)).verdict is Verdict.CONFIRMED:
                built.append(component)
        # chosen by validation: the best of several held-out scores would be better than what it promises
        levels = await validationLevels(built)
        best = max(built, key=lambda component: levels[component.id], default=None)
    finally:
        await trainer.stop()
    return {
        "patterns_learned": len(patterns),
        "components_built": len(built),
        "performance_gain": best.development_level if best is not None else 0.0,
        "best_component": best.id if best is not None else None,
        "seconds": time.monotonic() - began,
    }
