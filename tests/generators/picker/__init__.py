"""A bench of a third party, with a rank ABI and nothing else: what generators must be able to work with."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from twisted.plugin import IPlugin
from zope.interface import implementer

from kernelnet.interfaces import IWorkbench
from kernelnet.workbench.abi import rankAbi
from kernelnet.workbench.base import SPLITS, BaseScenario, BaseWorkbench, splitEnds
from kernelnet.workbench.machine import Arena, Layout, Machine, Memory

__all__ = ["ABI", "Picker", "Scenario", "pickerScenario"]

_HERE = Path(__file__).parent

ABI = rankAbi("picker/rank/1", _HERE / "driver.c", ("length", "waited", "noise"), known=("length", "-waited"))


class Trace:
    """Jobs, two for each event."""

    def __init__(self, jobs: npt.NDArray[np.uint8]) -> None:
        self.name, self.jobs = "jobs", jobs
        self.digest = hashlib.sha256(jobs.tobytes()).hexdigest()

    def windows(self, upTo: str) -> list[tuple[str, int, int]]:
        ends = splitEnds(len(self.jobs) // 6)
        starts = dict(zip(SPLITS, [0, *ends.values()], strict=False))
        return [(split, starts[split], ends[split]) for split in SPLITS[: SPLITS.index(upTo) + 1]]


class PickerMachine(Machine):
    abis = (ABI,)
    header = _HERE / "kn_picker.h"

    trace: Trace

    def layOut(self) -> Arena:
        layout = Layout()
        at = {"jobs": layout.place(len(self.trace.jobs))}
        arena = Arena(Memory(layout), at)
        arena.memory.write(at["jobs"], self.trace.jobs)
        return arena

    def prepare(self, arena: Arena, settings: Mapping[str, int], wasm: bytes, end: int) -> None:
        arena.at["bits"] = settings["bits"]

    def begin(self, driver: Any, arena: Arena, settings: Mapping[str, int]) -> None:
        driver["wb_begin"](arena.memory.store, arena.at["jobs"])

    def score(self, driver: Any, arena: Arena, start: int, end: int) -> tuple[int, dict[str, int]]:
        total = driver["wb_run"](arena.memory.store, start, end)
        return total, {"bits": driver["wb_sum"](arena.memory.store) & 0xFFFFFFFF} if arena.at["bits"] else {}

    def fuelLimit(self, events: int, settings: Mapping[str, int]) -> int:
        return 1_000_000 + 10_000 * events


class Scenario(BaseScenario):
    machine: PickerMachine

    def computeOptimum(self) -> dict[str, int]:
        costs = np.minimum(*self.costs())
        return {split: int(costs[start:end].sum()) for split, start, end in self.machine.trace.windows("held_out")}

    def costs(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """What each event's two jobs cost."""
        jobs = self.machine.trace.jobs.reshape(-1, 2, 3).astype(np.int64)
        cost = jobs[:, :, 0] + jobs[:, :, 1] // 2
        return cost[:, 0], cost[:, 1]


@implementer(IPlugin, IWorkbench)
class Picker(BaseWorkbench[PickerMachine, Scenario]):
    """Its setting C{bits} is 1 if a metric is to tell all bits of all ranks apart."""

    name = "picker"
    description = "for tests"
    reference = "first"
    optimumName = "the cheaper one"
    unit = "costs"
    ratio = "cost"
    formats = "bytes"
    abis = (ABI,)
    folder = _HERE
    rules = "picker 1"
    baselineNames = ("first", "short")

    def machine(self, path: Path) -> PickerMachine:
        return PickerMachine(Trace(np.frombuffer(path.read_bytes(), np.uint8)))

    def complete(self, trace: Any, settings: Mapping[str, int]) -> dict[str, int]:
        return {"bits": 0, **settings}

    def makeScenario(self, machine: PickerMachine, settings: Mapping[str, int]) -> Scenario:
        return Scenario(self, machine, settings)


def pickerScenario(folder: Path, events: int = 400, seed: int = 1, bits: int = 0) -> Scenario:
    """A scenario on random jobs, of a bench of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "jobs"
    path.write_bytes(random.Random(seed).randbytes(6 * events))
    scenario: Scenario = Picker().scenario(path, {"bits": bits})
    return scenario
