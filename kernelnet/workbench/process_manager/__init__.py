"""
The workbench of CPU scheduling.

  - C{kn_process_manager.h}: the ABIs C{process_manager/full/2} and C{process_manager/rank/1}; `abis` names what
    components export
  - C{driver.c}: some CPUs, a clock and the score; C{rank.c} asks rank functions for it, C{srpt.c} is the clairvoyant
    reference; `machine` runs it with a policy
  - C{baselines/*.c}: hand-made policies
  - `readers`, `ftrace`, `schedviz`: SWF, Linux's scheduler events, our own format
  - `trace`: dense numbers, digest, splits, load; `tasks`: what readers give, whatever the format
  - `scenario`: one log with its settings; `patterns`: what can be learned about it; `statistics`: its training
    part in figures
  - `record`: records the machine at hand
  - C{traces/}: two logs we recorded, and C{record.py}, which recorded them

This module imports neither numpy nor wasmtime, so that the plugin can be listed without the C{[trainer]} extra.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from twisted.plugin import IPlugin
from zope.interface import implementer

from kernelnet.interfaces import IWorkbench
from kernelnet.workbench.base import BaseWorkbench
from kernelnet.workbench.errors import WorkbenchError
from kernelnet.workbench.process_manager.abis import ABIS
from kernelnet.workbench.recording import Recorder
from kernelnet.workbench.words import timeInWords

if TYPE_CHECKING:
    from kernelnet.workbench.process_manager.machine import ProcessManagerMachine
    from kernelnet.workbench.process_manager.scenario import ProcessManagerScenario
    from kernelnet.workbench.process_manager.trace import Trace

__all__ = ["ProcessManagerWorkbench", "workbench"]

RULES = """
process_manager rules 2
tasks: in the order of arrival, those that arrive at the same time in the order of the log; times in microseconds
load: arrivals are multiplied by work * 1000 / (span * cpus * load_permille) and rounded down; 0: as they are
splits: half = n // 2; train [0, half - half // 5), validation [.., half), held_out [half, n); one pass
between splits: a split ends when its last task is done, and no later one has arrived by then; if that is after the
  arrival of the next split's first, all of that split arrive by so much later
