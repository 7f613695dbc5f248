"""What traces of all benches have in common."""

from __future__ import annotations

import hashlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench.splits import SPLITS, splitEnds
from kernelnet.workbench.trace import BaseTrace, dense


class TraceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.trace = BaseTrace("made", "ab" * 32, splitEnds(1000))

    def test_windows(self) -> None:
        """Splits follow each other, up to and with the one that is asked for; another name is an error."""
        whole = [("train", 0, 400), ("validation", 400, 500), ("held_out", 500, 1000)]
        for count, split in enumerate(SPLITS, 1):
            self.assertEqual(self.trace.windows(split), whole[:count])
        self.assertRaises(ValueError, self.trace.windows, "everything")

    @given(st.integers(10, 10_000))
    def test_learnAndCheck(self, events: int) -> None:
        """What is learned from is the end of train and as long as what is checked, which is all of validation."""
        ends = splitEnds(events)
        learn, check = BaseTrace("made", "", ends).learnAndCheck()
        self.assertEqual((learn.stop, check.start, check.stop), (ends["train"], ends["train"], ends["validation"]))
        self.assertEqual(learn.stop - learn.start, check.stop - check.start)

    def test_seed(self) -> None:
        """It follows from the change, the module and the trace."""
        seed = self.trace.seedFor("thinned", b"module")
        self.assertEqual(seed, hashlib.sha256(b"thinnedmodule" + bytes.fromhex("ab" * 32)).digest())
        other = BaseTrace("made", "cd" * 32, splitEnds(1000))
        seeds = {seed, self.trace.seedFor("cropped", b"module"), self.trace.seedFor("thinned", b"other")}
        self.assertEqual(len(seeds | {other.seedFor("thinned", b"module")}), 4)


class DenseTests(SynchronousTestCase):
    @given(st.lists(st.integers(0, 2**64 - 1), max_size=50))
    def test_numbers(self, ids: list[int]) -> None:
        """Numbers come in the order of first appearance, from 0, and are as many as there are different ids."""
        numbers: dict[int, int] = {}
        expected = [numbers.setdefault(each, len(numbers)) for each in ids]
        found, distinct = dense(np.array(ids, np.uint64))
        self.assertEqual((found.tolist(), distinct, found.dtype.str), (expected, len(numbers), "<u4"))
