"""
Metered evaluation in the sandbox beside libCacheSim's native code: requests per second, medians of one run.

Both get the trace in memory and run the same policy at the same capacity, interleaved, on one core each; what is
measured is CPU time of the one thread, so that a busy machine does less harm.  libCacheSim gets the smallest hash
table that fits.  The misses are compared too: a faster wrong answer is none.  (LIRS differs by a rule; see
docs/reference/workbench-file_system.rst.)

Then the whole re-measurement of a claim: checksums, the variants of the trace, on each the run, the reference and the
optimum, which for a further look at the same claim are kept; in seconds of CPU time and of wall time.  The trace has
been read.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import tempfile
import time
from pathlib import Path

import libcachesim  # type: ignore[import-untyped]
import numpy as np

from kernelnet.artifacts import Component, Manifest, Verdict
from kernelnet.learning.verification import remeasure
from kernelnet.workbench.compiler import compileC, compilerVersion
from kernelnet.workbench.file_system import FileSystemWorkbench, workbench
from kernelnet.workbench.file_system.capacity import blocksOf
from kernelnet.workbench.file_system.trace import Trace, loadTrace

THEIRS = {
    "fifo": libcachesim.FIFO,
    "lru": libcachesim.LRU,
    "clock": libcachesim.Clock,
    "lfu": libcachesim.LFU,
    "2q": libcachesim.TwoQ,
    "arc": libcachesim.ARC,
    "lirs": libcachesim.LIRS,
    "s3fifo": libcachesim.S3FIFO,
    "sieve": libcachesim.Sieve,
}
RANK = """#include "kn_file_system.h"
f64 kn_rank(f64 age, f64 life, f64 freq, f64 gap, f64 gap2, f64 hist, f64 ghostgap, f64 pressure) {
    return -kn_max(age, gap);
}
"""


def writeOracle(trace: Trace, path: Path) -> None:
    record = np.dtype([("time", "<u4"), ("id", "<u8"), ("size", "<u4"), ("next", "<i8")])
    records = np.zeros(len(trace.blocks), record)
    records["time"] = np.arange(len(trace.blocks))
    records["id"] = trace.blocks.astype(np.uint64) + 1
    records["size"] = 1
    records["next"] = -1
    records.tofile(path)


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):7.1f} ({min(values):.1f}-{max(values):.1f})"


def evaluations(path: Path, oracle: Path, capacity: str, runs: int) -> float:
    trace = loadTrace(path)
    writeOracle(trace, oracle)
    requests = len(trace.blocks)
    slots = max(16, blocksOf(trace.distinct, capacity))
    scenario = workbench.scenario(path, {"capacity": slots})
    print(f"\n{trace.name}: {requests} requests, capacity {slots} ({capacity}), {runs} runs")
    print(f"{'policy':8} {'ours, M/s':>22} {'libCacheSim, M/s':>22} {'ratio':>6}  misses")
    ratios = []
    for name in workbench.baselineNames:
        wasm = workbench.baselineModule(name)
        scenario.measure(wasm)  # compiled and loaded
        ours, theirs = [], []
        for _ in range(runs):
            began = time.thread_time()
            report = scenario.measure(wasm)
            ours.append(requests / (time.thread_time() - began) / 1e6)
            parameters = libcachesim.ReaderInitParam(ignore_obj_size=True)
            reader = libcachesim.TraceReader(str(oracle), libcachesim.TraceType.ORACLE_GENERAL_TRACE, parameters)
            cache = THEIRS[name](cache_size=slots, hashpower=max(10, trace.distinct.bit_length()))
            began = time.thread_time()
            missRatio, _ = cache.process_trace(reader)
            theirs.append(requests / (time.thread_time() - began) / 1e6)
        difference = sum(split.score for split in report.splits.values()) - round(float(missRatio) * requests)
        same = f"{difference:+d}" if difference else "equal"
        ratios.append(statistics.median(ours) / statistics.median(theirs))
        print(f"{name:8} {spread(ours):>22} {spread(theirs):>22} {ratios[-1]:6.2f}  {same}")
    print(f"median ratio {statistics.median(ratios):.2f}, least {min(ratios):.2f}")
    return statistics.median(ratios)


def remeasurements(path: Path, capacity: str, runs: int) -> None:
    """Each on a bench that knows the trace, and nothing else: the reference and the optimum are computed anew."""
    columns = ("first, CPU s", "first, wall s", "further, CPU s", "further, wall s")
    print(f"\n{'re-measured in':16}" + "".join(f" {column:>18}" for column in columns))
    for name, source in (("arc", workbench.baselineSource("arc")), ("a rank function", RANK)):
        wasm = compileC(source, workbench.headerPath, trusted=True)
        times: list[list[float]] = [[], [], [], []]
        for _ in range(runs):
            # Claimed on another one: what that keeps of it doesn't help.
            slots = max(16, blocksOf(workbench.scenario(path).machine.trace.distinct, capacity))
            scenario = workbench.scenario(path, {"capacity": slots}).forModule(wasm)
            claimed = scenario.measure(wasm)
            bench = FileSystemWorkbench()
            bench.inspect(path)
            component = Component(
                id="c",
                implementation=source,
                specialization="file_system",
                wasm=wasm,
                manifest=Manifest(
                    source_sha256=hashlib.sha256(source.encode()).hexdigest(),
                    wasm_sha256=hashlib.sha256(wasm).hexdigest(),
                    abi=bench.abiOf(wasm).identifier,
                    workbench=bench.name,
                    compiler=compilerVersion(),
                    generator="benchmark",
                    seed=0,
                    report=claimed,
                ),
            )
            component.development_level = scenario.developmentLevel(claimed)
            for first in (0, 2):
                cpu, wall = time.thread_time(), time.perf_counter()
                here = bench.scenarioFor(claimed, [path])
                verdict, reason, _ = remeasure(component, here)
                times[first].append(time.thread_time() - cpu)
                times[first + 1].append(time.perf_counter() - wall)
                assert verdict is Verdict.CONFIRMED, reason
            here.machine.close()
        print(f"{name:16}" + "".join(f" {seconds(column):>18}" for column in times))


def seconds(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def main() -> None:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("traces", nargs="*", type=Path, help="files; without any those that ship")
    parser.add_argument("--capacity", default="10%", help="blocks, or a share of the distinct ones")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for path in options.traces or workbench.traces():
            evaluations(path, Path(folder) / "oracle.bin", options.capacity, options.runs)
            remeasurements(path, options.capacity, options.runs)


if __name__ == "__main__":
    main()