decisions: at each arrival, each end of a task, and at the first timer of those that run where tasks have to wait
switches: a task that wasn't picked in the decision before costs its CPU switch_us first
score: the sum of max(1000, response * 1000 // max(run, bound_us))
keys: the n-th 8 bytes, little-endian, of SHAKE-128(SHA-256("keys" | digest) | "key" or "group"); of a variant the
  digest is its seed
timers: an eighth of what the task has run, tick_us at least; for policies of the full ABI quantum_us at most
fuel: at most 100000000 + (10 + cpus) * (8000 * tasks + 2000 * sum of min(run // tick_us, 200 + run // quantum_us))
variants: each split without one task in four of its shorter half and the times to the arrivals behind, others up to 16
  places out of order but for those of their key, times between arrivals up to a quarter longer or shorter, run times
  and estimates up to a sixteenth
memory: at most 64 MiB + 256 bytes a slot, and 1 GiB
modules: at most 64 KiB, 64 exports, 4 tables of 10000 elements
"""

DEFAULT_LOAD = 900
JOB_BOUND, JOB_SWITCH = 10_000_000, 1_000_000
"""Ten seconds, as Feitelson has it for batch jobs; a second for one job's memory to give way to another's."""

BURST_BOUND, BURST_SWITCH = 1_000, 5
"""Waiting for less than a millisecond is seen by nobody; and a switch of threads, caches hardly counted."""

MAX_TIME = 1 << 40
"""Of settings, in microseconds: twelve days."""

MAX_LOAD = 100_000
QUANTA = 32
"""Number that the mean task has by default."""


@implementer(IPlugin, IWorkbench)
class ProcessManagerWorkbench(BaseWorkbench["ProcessManagerMachine", "ProcessManagerScenario"]):
    """
    See `IWorkbench`.

    Settings, times in microseconds: C{cpus}; C{load_permille}, what the CPUs have to do of what they could, 0 for
    arrivals as recorded; C{bound_us}, below which a size doesn't make a slowdown greater; C{quantum_us};
    C{switch_us}.
    """

    name = "process_manager"
    description = "CPU scheduling, preemptive: bounded slowdown of the tasks of a log"
    reference = "las"
    optimumName = "srpt"
    unit = "thousandths of bounded slowdown"
    recorder = Recorder(
        "--sched",
        "Record what this machine's CPUs run",
        "which threads get ready when, and how long they run",
        "machine.sched.xz",
        "bursts",
        "kernelnet.workbench.process_manager.record",
        "recordSched",
    )
    formats = "tasks: swf, ftrace text (.ftrace, .trace, .txt), our .sched, SchedViz .tar.gz; compressed or not"
    abis = ABIS
    folder = Path(__file__).parent
    rules = RULES
    baselineNames = ("fcfs", "rr", "sjf", "mlfq", "las", "hrrn", "cfs", "eevdf")

    def machine(self, path: Path) -> ProcessManagerMachine:
        from kernelnet.workbench.process_manager.machine import ProcessManagerMachine
        from kernelnet.workbench.process_manager.trace import loadTrace

        return ProcessManagerMachine(loadTrace(path))

    def complete(self, trace: Trace, settings: Mapping[str, int]) -> dict[str, int]:
        from kernelnet.workbench.process_manager.machine import MAX_CPUS

        limits = {
            "cpus": (1, MAX_CPUS),
            "load_permille": (0, MAX_LOAD),
            "bound_us": (1, MAX_TIME),
            "tick_us": (1, MAX_TIME),
            "quantum_us": (1, MAX_TIME),
            "switch_us": (0, MAX_TIME),
        }
        self.refuseUnknown(settings, tuple(limits))
        complete = {"cpus": trace.cpus, "load_permille": DEFAULT_LOAD}
        complete["bound_us"], switch = (BURST_BOUND, BURST_SWITCH) if trace.bursts else (JOB_BOUND, JOB_SWITCH)
        complete.update(settings)
        complete.setdefault("tick_us", complete["bound_us"])
        complete.setdefault("quantum_us", max(complete["tick_us"], trace.work // (len(trace.run) * QUANTA)))
        complete.setdefault("switch_us", min(switch, complete["tick_us"] // 10))
        for name, (least, most) in limits.items():
            if not least <= complete[name] <= most:
                raise WorkbenchError(f"{name} is {complete[name]}; it should be {least} to {most}")
        if not complete["switch_us"] < complete["tick_us"] <= complete["quantum_us"]:
            raise WorkbenchError("switch_us should be less than tick_us, and that at most quantum_us")
        return complete

    def inWords(self, settings: Mapping[str, int]) -> str:
        """See `BaseWorkbench.inWords`: the CPUs, whose default is the trace's, and what isn't as `complete` has it."""
        cpus, load, bound, tick = (settings[name] for name in ("cpus", "load_permille", "bound_us", "tick_us"))
        switch = min(JOB_SWITCH if bound == JOB_BOUND else BURST_SWITCH, tick // 10)
        words = [f"{cpus} CPU" + ("s" if cpus != 1 else "")]
        words += [f"load {load / 1000:g}" if load else "load as recorded"] if load != DEFAULT_LOAD else []
        words += [f"bound {timeInWords(bound)}"] if bound not in (JOB_BOUND, BURST_BOUND) else []
        words += [f"tick {timeInWords(tick)}"] if tick != bound else []
        # of long jobs the default is a share of the mean, which is more than a tick
        words += [f"quantum {timeInWords(settings['quantum_us'])}"] if settings["quantum_us"] != tick else []
        words += [f"switch {timeInWords(settings['switch_us'])}"] if settings["switch_us"] != switch else []
        return ", ".join(words)

    def makeScenario(self, machine: ProcessManagerMachine, settings: Mapping[str, int]) -> ProcessManagerScenario:
        from kernelnet.workbench.process_manager.scenario import ProcessManagerScenario

        return ProcessManagerScenario(self, machine, settings)


workbench = ProcessManagerWorkbench()
"""The plugin."""
