"""A component in the kernel beside the kernel's own congestion controls, over the bench's link, and in the bench."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kernelnet.deploy.bpf_tcp import loading
from kernelnet.deploy.bpf_tcp.link import SECOND, Link, Passage, built, lost
from kernelnet.deploy.errors import DeployError
from kernelnet.deploy.measurement import FEWEST, MOST_SECONDS, Measured, Measurement
from kernelnet.exporters.bpf_tcp import exporter, makeProgram, nameOf
from kernelnet.workbench.base import BaseWorkbench

__all__ = ["UNIT", "Bench", "deployed", "measure"]

UNIT = "millibits lost a second"

TRIES = 3
"""Runs that are made for one that counts, if the machine is disturbed."""


Workbench = BaseWorkbench[Any, Any]


class Bench:
    """
    A part of a recorded link, for the simulator and for the kernel.

    @ivar name: of the link; C{digest}: as the workbench names it.
    @ivar link: opportunities by millisecond, of the first of the held-out seconds.
    """

    def __init__(self, workbench: Workbench, path: Path | None, settings: Mapping[str, int], seconds: int) -> None:
        """
        @param workbench: that of congestion control.
        @param path: a mahimahi trace; C{None}: the first of the workbench's own.
        @raise DeployError: with these settings the workbench's link isn't the kernel's.
        @raise WorkbenchError: there is no such trace or setting.
        """
        self.workbench = workbench
        path = path or workbench.traces()[0]
        machine = workbench.machine(path)
        trace = machine.trace
        self.name: str = trace.name
        self.digest: str = trace.digest
        self.settings: dict[str, int] = workbench.complete(trace, settings)
        if self.settings["flows"] != 1 or self.settings["loss_permille"]:
            raise DeployError("measured is a link with one flow, and without loss by chance")
        if not FEWEST <= seconds <= MOST_SECONDS:
            raise DeployError(f"a run lasts {seconds} s; it should be {FEWEST} to {MOST_SECONDS}")
        start, end = next((start, end) for split, start, end in trace.windows("held_out") if split == "held_out")
        if end - start < FEWEST:
            raise DeployError(f"{path} has {end - start} held-out seconds; at least {FEWEST} are needed")
        self.seconds: int = min(seconds, end - start)
        self.link: npt.NDArray[np.uint16] = trace.link[start * SECOND : (start + self.seconds) * SECOND]
        ends = dict.fromkeys(trace.ends, self.seconds)
        self._machine = type(machine)(replace(trace, link=self.link, ends=ends))

    def simulated(self, wasm: bytes) -> float:
        """Worker thread.  Score of a module on the same seconds, from a fresh start, without the first second."""
        windows = [("first", 0, 1), ("rest", 1, self.seconds)]
        found = self._machine.run(wasm, self.settings, windows=windows)["rest"]
        return float(found.score / found.events)


@contextlib.contextmanager
def deployed(workbench: Workbench, modules: Sequence[bytes]) -> Iterator[list[str]]:
    """
    Modules in the kernel, each made anew, and taken out at the end whatever happens.

    @return: names of the congestion controls.
    @raise DeployError, ExportError, WorkbenchError: one of them can't be loaded.
    """
    if lacking := exporter.missing():
        raise DeployError(f"can't be measured here: {'; '.join(lacking)}")
    with loading.alone():
        loading.removeLeft()
        try:
            names = []
            for wasm in dict.fromkeys(modules):
                with tempfile.TemporaryDirectory(prefix="kernelnet-bpf-") as folder:
                    name = nameOf(wasm, loading.MEASURED)
                    program, _ = makeProgram(wasm, workbench.abiOf(wasm), Path(folder), name)
                    loading.load(program, name)
                    names.append(name)
            yield names
        finally:
            loading.removeLeft()


def measure(
    wasm: bytes,
    workbench: Workbench,
    *,
    trace: Path | None = None,
    settings: Mapping[str, int] | None = None,
    beside: Sequence[str] = (),
    seconds: int = 30,
    runs: int = 1,
    tell: Callable[[str], None] = lambda line: None,
) -> Measurement:
    """
    Run a component over a link in the kernel.

    @param workbench: that of congestion control.
    @param beside: the kernel's own congestion controls that run on the same seconds, in turn.
    @param runs: of each; the median counts.
    @param tell: told a line before each run.
    @raise DeployError, ExportError, WorkbenchError: it can't be measured; the text says why.
    """
    bench = Bench(workbench, trace, settings or {}, seconds)
    if unknown := [name for name in beside if not re.fullmatch(r"[a-z0-9_-]{1,15}", name)]:
        raise DeployError(f"{unknown[0]!r} is no congestion control; there are {', '.join(loading.policies())}")
    if unknown := [name for name in beside if name not in loading.policies()]:
        raise DeployError(
            f"this kernel has no {unknown[0]} (modprobe tcp_{unknown[0]}?); here are {', '.join(loading.policies())}"
        )
    # First, as what breaks in the sandbox needn't come into the kernel.
    simulated = {nameOf(wasm, loading.MEASURED): bench.simulated(wasm)}
    for name in beside:
        if name in workbench.baselineNames:
            simulated[name] = bench.simulated(workbench.baselineModule(name))
    passages: dict[str, list[Passage]] = {}
    spoiled = []
    with deployed(workbench, [wasm]) as (own,), built() as program:
        link = Link(program, bench.link, bench.settings["rtt_ms"], bench.settings["queue_packets"])
        for run in range(runs):
            for name in (own, *beside):
                tell(f"{name}, run {run + 1} of {runs}: {bench.seconds} s")
                passage, why = _undisturbed(link, name, tell)
                passages.setdefault(name, []).append(passage)
                spoiled += [f"{name}: {why}"] if why else []
        broken = loading.brokenOf(own)
    if broken:
        spoiled.append(f"the component went wrong in {broken} connections, which went on as Reno does")
    base = bench.settings["rtt_ms"]
    rows = [_measured(name, found, base, simulated.get(name)) for name, found in passages.items()]
    return Measurement(
        target=exporter.name,
        wasm_sha256=hashlib.sha256(wasm).hexdigest(),
        workbench=workbench.name,
        unit=UNIT,
        workload=f"{bench.name}, {bench.seconds} s of held-out",
        workload_digest=bench.digest,
        settings=bench.settings,
        component=rows[0],
        beside=rows[1:],
        spoiled=spoiled,
        system=f"{platform.system()} {platform.release()}",
        hardware=f"{platform.machine()}, {os.cpu_count()} cores",
    )


def _undisturbed(link: Link, name: str, tell: Callable[[str], None]) -> tuple[Passage, str | None]:
    """A run that counts, or the last of several that don't, and why."""
    for _ in range(TRIES):
        passage = link.run(name)
        why = passage.spoiled()
        if why is None:
            break
        tell(f"{name}: {why}")
    return passage, why


def _measured(name: str, found: Sequence[Passage], base: int, simulated: float | None) -> Measured:
    counted = [second for passage in found for second in passage.seconds[1:]]
    offered, taken = sum(each.offered for each in counted), sum(each.taken for each in counted)
    scores = [lost(passage.seconds, base) for passage in found]
    figures = {
        "least": min(scores),
        "most": max(scores),
        "utilisation_permille": 1000 * taken / max(1, offered),
        "mean_rtt_ms": sum(each.delay for each in counted) / max(1, taken),
        "dropped_packets": sum(each.dropped for each in counted),
        "late_permille": 1000 * max(passage.shareLate for passage in found),
        "latest_ms": max(passage.latest for passage in found),
        "realtime": float(all(passage.isRealTime for passage in found)),
    }
    return Measured(name, statistics.median(scores), simulated, len(found), figures)
