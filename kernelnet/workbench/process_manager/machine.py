"""The scheduler's machine: what its driver walks, and the reference that needs no policy."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from kernelnet.workbench.compiler import compileOwn
from kernelnet.workbench.errors import ContractBroken
from kernelnet.workbench.machine import OWN_FLAGS, Arena, Layout, Machine, Memory
from kernelnet.workbench.process_manager.abis import ABIS, HEADER
from kernelnet.workbench.process_manager.trace import Trace
from kernelnet.workbench.sandbox import loadModule

__all__ = ["MAX_CPUS", "ProcessManagerMachine", "srptScores"]

MAX_CPUS = 64

_PER_KEY = 416
"""The size of rank.c's C{struct past}."""

_PER_SLOT = 104
"""The size of its C{struct candidate}, and a number more."""

_FURTHER = 8192
"""Bytes of all else that rank.c keeps."""

_GROWING = 200
"""A task's timers while they grow: eight or fewer for each doubling."""

_POINTERS = (
    *("arrival", "run", "estimate", "key", "group", "key_salt", "group_salt", "wait"),
    *("task", "state", "free", "left", "debt", "picked", "last", "adapter"),
)
"""The pointers of the driver's C{struct kn_machine}, in its order."""


class ProcessManagerMachine(Machine):
    """See `Machine`; an event is a task, and the score is the sum of bounded slowdowns in thousandths."""

    abis = ABIS
    header = HEADER

    trace: Trace

    def __init__(self, trace: Trace) -> None:
        super().__init__(trace)
        # So many tasks can be ready at once.
        self.slots = max(end - start for _, start, end in trace.windows("held_out"))
        self.arrivals = functools.lru_cache(maxsize=8)(trace.arrivals)

    def fuelLimit(self, events: int, settings: Mapping[str, int]) -> int:
        """For a task 80000 units and for a timer 20000, and a tenth of that for each CPU: much more than LAS uses."""
        run, tick, quantum = self.trace.run[:events], settings["tick_us"], settings["quantum_us"]
        # The timer is a tick until an eighth of what was run is more, then grows by an eighth up to a quantum.
        timers = int(np.minimum(run // tick, _GROWING + run // quantum).sum())
        return 100_000_000 + (10 + int(settings["cpus"])) * (8_000 * events + 2_000 * timers)

    def memoryLimit(self, settings: Mapping[str, int]) -> int:
        """64 MiB and 256 bytes a slot, at most 1 GiB."""
        return min(1 << 30, (64 << 20) + 256 * self.slots)

    def layOut(self) -> Arena:
        trace, layout = self.trace, Layout()
        tasks = len(trace.run)
        sizes = {
            **dict.fromkeys(("arrival", "run", "estimate", "wait"), 8 * tasks),
            **dict.fromkeys(("key", "group"), 4 * tasks),
            "key_salt": 8 * trace.keys,
            "group_salt": 8 * trace.groups,
            **dict.fromkeys(("task", "state", "free"), 4 * self.slots),
            **dict.fromkeys(("left", "debt"), 8 * self.slots),
            **dict.fromkeys(("picked", "last"), 4 * MAX_CPUS),
            "adapter": self._adapterSize(),
            "machine": 128,
        }
        at = {name: layout.place(size) for name, size in sizes.items()}
        arena = Arena(Memory(layout), at)
        for name in ("run", "estimate", "key", "group"):
            arena.memory.write(at[name], getattr(trace, name))
        return arena

    def _adapterSize(self) -> int:
        return _FURTHER + _PER_KEY * (self.trace.keys + self.trace.groups) + _PER_SLOT * self.slots

    def prepare(self, arena: Arena, settings: Mapping[str, int], wasm: bytes, end: int) -> None:
        """Arrivals at the load that is set, salted keys, and no past."""
        memory, at, salt = arena.memory, arena.at, self.salt
        for name, count in (("key", self.trace.keys), ("group", self.trace.groups)):
            seed = salt + name.encode("ascii")
            memory.writeBytes(at[f"{name}_salt"], hashlib.shake_128(seed).digest(8 * count))
        self._empty(arena, settings)

    def _empty(self, arena: Arena, settings: Mapping[str, int]) -> None:
        arena.memory.write(arena.at["arrival"], self.arrivals(settings["cpus"], settings["load_permille"]))
        arena.memory.fill(arena.at["adapter"], 0, self._adapterSize())

    def begin(self, driver: Any, arena: Arena, settings: Mapping[str, int]) -> None:
        pointers = [arena.at[name] for name in _POINTERS]
        numbers = [self.slots, settings["cpus"], self.trace.keys, self.trace.groups]
        times = [settings[name] for name in ("tick_us", "quantum_us", "switch_us", "bound_us")]
        arena.memory.writeBytes(arena.at["machine"], struct.pack("<16I4I4Q", *pointers, *numbers, *times))
        driver["wb_begin"](arena.memory.store, arena.at["machine"])

    def score(self, driver: Any, arena: Arena, start: int, end: int) -> tuple[int, dict[str, int]]:
        memory = arena.memory
        switches = driver["wb_switches"](memory.store)
        score = driver["wb_run"](memory.store, start, end)
        if score < 0:
            raise ContractBroken(f"kn_pick named a slot that can't be picked, after task {-1 - score} had arrived")
        waits = np.sort(memory.read(arena.at["wait"] + 8 * start, end - start, "<u8"))
        metrics = {
            "mean_slowdown_permille": score // max(1, len(waits)),
            "mean_wait_us": int(waits.sum()) // max(1, len(waits)),
            "p99_wait_us": int(waits[-(-99 * len(waits) // 100) - 1]) if len(waits) else 0,
            "max_wait_us": int(waits[-1]) if len(waits) else 0,
            "switches": driver["wb_switches"](memory.store) - switches,
        }
        return score, metrics


def srptScores(machine: ProcessManagerMachine, settings: Mapping[str, int]) -> dict[str, int]:
    """The clairvoyant reference's score by split; see srpt.c."""
    abi = ABIS[0]
    code = loadModule(compileOwn(abi.driver, HEADER, (*OWN_FLAGS, "-DKN_SRPT"), abi.included), own=True)
    arena = machine.layOut()
    with contextlib.closing(arena.memory):
        machine._empty(arena, settings)
        driver = arena.memory.alone(code)
        machine.begin(driver, arena, settings)
        windows = machine.trace.windows("held_out")
        return {split: machine.score(driver, arena, start, end)[0] for split, start, end in windows}
