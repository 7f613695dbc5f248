"""Sizes of the cache: in blocks, as shares, and those that are trained at."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench.errors import TraceError, WorkbenchError
from kernelnet.workbench.file_system import FileSystemWorkbench
from kernelnet.workbench.file_system.capacity import MAX_CAPACITY, MIN_CAPACITY, atMost, blocksOf, shareOf
from tests.workbench.support import writeTrace


class CapacityTests(SynchronousTestCase):
    def test_shares(self) -> None:
        """A share is that of the distinct blocks, rounded down, in whole numbers."""
        for share, blocks in (("10%", 1234), ("0.1%", 12), ("1 %", 123), ("100%", 12345), ("33.333%", 4114), ("0%", 0)):
            self.assertEqual(shareOf(12345, share), blocks, share)
        # 0.1 has no exact float: 0.001 * 9007199254740993000 would be another number.
        self.assertEqual(shareOf(9007199254740993000, "0.1%"), 9007199254740993)

    def test_noShares(self) -> None:
        """What is no share, or more than all, is an error of one line."""
        for share in ("", "%", "10", "ten%", "-1%", "1e1%", "101%", "100.1%", "1,5%", "nan%", "0.1.1%", "1%%", ".5%"):
            error = self.assertRaises(WorkbenchError, shareOf, 1000, share)
            self.assertEqual(len(str(error).splitlines()), 1)

    def test_blocks(self) -> None:
        """A capacity is blocks or a share, at least one block and no more than a policy could choose among."""
        self.assertEqual(blocksOf(1000, "10%"), 100)
        self.assertEqual(blocksOf(1000, " 7 "), 7)
        self.assertEqual(blocksOf(1000, "0.01%"), 1)
        self.assertEqual(blocksOf(5, "16"), MIN_CAPACITY)
        self.assertEqual(blocksOf(1 << 27, str(MAX_CAPACITY)), MAX_CAPACITY)
        for capacity in ("0", "1001", "ten", "", "-1", "1.5", "99999999999", "200%"):
            self.assertRaises(WorkbenchError, blocksOf, 1000, capacity)
        self.assertRaises(WorkbenchError, blocksOf, 1 << 27, "10%")

    @given(st.integers(1, 1 << 27), st.integers(1, 100))
    def test_always(self, distinct: int, share: int) -> None:
        """Whatever share is possible makes a capacity that the bench takes."""
        if share * distinct // 100 <= MAX_CAPACITY:
            self.assertTrue(1 <= blocksOf(distinct, f"{share}%") <= atMost(distinct))


class TaskTests(SynchronousTestCase):
    def tasks(self, ids: list[int]) -> list[int]:
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        return [task["capacity"] for task in FileSystemWorkbench().tasks(writeTrace(folder / "a.txt", ids))]

    def test_shares(self) -> None:
        """A trace is trained on with small, middle and large caches, but for those too small to say much."""
        self.assertEqual(self.tasks(list(range(20_000)) * 2), [20, 200, 2000])
        self.assertEqual(self.tasks(list(range(2000)) * 2), [20, 200])
        self.assertEqual(self.tasks(list(range(200)) * 2), [20])

    def test_filled(self) -> None:
        """Caches that the training part doesn't fill are left out: nothing can be learned there."""
        ids = [number % 300 for number in range(12_000)] + list(range(30_000, 42_000))
        self.assertEqual(self.tasks(ids), [123])

    def test_none(self) -> None:
        """If nothing remains there is the default."""
        self.assertEqual(self.tasks([1, 2, 3] * 100), [MIN_CAPACITY])
        self.assertEqual(self.tasks([1] * 500 + list(range(1000, 1500))), [50])

    def test_scenarios(self) -> None:
        """Each task is a scenario as it stands."""
        bench = FileSystemWorkbench()
        for path in bench.traces():
            tasks = bench.tasks(path)
            self.assertGreater(len(tasks), 1)
            for task in tasks:
                self.assertEqual(bench.scenario(path, task).settings, task)

    def test_missing(self) -> None:
        """A trace that can't be read is a TraceError."""
        self.assertRaises(TraceError, FileSystemWorkbench().tasks, Path("missing.txt"))
