"""The memory that a driver walks."""

from __future__ import annotations

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench.memory import Arena


class ArenaTests(SynchronousTestCase):
    def test_holding(self) -> None:
        """Columns stand at their addresses, and beside them is room, zeroed, where nothing else is."""
        times, ids = np.array([1, 1 << 40], "<u8"), np.array([7, 8, 9], "<u4")
        arena = Arena.holding({"times": times, "ids": ids}, room={"states": 100})
        self.addCleanup(arena.memory.close)
        self.assertEqual(list(arena.at), ["times", "ids", "states"])
        arena.memory.fill(arena.at["states"], 0xFF, 100)
        self.assertEqual(arena.memory.read(arena.at["times"], 2, "<u8").tolist(), [1, 1 << 40])
        self.assertEqual(arena.memory.read(arena.at["ids"], 3).tolist(), [7, 8, 9])
        empty = Arena.holding({"ids": ids}, room={"states": 8})
        self.addCleanup(empty.memory.close)
        self.assertEqual(empty.memory.read(empty.at["states"], 2).tolist(), [0, 0])
