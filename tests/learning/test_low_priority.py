"""A search lets others go first, and nothing else does."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import skipUnless

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.learning.goal import Goal
from kernelnet.learning.low_priority import LOWER, atLowPriority
from kernelnet.learning.search_run import SearchRun


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


class Generator:
    name = "noting"

    def generate(self, problem: Any) -> None:
        self.niceness = niceness()


@skipUnless(sys.platform == "linux", "threads have a priority of their own on Linux alone")
class LowPriorityTests(SynchronousTestCase):
    def test_lower(self) -> None:
        """It and the threads that it begins have a lower priority; who called keeps his."""

        def look() -> tuple[int, int, bool]:
            with ThreadPoolExecutor(1) as pool:
                return niceness(), pool.submit(niceness).result(), threading.current_thread().daemon

        before = niceness()
        expected = min(19, before + LOWER)
        self.assertEqual(atLowPriority(look), (expected, expected, True))
        self.assertEqual(niceness(), before)

    def test_raises(self) -> None:
        """What the function raises comes to who called."""

        def fail(kind: type[BaseException]) -> None:
            raise kind("such")

        for kind in (ValueError, KeyboardInterrupt):
            self.assertRaises(kind, atLowPriority, lambda kind=kind: fail(kind))

    def test_search(self) -> None:
        """A run that yields has its generator there; any other has it in the caller's thread."""
        for yields, more in ((True, LOWER), (False, 0)):
            generator: Any = Generator()
            scenario: Any = None
            run = SearchRun(scenario, generator, Goal("", 1.0), seed=1, yields=yields)
            problem: Any = object()
            run._problem = problem
            self.assertIsNone(run.search())
            self.assertEqual(generator.niceness, min(19, niceness() + more))
