"""
Metered evaluation in the sandbox beside libCacheSim's native code: requests per second, medians of one run.

Both get the trace in memory and run the same policy at the same capacity, interleaved, on one core each.  The misses
are compared too: a faster wrong answer is none.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

import libcachesim  # type: ignore[import-untyped]
import numpy as np

from kernelnet.workbench.file_system import workbench
from kernelnet.workbench.file_system.trace import Trace, loadTrace

RUNS = 5
THEIRS = {
    "fifo": libcachesim.FIFO,
    "lru": libcachesim.LRU,
    "clock": libcachesim.Clock,
    "2q": libcachesim.TwoQ,
    "arc": libcachesim.ARC,
    "s3fifo": libcachesim.S3FIFO,
    "sieve": libcachesim.Sieve,
}


def writeOracle(trace: Trace, path: Path) -> None:
    record = np.dtype([("time", "<u4"), ("id", "<u8"), ("size", "<u4"), ("next", "<i8")])
    records = np.zeros(len(trace.blocks), record)
    records["time"] = np.arange(len(trace.blocks))
    records["id"] = trace.blocks.astype(np.uint64) + 1
    records["size"] = 1
    records["next"] = -1
    records.tofile(path)


def measure(path: Path, oracle: Path) -> None:
    trace = loadTrace(path)
    writeOracle(trace, oracle)
    requests = len(trace.blocks)
    scenario = workbench.scenario(path, {})
    capacity = scenario.settings["capacity"]
    print(f"\n{trace.name}: {requests} requests, capacity {capacity}")
    print(f"{'policy':8} {'ours, M/s':>10} {'libCacheSim, M/s':>17} {'ratio':>6}  misses")
    ratios = []
    for name in workbench.baselineNames:
        wasm = workbench.baselineModule(name)
        scenario.measure(wasm)  # compiled and loaded
        ours, theirs = [], []
        for _ in range(RUNS):
            began = time.perf_counter()
            report = scenario.measure(wasm)
            ours.append(requests / (time.perf_counter() - began) / 1e6)
            parameters = libcachesim.ReaderInitParam(ignore_obj_size=True)
            reader = libcachesim.TraceReader(str(oracle), libcachesim.TraceType.ORACLE_GENERAL_TRACE, parameters)
            cache = THEIRS[name](cache_size=capacity, hashpower=max(10, trace.distinct.bit_length()))
            began = time.perf_counter()
            missRatio, _ = cache.process_trace(reader)
            theirs.append(requests / (time.perf_counter() - began) / 1e6)
        misses = sum(split.score for split in report.splits.values())
        same = "equal" if misses == round(float(missRatio) * requests) else "DIFFERENT"
        mine, other = statistics.median(ours), statistics.median(theirs)
        ratios.append(mine / other)
        print(f"{name:8} {mine:10.1f} {other:17.1f} {mine / other:6.2f}  {same}")
    print(f"median ratio {statistics.median(ratios):.2f}")


def main() -> None:
    paths = [Path(argument) for argument in sys.argv[1:]] or workbench.traces()
    with tempfile.TemporaryDirectory() as folder:
        for path in paths:
            measure(path, Path(folder) / "oracle.bin")


if __name__ == "__main__":
    main()
