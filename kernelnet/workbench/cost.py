"""
Cost of a policy beside its quality: nanoseconds an event, and bytes of memory a slot.

The time is that of policy and driver in the sandbox without metering, in an engine that counts no fuel but is still
interrupted: what a policy takes where it is used is nearer to that.  It is CPU time, of several runs the least, since
all that disturbs a run makes it longer.  Strangers' C is never compiled natively.
"""

from __future__ import annotations

from dataclasses import dataclass

from kernelnet.interfaces import IScenario
from kernelnet.workbench.base import BaseScenario
from kernelnet.workbench.engine import unmetered

__all__ = ["Cost", "costOf"]

RUNS = 5
"""Maximum number of runs, of which the quickest counts."""

ENOUGH_SECONDS = 0.5
"""CPU seconds of runs after which there is no other."""

SLOTS = "capacity"
"""Setting that says how many slots a policy has."""


@dataclass(frozen=True)
class Cost:
    """
    @ivar nsPerEvent: nanoseconds of CPU time, policy and driver together, over the whole trace.
    @ivar memoryBytes: linear memory of all instances in use at the end, in pages of 4 KiB in which anything but zeros
        stands; C{None}: it isn't exported.
    @ivar bytesPerSlot: the same for each slot of a cache, or each instance where there are no slots.
    """

    nsPerEvent: float
    memoryBytes: int | None
    bytesPerSlot: float | None


def costOf(scenario: IScenario, wasm: bytes) -> Cost | None:
    """
    Worker thread.  Measure what a policy costs on a scenario.

    @param scenario: of one trace as it is.
    @return: C{None} for a scenario of somebody else's making, or of several traces.
    @raise kernelnet.workbench.errors.ComponentError: it fails.
    """
    if not isinstance(scenario, BaseScenario):
        return None
    with unmetered():
        machine = type(scenario.machine)(scenario.machine.trace)
        taken: list[tuple[float, int | None]] = []
        machine.observer = lambda seconds, used: taken.append((seconds, used))
        try:
            while len(taken) < RUNS and sum(seconds for seconds, _ in taken) < ENOUGH_SECONDS:
                machine.run(wasm, scenario.settings)
        finally:
            machine.close()
    seconds, used = min(taken, key=lambda run: run[0])
    slots = scenario.settings.get(SLOTS, 1) * machine.instances(scenario.settings)
    return Cost(
        round(1e9 * seconds / max(1, sum(scenario.events.values())), 1), used, None if used is None else used / slots
    )
