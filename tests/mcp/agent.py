"""Policies that a scripted agent submits, and how its tests wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from kernelnet.generators.templates.two_queues import TWO_QUEUES
from kernelnet.mcp.client import Refused
from kernelnet.mcp.client import ScriptedAgent as Agent
from kernelnet.workbench.file_system import workbench

__all__ = ["CAPACITY", "GOOD", "LUCKY", "LUCKY_TASK", "SOUND", "TASK", "Agent", "Refused", "until"]

TASK = "file_system/compiler-59-blocks"
CAPACITY = 59

SOUND = workbench.baselineSource("fifo")
"""A policy that runs, and that is no better than the hand-made ones."""

GOOD = TWO_QUEUES.bake((0.02, 1.9, 4, 0, 0, 0, 6, 0, 0, 0, 0, 0))
"""One that passes the guard on `TASK`: the template, with numbers that tuning it found; they are marked."""


LUCKY_TASK = "file_system/sqlite-558-blocks"
LUCKY = TWO_QUEUES.bake((0.114, 1.1809, 2, 0, 1, 2, 2, 1, 1, 2, 0, 0.09))
"""One that is better than s3fifo there beyond noise, by a gain that the guard takes for luck."""


async def until(look: Callable[[], Awaitable[Any]], seconds: float = 90.0) -> Any:
    """First thing that C{look} finds which is not empty."""
    deadline = time.monotonic() + seconds
    while not (found := await look()):
        if time.monotonic() > deadline:
            raise AssertionError("it does not happen")
        await asyncio.sleep(0.5)
    return found
