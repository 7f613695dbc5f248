"""Tests of the benches' statistics: figures of the training part, and of nothing behind it."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench.file_system import workbench
from tests.workbench.benches import BENCHES

_ARRAYS = {
    "audio": ("transits",),
    "file_system": ("blocks",),
    "network_stack": ("link",),
    "process_manager": ("run", "key", "group", "estimate"),
    "security": ("calls",),
    "window_manager": ("gaps", "moves"),
    "graphics": ("work", "refreshes", "damage"),
}
"""By bench, the columns of its traces."""


def _end(bench: str, trace: Any) -> int:
    """Where the training part of a trace's columns ends."""
    end = int(trace.ends["train"])
    if bench == "network_stack":
        return end * 1000
    if bench == "window_manager":
        return int(trace.samplesBefore(end))
    return int(trace.starts[trace.learned + end]) if bench == "security" else end


class StatisticsTests(SynchronousTestCase):
    def test_trainAlone(self) -> None:
        """Whatever comes after train changes neither its statistics nor its columns; what is in it does."""
        for bench, make in BENCHES.items():
            with tempfile.TemporaryDirectory() as folder:
                scenario = make(Path(folder))
            trace, figures = scenario.machine.trace, json.dumps(scenario.trainStatistics())
            columns = {name: np.array(column) for name, column in scenario.trainColumns().items()}
            lengths = {len(column) for column in columns.values()}
            self.assertEqual(lengths, {_end(bench, trace)}, bench)
            for start, isSame in ((_end(bench, trace), True), (0, False)):
                changed = {}
                for name in _ARRAYS[bench]:
                    array = getattr(trace, name).copy()
                    array[start:] = array[start:][::-1] // 2
                    changed[name] = array
                scenario.machine.trace = dataclasses.replace(trace, **changed)
                self.assertEqual(json.dumps(scenario.trainStatistics()) == figures, isSame, bench)
                if isSame:
                    for name, column in scenario.trainColumns().items():
                        np.testing.assert_array_equal(column, columns[name])
            scenario.machine.trace = trace

    def test_reuse(self) -> None:
        """Of a cache's trace the shares by count, and by the last gap, are those that counting by hand gives."""
        scenario = workbench.scenario(workbench.traces()[0], {"capacity": 100})
        trace = scenario.machine.trace
        blocks = trace.blocks[: trace.ends["train"]].tolist()
        last: dict[int, int] = {}
        count: dict[int, int] = {}
        of = {"twice": 0, "twice again within 1": 0, "gap below 25": 0}
        position = {"twice": dict[int, int]()}
        for at, block in enumerate(blocks):
            if block in position["twice"]:
                of["twice again within 1"] += at - position["twice"].pop(block) <= 100
            if block in last and at - last[block] < 25:
                of["gap below 25"] += 1
            count[block] = count.get(block, 0) + 1
            last[block] = at
            if count[block] == 2:
                of["twice"] += 1
                position["twice"][block] = at
        told = scenario.trainStatistics()
        row = told["reuse_by_count"][1]
        self.assertEqual(row["share_of_requests"], round(of["twice"] / len(blocks), 4))
        self.assertEqual(row["again_within_capacities"]["1"], round(of["twice again within 1"] / of["twice"], 4))
        near = told["reuse_by_last_gap"][1]
        self.assertEqual(near["share_of_requests"], round(of["gap below 25"] / len(blocks), 4))
